"""Turns refused rows into failures: the reason, the next attempt, the outcome."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from worker import clock
from worker.domain.backoff import ATTEMPTS, wait_after
from worker.domain.report import Outcome
from worker.domain.state import Event, ParkedRecord
from worker.errors import RecordGone, RemoteError, RetryLater, StopRun
from worker.salesforce.responses import UNPROCESSED, family_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from worker.domain.records import RowResult
    from worker.sync.context import RunContext


def park_refused(
    ctx: RunContext, refused: Sequence[tuple[str, RowResult]]
) -> StopRun | None:
    """
    Park each (record key, result), count it as deferred or failed.

    Returns the error that ends the run when a row says that nothing further can
    succeed; the caller raises it once everything is recorded.
    """
    parked, stop = [], None
    for record_key, result in refused:
        code = result.code or ""
        family = family_of(code, result.detail)
        if issubclass(family, StopRun):
            stop = family(
                "salesforce",
                "write",
                code=code,
                fields=result.fields,
                detail="the org refuses every such row; `aurora-sync doctor` names "
                "what is missing",
            )
        again = _next_try(ctx, record_key, code, family)
        ctx.count(Outcome.DEFERRED if again else Outcome.FAILED)
        parked.append(
            ParkedRecord(
                ctx.community,
                ctx.stream,
                record_key,
                reason=code,
                fields=result.fields,
                run_id=ctx.run.id,
                next_try_at=again,
            )
        )
    park(ctx, parked)
    return stop


def park(ctx: RunContext, records: Sequence[ParkedRecord]) -> None:
    """Store failures and their line in each record's timeline."""
    if not records:
        return
    ctx.store.failures.park(records)
    now = clock.now()
    ctx.store.events.add(
        [
            Event(
                ctx.community,
                record.record_key,
                now,
                "record.parked",
                ctx.run.id,
                {"reason": record.reason, "fields": list(record.fields)},
            )
            for record in records
        ]
    )


def _next_try(
    ctx: RunContext, record_key: str, code: str, family: type[RemoteError]
) -> datetime | None:
    """Return when to try again by itself; None leaves it to a person."""
    if code != UNPROCESSED and not issubclass(family, RetryLater | RecordGone):
        return None
    attempts = ctx.attempts.get(record_key, 0) + 1
    if attempts >= ATTEMPTS:
        return None
    wait = wait_after(attempts, random.random())  # noqa: S311 -- jitter, not a secret
    return clock.now() + wait
