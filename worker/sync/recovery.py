"""
Settles the batches that a dead run left behind, before anything newer is written: a
job still under way in the org could else overwrite newer values with older ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker import logs
from worker.domain.mapping import COMMUNITY_USER_KEY
from worker.domain.state import Batch, BatchPurpose
from worker.errors import RecordGone, StopRun
from worker.sync.push import job_outcome

if TYPE_CHECKING:
    from worker.sync.context import RunContext
    from worker.sync.member_pages import MemberPages

log = logs.logger(__name__)


def settle_leftovers(ctx: RunContext, pages: MemberPages) -> None:
    """Wait for or abort every unfinished batch of the stream, and record it."""
    for batch in ctx.store.batches.unfinished(ctx.community, ctx.stream):
        outcome = _settle(ctx, pages, batch) if batch.job_id else "never_sent"
        if outcome != "done":
            ctx.store.batches.aborted(batch.id)
        log.info("batch.recovered", batch=batch.id, outcome=outcome)


def _settle(ctx: RunContext, pages: MemberPages, batch: Batch) -> str:
    ingest = ctx.salesforce.ingest
    job_id = batch.job_id or ""
    try:
        info = ingest.status(job_id)
        if info.state == "Open":
            # Never closed, so no row was touched; its members are read again.
            ingest.abort(job_id)
            return "aborted"
        if not info.is_finished:
            info = ingest.wait(job_id, ctx.keeper.check)
        if batch.purpose is not BatchPurpose.MEMBERS:
            # Contacts stay due and are compared anew: a repeated write is the same.
            return "finished"
        outcome = job_outcome(ctx, batch.id, info, COMMUNITY_USER_KEY)
        pages.settle(outcome, creating=True)
    except RecordGone:
        return "gone"
    except StopRun as error:
        log.warning("batch.job_failed", batch=batch.id, code=error.code)
        return "job_failed"
    ctx.store.batches.done(batch.id)
    return "done"
