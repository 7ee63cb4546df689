"""The adapter for the community: every fact about its API stays in here."""
