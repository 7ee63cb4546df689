"""`aurora-sync db`: the database's tables."""

from __future__ import annotations

import typer

from worker.cli.exits import Commands
from worker.database import Database
from worker.settings import load_settings

app = typer.Typer(cls=Commands, help="The database's tables.", rich_markup_mode=None)


@app.callback()
def group() -> None:
    """The database's tables."""


@app.command()
def upgrade() -> None:
    """Bring the tables up to date; safe to repeat, and several at once do no harm."""
    database = Database(load_settings().database)
    try:
        database.upgrade()
    finally:
        database.close()
    print("The database is up to date.")
