"""
Writes many rows in one go, past SQLAlchemy's conversions of each value: measured on
the members' table, 3 times as fast on SQLite, 4 times on PostgreSQL. For the few
statements that a full pass repeats for every member; all others stay ordinary.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

Value: TypeAlias = str | int | bytes | datetime | None
BulkRow: TypeAlias = tuple[Value, ...]


class Bulk:
    """
    One statement over many rows, in both dialects.

    Each row is a tuple in the order of `columns`, which gives PostgreSQL's type of
    each. SQLite is handed row after row, PostgreSQL one array for each column: a
    statement of its own for each row would cost it a round of planning. No two rows
    of a call may have the same key.
    """

    def __init__(
        self, columns: Mapping[str, str], sqlite: str, postgresql: str
    ) -> None:
        self._sqlite = sqlite
        arrays = ", ".join(f"%b::{kind}[]" for kind in columns.values())
        self._postgresql = postgresql.replace(
            "{rows}", f"unnest({arrays}) AS new({', '.join(columns)})"
        )

    @classmethod
    def upsert(
        cls, table: str, key: tuple[str, ...], columns: Mapping[str, str], then: str
    ) -> Bulk:
        """INSERT; on a conflict with `key` UPDATE by `then`, which says `excluded`."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        into = f"INSERT INTO {table} ({names})"
        conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {then}"
        return cls(
            columns,
            f"{into} VALUES ({marks}) {conflict}",
            f"{into} SELECT {names} FROM {{rows}} {conflict}",  # noqa: S608 -- constants of this package only
        )

    @classmethod
    def update(
        cls,
        table: str,
        key: tuple[str, ...],
        columns: Mapping[str, str],
        set_: Mapping[str, str],
        only: str = "",
    ) -> Bulk:
        """
        UPDATE the rows with the same `key`, where `only` holds as well.

        `set_` and `only` name a row's values in braces: `batch_id = {batch}`.
        """
        # SQLite's numbered marks let a value stand anywhere, and more than once.
        marks = {name: f"?{place}" for place, name in enumerate(columns, start=1)}
        fields = {name: f"new.{name}" for name in columns}

        def filled(row: Mapping[str, str]) -> tuple[str, str]:
            same = [f"{table}.{name} = {row[name]}" for name in key]
            where = " AND ".join([*same, *([only.format(**row)] if only else [])])
            changes = [
                f"{name} = {value.format(**row)}" for name, value in set_.items()
            ]
            return ", ".join(changes), where

        (sqlite_set, sqlite_where), (new_set, new_where) = filled(marks), filled(fields)
        return cls(
            columns,
            f"UPDATE {table} SET {sqlite_set} WHERE {sqlite_where}",  # noqa: S608 -- constants of this package only
            f"UPDATE {table} SET {new_set} FROM {{rows}} WHERE {new_where}",  # noqa: S608 -- the same
        )

    def run(self, connection: Connection, rows: Iterable[BulkRow]) -> None:
        """Write the rows in the connection's transaction; none is fine."""
        values = list(rows)
        if not values:
            return
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(self._sqlite, values)
        else:
            arrays = tuple(list(column) for column in zip(*values, strict=True))
            connection.exec_driver_sql(self._postgresql, arrays)


def as_stored(connection: Connection, moment: datetime | None) -> str | datetime | None:
    """Return an aware instant as the columns keep it (see `models.base.Instant`)."""
    if moment is None or connection.dialect.name != "sqlite":
        return moment
    # Cut, because taking the zone away costs more than the text itself.
    return moment.astimezone(UTC).isoformat(" ", "microseconds")[:26]
