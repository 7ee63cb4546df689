"""The doorway for Celery: thin tasks, named by hand, one module per area."""
