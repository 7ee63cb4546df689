"""The timeline of each record: what was decided and done, when, by which run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

import models
from worker.domain.state import Event
from worker.store.rows import columns, slices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from worker.database import Database

_COLUMNS = columns(models.Event, Event)


class Events:
    """Timelines; no personal data gets in, and age takes all of it out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Iterable[Event]) -> None:
        for part in slices(rows, 1000):
            with self._database.write() as connection:
                connection.execute(
                    insert(models.Event), [event._asdict() for event in part]
                )

    def of(self, community: str, record_key: str, limit: int = 100) -> list[Event]:
        """Return the record's latest events, the latest first."""
        query = (
            select(*_COLUMNS)
            .where(
                models.Event.community == community,
                models.Event.record_key == record_key,
            )
            .order_by(models.Event.at.desc(), models.Event.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Event(*row) for row in connection.execute(query)]

    def prune(self, before: datetime, limit: int = 10_000) -> int:
        """
        Delete at most `limit` events older than `before`; return how many went.

        A part at a time, so that no other writer waits for long.
        """
        oldest = (
            select(models.Event.id)
            .where(models.Event.at < before)
            .order_by(models.Event.at)
            .limit(limit)
        )
        statement = delete(models.Event).where(models.Event.id.in_(oldest))
        with self._database.write() as connection:
            return connection.execute(statement).rowcount
