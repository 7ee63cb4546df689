"""Doorway over HTTP: the JSON API, health and metrics; thin, as all doorways."""
