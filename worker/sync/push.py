"""
Sends rows of one object to the crm in batches, by Collections or Bulk as their number
asks, one batch at a time and in order, while the stream goes on gathering.
Knows nothing of what the rows mean.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, NamedTuple

from worker import logs
from worker.errors import RemoteUnavailable
from worker.salesforce.bulk import job_failure
from worker.salesforce.csvfile import CsvFile, Unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from worker.domain.records import RowResult
    from worker.domain.state import BatchPurpose
    from worker.salesforce.bulk import JobInfo
    from worker.salesforce.csvfile import Cell
    from worker.sync.context import RunContext

log = logs.logger(__name__)

# Batches under way besides the one being filled; more would only pile up on disk.
WAITING = 2
# A row that another transaction held is sent again this often within the batch.
LOCK_RETRIES = 2
LOCKED = "UNABLE_TO_LOCK_ROW"


class Target(NamedTuple):
    """
    What a push writes: an object, the field its rows are joined on, the columns.

    `operation` is "upsert" (by record id where the key field is "Id") or "delete".
    """

    object_name: str
    key_field: str
    columns: tuple[str, ...]
    purpose: BatchPurpose
    operation: Literal["upsert", "delete"] = "upsert"


class Settled(NamedTuple):
    """
    The outcome of a batch: every row that failed, and the ids of those created.

    Rows in neither are applied. `rows` counts all of them.
    """

    batch_id: int
    rows: int
    failed: list[RowResult]
    created: Iterable[RowResult]


class Push:
    """
    One target's batches. `on_settled` records an outcome, in the sending thread, and
    must be safe to repeat; what it raises ends the run at the next call here.
    `intents` gives what still records the intention to write the rows added so far:
    nothing is sent before that is done.
    """

    def __init__(
        self,
        ctx: RunContext,
        target: Target,
        on_settled: Callable[[Settled], None],
        intents: Callable[[], list[Future[None]]] = list,
    ) -> None:
        self._ctx = ctx
        self._target = target
        self._key_at = target.columns.index(target.key_field)
        self._on_settled = on_settled
        self._intents = intents
        self._rows: list[Sequence[Cell]] = []
        self._file: CsvFile | None = None
        self._batch_id: int | None = None
        self._under_way: deque[Future[None]] = deque()
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="push")
        self._abandoned = False
        self.sent = 0

    @property
    def batch_id(self) -> int:
        """The id of the batch being filled, for the intent recorded before sending."""
        if self._batch_id is None:
            ctx = self._ctx
            self._batch_id = ctx.store.batches.open(
                ctx.community,
                ctx.stream,
                run_id=ctx.run.id,
                purpose=self._target.purpose,
                object_name=self._target.object_name,
                rows=0,
            )
        return self._batch_id

    @property
    def waiting(self) -> int:
        return self._file.rows if self._file else len(self._rows)

    @property
    def is_full(self) -> bool:
        """Whether the batch should be sent before more rows are added."""
        if self._file and self._file.is_full:
            return True
        return self.waiting >= self._ctx.settings.salesforce.bulk_job_rows

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        self._reap(len(self._under_way))
        return not self.waiting and not self._under_way

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        if self._file is None:
            self._rows.extend(rows)
            if len(self._rows) < self._ctx.settings.salesforce.bulk_from_rows:
                return
            path = self._ctx.spool / f"{self._target.purpose}-{self.batch_id}.csv"
            self._file = CsvFile(path, self._target.columns)
            rows, self._rows = self._rows, []
        self._file.write_rows(rows)

    def flush(self, after: Callable[[], None] | None = None) -> None:
        """
        Send what waits, behind what is under way; `after` runs once it is recorded.

        Returns at once unless enough batches are under way already.
        """
        if not self.waiting:
            if after is not None:
                self._submit(after)
            return
        batch_id, rows, file = self.batch_id, self._rows, self._file
        count, intents = self.waiting, self._intents()
        self._rows, self._file, self._batch_id = [], None, None
        if file is not None:
            file.close()

        def send() -> None:
            try:
                for intent in intents:
                    intent.result()
                self._ctx.keeper.confirm()
                settled = (
                    self._bulk(batch_id, file)
                    if file is not None
                    else self._collections(batch_id, rows)
                )
                self._on_settled(settled)
                self._ctx.store.batches.done(batch_id)
            finally:
                if file is not None:
                    file.delete()
            self.sent += count
            if after is not None:
                after()

        self._submit(send)

    def finish(self) -> None:
        """Send what waits and return when every outcome is recorded."""
        self.flush()
        while self._under_way:
            self._under_way.popleft().result()

    def close(self) -> None:
        """Leave: what is not recorded stays pending and is settled by a later run."""
        self._abandoned = True
        self._sender.shutdown(wait=True, cancel_futures=True)
        if self._file is not None:
            self._file.close()
            self._file.delete()

    def _submit(self, work: Callable[[], None]) -> None:
        while len(self._under_way) >= WAITING:
            self._under_way.popleft().result()
        self._under_way.append(self._sender.submit(work))

    def _reap(self, most: int) -> None:
        for _ in range(most):
            if not self._under_way or not self._under_way[0].done():
                return
            self._under_way.popleft().result()

    def _heartbeat(self) -> None:
        if self._abandoned:
            raise RemoteUnavailable("salesforce", "bulk.wait", code="abandoned")
        self._ctx.keeper.check()

    def _collections(self, batch_id: int, rows: list[Sequence[Cell]]) -> Settled:
        target = self._target
        results = self._write(rows)
        for _ in range(LOCK_RETRIES):
            locked = [i for i, result in enumerate(results) if result.code == LOCKED]
            if not locked:
                break
            log.info("rows.locked", object=target.object_name, rows=len(locked))
            again = self._write([rows[i] for i in locked])
            for position, result in zip(locked, again, strict=True):
                results[position] = result
        failed = [result for result in results if not result.ok]
        created = [result for result in results if result.ok and result.created]
        return Settled(batch_id, len(rows), failed, created)

    def _write(self, rows: list[Sequence[Cell]]) -> list[RowResult]:
        target = self._target
        if target.operation == "delete":
            return self._ctx.salesforce.delete([str(row[0]) for row in rows])
        records = [
            {
                column: value
                for column, value in zip(target.columns, row, strict=True)
                if not isinstance(value, Unchanged)
            }
            for row in rows
        ]
        return self._ctx.salesforce.upsert(
            target.object_name, target.key_field, records
        )

    def _bulk(self, batch_id: int, file: CsvFile) -> Settled:
        ingest = self._ctx.salesforce.ingest
        target = self._target
        by_id = target.key_field == "Id"
        job_id = ingest.create(
            target.object_name,
            "update" if by_id and target.operation == "upsert" else target.operation,
            None if by_id else target.key_field,
        )
        # Recorded before the upload: a run after a crash must find the job, wait for
        # it, and only then write newer values.
        self._ctx.store.batches.uploaded(batch_id, job_id)
        ingest.upload(job_id, file.path)
        ingest.close(job_id)
        info = ingest.wait(job_id, self._heartbeat)
        return job_outcome(self._ctx, batch_id, info, target.key_field)


def job_outcome(
    ctx: RunContext, batch_id: int, info: JobInfo, key_column: str
) -> Settled:
    """
    Read what became of a finished job's rows; the ids of those created are read as
    they are asked for. Raises what the job's failure means when it did no row.
    """
    ingest = ctx.salesforce.ingest
    if info.state != "JobComplete" and not info.processed:
        raise job_failure(info)
    failed = list(ingest.failed(info.id, key_column)) if info.failed else []
    if info.state != "JobComplete":
        failed += ingest.unprocessed(info.id, key_column)
    created = (r for r in ingest.successful(info.id, key_column) if r.created)
    return Settled(batch_id, info.processed, failed, created)
