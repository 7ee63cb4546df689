"""Alembic migrations, shipped with the wheel so that `aurora-sync db upgrade` works."""
