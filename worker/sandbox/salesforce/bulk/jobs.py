"""The org's bulk jobs: their states, what may be done in which, what they report."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from worker.sandbox.salesforce.bulk.sheets import Dialect
from worker.sandbox.salesforce.clock import moment_of
from worker.sandbox.salesforce.errors import RequestRefused, not_found
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import ObjectType
from worker.sandbox.salesforce.writes import Caller

J = TypeVar("J", bound="Job")
_KEPT_FOR = timedelta(days=7)
_PREFIX = "750"


class State(StrEnum):
    """
    Where a job stands.

    OPEN takes its upload, UPLOAD_COMPLETE waits, IN_PROGRESS works; the others are
    final: COMPLETE (rows may have failed), FAILED (the job as a whole), ABORTED.
    """

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"


FINAL = frozenset({State.COMPLETE, State.FAILED, State.ABORTED})


@dataclass
class Job:
    """What ingest and query jobs have in common."""

    id: str
    of: ObjectType
    operation: str
    caller: Caller
    version: str
    dialect: Dialect
    created_at: str
    state: State = State.OPEN
    changed_at: str = ""
    error_message: str | None = None
    processed: int = 0
    spent_s: float = 0.0
    is_ingest: bool = True

    def move(self, state: State, stamp: str) -> None:
        self.state, self.changed_at = state, stamp

    def info(self) -> dict[str, object]:
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.of.name,
            "createdById": self.caller.user_id,
            "createdDate": self.created_at,
            "systemModstamp": self.changed_at or self.created_at,
            "state": self.state.value,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version.removeprefix("v")),
            "lineEnding": self.dialect.line_ending,
            "columnDelimiter": self.dialect.delimiter,
        }


@dataclass
class IngestJob(Job):
    """Rows to be written; results pile up as ready-made CSV."""

    key: str | None = None
    assignment_rule: str | None = None
    data: bytes | None = None
    failed: int = 0
    header: list[str] = field(default_factory=list)
    successes: list[bytes] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)
    unprocessed: list[bytes] = field(default_factory=list)

    def info(self) -> dict[str, object]:
        found = super().info() | {"jobType": "V2Ingest"}
        if self.key:
            found["externalIdFieldName"] = self.key
        if self.assignment_rule:
            found["assignmentRuleId"] = self.assignment_rule
        if self.state is State.OPEN:
            path = f"services/data/{self.version}/jobs/ingest/{self.id}/batches"
            found["contentUrl"] = path
        return found

    def progress(self) -> dict[str, object]:
        """The info with its figures, as polling sees it."""
        spent_ms = int(self.spent_s * 1000)
        found = self.info() | {
            "retries": 0,
            "totalProcessingTime": spent_ms,
            "apiActiveProcessingTime": spent_ms,
            "apexProcessingTime": 0,
            "numberRecordsProcessed": self.processed,
            "numberRecordsFailed": self.failed,
        }
        if self.error_message:
            found["errorMessage"] = self.error_message
        return found


@dataclass
class QueryJob(Job):
    """Rows to be read; the lines of the result are written once."""

    statement: str = ""
    header: str = ""
    lines: list[str] = field(default_factory=list)

    def info(self) -> dict[str, object]:
        return super().info() | {"jobType": "V2Query"}

    def progress(self) -> dict[str, object]:
        found = self.info() | {
            "retries": 0,
            "totalProcessingTime": int(self.spent_s * 1000),
            "numberRecordsProcessed": self.processed,
            "isPkChunkingSupported": True,
        }
        if self.error_message:
            found["errorMessage"] = self.error_message
        return found


class Jobs:
    """All jobs by id; final ones vanish after a week."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self._ingest: dict[str, IngestJob] = {}
        self._query: dict[str, QueryJob] = {}

    def next_id(self) -> str:
        return self.org.ids.next(_PREFIX)

    def add(self, job: IngestJob | QueryJob) -> None:
        if isinstance(job, IngestJob):
            self._ingest[job.id] = job
        else:
            self._query[job.id] = job

    def ingest(self, job_id: str) -> IngestJob:
        return self._live(self._ingest, job_id)

    def query(self, job_id: str) -> QueryJob:
        return self._live(self._query, job_id)

    def _live(self, jobs: dict[str, J], job_id: str) -> J:
        job = jobs.get(job_id) or next(
            (j for j in jobs.values() if j.id[:15] == job_id), None
        )
        if job is None or self._is_old(job):
            raise not_found()
        return job

    def _is_old(self, job: Job) -> bool:
        if job.state not in FINAL:
            return False
        age = self.org.clock.now() - moment_of(job.changed_at or job.created_at)
        return age > _KEPT_FOR

    def listing(self, *, ingest: bool) -> list[dict[str, object]]:
        jobs = self._ingest if ingest else self._query
        return [job.info() for job in jobs.values() if not self._is_old(job)]

    def drop(self, job: Job) -> None:
        self._ingest.pop(job.id, None)
        self._query.pop(job.id, None)


def is_final(job: Job) -> bool:
    return job.state in FINAL


def refuse_state(job: Job, deed: str) -> RequestRefused:
    return RequestRefused(
        "INVALIDJOBSTATE", f"{deed} is not possible for a job in state {job.state}"
    )


class Stopwatch:
    """Adds the time a block took to a job."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._job.spent_s += time.perf_counter() - self._started
