"""Batches: what was sent to the crm together, for recovery after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, text, update

import models
from worker import clock
from worker.domain.state import Batch, BatchPurpose, BatchState
from worker.store.rows import columns

if TYPE_CHECKING:
    from worker.database import Database

_COLUMNS = columns(models.Batch, Batch)
# Written as in the index: the planners do not match bound values with it.
_UNFINISHED = text("batches.state IN ('open', 'uploaded')")


class Batches:
    """Every batch, from the intention to its recorded outcome."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self,
        community: str,
        stream: str,
        run_id: str,
        purpose: BatchPurpose,
        object_name: str,
        rows: int,
    ) -> int:
        """Record that rows are about to be sent; return the number of the batch."""
        row = {
            "community": community,
            "stream": stream,
            "run_id": run_id,
            "purpose": purpose,
            "object": object_name,
            "rows": rows,
            "state": BatchState.OPEN,
            "created_at": clock.now(),
        }
        statement = insert(models.Batch).returning(models.Batch.id)
        with self._database.write() as connection:
            return connection.execute(statement, row).scalar_one()

    def uploaded(self, batch_id: int, job_id: str) -> None:
        """The crm has the rows and works on them as `job_id`."""
        self._change(batch_id, state=BatchState.UPLOADED, job_id=job_id)

    def done(self, batch_id: int) -> None:
        """Every outcome is recorded."""
        self._change(batch_id, state=BatchState.DONE, finished_at=clock.now())

    def aborted(self, batch_id: int) -> None:
        """Given up; what it held is sent again by a later run."""
        self._change(batch_id, state=BatchState.ABORTED, finished_at=clock.now())

    def get(self, batch_id: int) -> Batch | None:
        query = select(*_COLUMNS).where(models.Batch.id == batch_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return Batch(*row) if row else None

    def unfinished(self, community: str, stream: str) -> list[Batch]:
        """Return the batches whose outcome is not recorded, the oldest first."""
        query = (
            select(*_COLUMNS)
            .where(
                models.Batch.community == community,
                models.Batch.stream == stream,
                _UNFINISHED,
            )
            .order_by(models.Batch.id)
        )
        with self._database.read() as connection:
            return [Batch(*row) for row in connection.execute(query)]

    def _change(self, batch_id: int, **values: object) -> None:
        statement = (
            update(models.Batch).where(models.Batch.id == batch_id).values(**values)
        )
        with self._database.write() as connection:
            connection.execute(statement)
