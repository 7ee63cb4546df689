"""
Checks on both databases that the migrations build what the models say, and that the
newest goes down and up again. Run by `make migrations`.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing

from alembic import command
from alembic.util import CommandError

from tests.databases import NoPostgresql, postgresql_server, scratch_database
from worker.database import Database, migration_config


def check(url: str) -> None:
    """Raise what Alembic raises."""
    with closing(Database(url)) as database:
        database.upgrade()
        for step in (command.check, down_and_up, command.check):
            with database.write() as connection:
                step(migration_config(connection))


def down_and_up(config):
    command.downgrade(config, "-1")
    command.upgrade(config, "head")


def main() -> int:
    try:
        with tempfile.TemporaryDirectory() as folder:
            check(f"sqlite:///{folder}/state.db")
        with postgresql_server() as server, scratch_database(server) as url:
            check(url)
    except NoPostgresql as missing:
        sys.stderr.write(f"PostgreSQL left out: {missing}\n")
    except CommandError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
