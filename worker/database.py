"""
Opens the database: one engine that writes, one that only reads, the database's own
clock, and the migrations. Knows SQLite and PostgreSQL; knows no tables.
"""

from __future__ import annotations

import importlib.resources
import sqlite3
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    any_,
    create_engine,
    event,
    func,
    literal,
    make_url,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from worker import clock
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.orm import InstrumentedAttribute
    from sqlalchemy.pool import ConnectionPoolEntry

# Both know ON CONFLICT.
Insert = sqlite.Insert | postgresql.Insert

# RETURNING came with it.
OLDEST_SQLITE = (3, 35)
# At full contention of 8 processes the slowest write waited 4 s.
BUSY_TIMEOUT_S = 30
_POSTGRESQL_OPTIONS = "-c timezone=UTC -c lock_timeout=15s"
_INSTANT = DateTime(timezone=True)
_FIRST_ANALYZE = 1000
# Any number, as long as every release of ours takes the same one.
_MIGRATION_LOCK = 0x6175726F7261


class Database:
    """
    The database at `url`.

    `write()` and `read()` each give a connection in a transaction that ends with the
    block. Short blocks only: SQLite has one writer at a time, and no block may
    surround a remote call. `now` replaces the database's clock in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        threads: int = 8,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.url = _checked(url)
        self._clock = now
        self._is_sqlite = self.url.get_backend_name() == "sqlite"
        open_engine = _sqlite_engine if self._is_sqlite else _postgresql_engine
        self._writer = open_engine(self.url, threads, read_only=False)
        self._reader = open_engine(self.url, threads, read_only=True)
        self._growth: dict[str, tuple[int, int]] = {}
        # SQLite's waiters poll and so starve each other; a queue in the process does
        # not. Re-entrant only so that a nested write fails in SQLite, not for ever.
        self._turn: AbstractContextManager[object] = (
            RLock() if self._is_sqlite else nullcontext()
        )

    @property
    def is_server(self) -> bool:
        """Whether the database works in a process of its own."""
        return not self._is_sqlite

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction that commits unless the block raises."""
        with self._turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database and cannot write."""
        with self._reader.begin() as connection:
            yield connection

    def now(self, after: timedelta = timedelta()) -> ColumnElement[datetime]:
        """
        Return SQL for the database's clock, `after` later (or earlier).

        One clock for all machines: leases and claims compare with nothing else.
        """
        if self._clock is not None:
            return literal(self._clock().astimezone(UTC) + after, _INSTANT)
        if not self._is_sqlite:
            return func.clock_timestamp(type_=_INSTANT) + after
        # Text with six digits, like the instants that it is compared with.
        shift = f"{after.total_seconds():+.3f} seconds"
        stamp = func.strftime("%Y-%m-%d %H:%M:%f000", "now", shift)
        return type_coerce(stamp, _INSTANT)

    def insert(self, table: type) -> Insert:
        """Return an INSERT that knows ON CONFLICT, in this database's dialect."""
        if self._is_sqlite:
            return sqlite.insert(table)
        return postgresql.insert(table)

    def among(
        self, column: InstrumentedAttribute[Any], values: Sequence[object]
    ) -> ColumnElement[bool]:
        """
        Return SQL: the column has one of the values.

        PostgreSQL is given one array: over 500 single values it took 5 times as long.
        """
        if self._is_sqlite:
            return column.in_(values)
        return column == any_(literal(values, postgresql.ARRAY(column.type)))

    def grew(self, table: str, rows: int) -> None:
        """
        Count rows written in bulk; now and then refresh the planner's statistics.

        Without them both databases believe that a community has a handful of rows,
        and read all of it for each page: measured, 200 times slower. Each time at
        double the rows, so that it costs some milliseconds 10 times in all
        (PostgreSQL: 0.1 s).
        """
        written, limit = self._growth.get(table, (0, _FIRST_ANALYZE))
        self._growth[table] = (written + rows, limit)
        if written + rows >= limit:
            self._growth[table] = (0, limit * 2)
            with self.write() as connection:
                connection.exec_driver_sql(f'ANALYZE "{table}"')
            if self._is_sqlite:
                # A connection reads the statistics when it is opened, and never again.
                self._reader.dispose()

    def shrank(self, table: str) -> None:
        """The table was emptied: its next rows change everything again."""
        self._growth.pop(table, None)

    def upgrade(self) -> None:
        """
        Bring the tables up to date; several processes may do so at once.

        All steps run in one transaction under one lock: whoever waited finds nothing
        left to do.
        """
        if self._is_sqlite:
            folder = Path(str(self.url.database)).parent
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.write() as connection:
            if not self._is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                lock = func.pg_advisory_xact_lock(_MIGRATION_LOCK)
                connection.execute(lock.select())
            command.upgrade(migration_config(connection), "head")

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


def migration_config(connection: Connection) -> Config:
    """Point Alembic at the installed migrations and at `connection`."""
    config = Config()
    scripts = str(importlib.resources.files("migrations"))
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _checked(text_url: str) -> URL:
    """Raise ConfigurationError unless this is a database the worker can use."""
    try:
        url = make_url(text_url)
    except ArgumentError:
        raise _wrong("give a URL such as sqlite:////var/lib/sync/state.db") from None
    backend = url.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _wrong("only sqlite and postgresql are supported")
    if url.database in {None, "", ":memory:"}:
        raise _wrong("SQLite needs a file: processes share the state")
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise _wrong(
            f"Python's SQLite is {sqlite3.sqlite_version}, 3.35 is needed; "
            "use a newer Python or PostgreSQL"
        )
    return url


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError([f"SYNC_DATABASE_URL: {problem}"])


def _postgresql_engine(url: URL, threads: int, *, read_only: bool) -> Engine:
    options = _POSTGRESQL_OPTIONS
    if read_only:
        options += " -c default_transaction_read_only=on"
    return create_engine(
        url,
        pool_size=threads,
        max_overflow=threads,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "options": options,
            "connect_timeout": 10,
            "application_name": "aurora-sync",
        },
    )


def _sqlite_engine(url: URL, threads: int, *, read_only: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=threads,
        max_overflow=threads,
        # The connection used last has the warm cache.
        pool_use_lifo=True,
        # An error's text would else carry the row's values into the log.
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _open_reader if read_only else _open_writer)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: _begin(connection, begin))
    return engine


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _open_reader(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """The driver begins no transactions of its own: its way loses updates."""
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")


def _open_writer(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """As for a reader; WAL lets readers go on while one connection writes."""
    connection.isolation_level = None
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # 16 MiB, for the indexes of a large community; 2 MiB halved the speed of writes.
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    # More than any list of values: with less, SQLite takes the community's whole table
    # for smaller than 500 searches in an index (40 us a row, against 4).
    connection.execute("PRAGMA analysis_limit = 10000")


def _switch_to_wal(connection: DBAPIConnection) -> None:
    """
    Switch the file to WAL, once in its life.

    SQLite does not wait for its busy timeout here: processes that open a new file at
    once must try again themselves.
    """
    deadline = clock.monotonic() + BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if clock.monotonic() > deadline:
                raise
            time.sleep(0.01)
