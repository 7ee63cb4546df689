"""
The lease of a stream: who works on it, until when, under which fence. Every write of
a run shows its fence here first, inside the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, or_, select, update

import models
from worker.errors import LeaseLost

if TYPE_CHECKING:
    from datetime import datetime


def lost(operation: str, detail: str = "another run has taken over") -> LeaseLost:
    return LeaseLost(service="store", operation=operation, detail=detail)


def is_free(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """SQL: nobody holds the stream, or not any more."""
    expiry = models.Stream.lease_expires_at
    return or_(expiry.is_(None), expiry <= now)


def hold(connection: Connection, run_id: str, fence: int, operation: str) -> None:
    """
    Lock the lease of `run_id` until this transaction ends.

    A lease that ran out still counts while nobody has taken it: the fence decides.
    Raises LeaseLost otherwise.
    """
    query = (
        select(models.Stream.stream)
        .where(
            models.Stream.run_id == run_id,
            models.Stream.fence == fence,
            models.Stream.lease_holder.is_not(None),
        )
        .with_for_update()
    )
    if connection.execute(query).first() is None:
        raise lost(operation)


def let_go(connection: Connection, run_id: str) -> None:
    """Free the stream that `run_id` holds."""
    connection.execute(
        update(models.Stream)
        .where(models.Stream.run_id == run_id)
        .values(lease_holder=None, lease_expires_at=None)
    )
