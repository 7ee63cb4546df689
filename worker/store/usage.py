"""The ledger of remote calls: per day, remote and stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

import models
from worker.domain.state import CallCount

if TYPE_CHECKING:
    from datetime import date

    from worker.database import Database
    from worker.domain.records import Side


class ApiUsage:
    """What each stream spent of the remotes' daily calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, community: str, day: date, remote: Side, stream: str, calls: int
    ) -> None:
        """Add to what is in the ledger; adding nothing writes nothing."""
        if calls == 0:
            return
        statement = self._database.insert(models.ApiUsage)
        total = models.ApiUsage.calls + statement.excluded.calls
        statement = statement.on_conflict_do_update(
            index_elements=["community", "day", "remote", "stream"],
            set_={"calls": total},
        )
        row = {
            "community": community,
            "day": day,
            "remote": remote,
            "stream": stream,
            "calls": calls,
        }
        with self._database.write() as connection:
            connection.execute(statement, row)

    def of_day(self, community: str, day: date) -> list[CallCount]:
        query = (
            select(
                models.ApiUsage.remote, models.ApiUsage.stream, models.ApiUsage.calls
            )
            .where(models.ApiUsage.community == community, models.ApiUsage.day == day)
            .order_by(models.ApiUsage.remote, models.ApiUsage.stream)
        )
        with self._database.read() as connection:
            return [CallCount(*row) for row in connection.execute(query)]
