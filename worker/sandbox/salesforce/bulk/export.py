"""Works off a query job: the rows are found at once, their lines written in chunks."""

import asyncio

from worker.sandbox.salesforce.bulk.jobs import QueryJob, State, Stopwatch, is_final
from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.soql.run import Found, run
from worker.sandbox.salesforce.soql.shape import cell
from worker.sandbox.salesforce.soql.syntax import Path

_CHUNK = 2_000


def check(org: Org, statement: str, user_id: str | None) -> Found:
    """Refuse a statement that bulk queries do not take."""
    found = run(org, f"{statement}", user_id=user_id)
    if not all(isinstance(item, Path) for item in found.query.items):
        raise RequestRefused(
            "API_ERROR", "Aggregate Relationships not supported in Bulk Query"
        )
    if found.query.offset:
        raise RequestRefused("API_ERROR", "OFFSET is not supported in Bulk Query")
    return found


async def work(org: Org, job: QueryJob) -> None:
    """Run the statement and write its lines."""
    await asyncio.sleep(0)
    with org.lock, Stopwatch(job):
        if job.state is not State.UPLOAD_COMPLETE:
            return
        job.move(State.IN_PROGRESS, org.clock.stamp())
        found = run(
            org,
            job.statement,
            user_id=job.caller.user_id,
            deleted=job.operation == "queryAll",
        )
        columns = found.shape.columns if found.shape else []
        job.header = job.dialect.line([name for name, _, _ in columns])
    readers = [read for _, read, _ in columns]
    for start in range(0, len(found.rows), _CHUNK):
        await asyncio.sleep(0)
        with org.lock, Stopwatch(job):
            if is_final(job):
                return
            chunk = found.rows[start : start + _CHUNK]
            job.lines += [
                job.dialect.line([cell(read(row)) for read in readers]) for row in chunk
            ]
            job.processed = len(job.lines)
    with org.lock:
        job.move(State.COMPLETE, org.clock.stamp())
