"""
Bulk API 2.0: ingest jobs and query jobs with our own polling, and their results.
Knows the life of a job; knows nothing of objects.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable  # noqa: TC003 -- a dataclass field's type
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote

import requests

from worker import clock
from worker.domain.records import RowResult
from worker.errors import (
    ContractBroken,
    RemoteError,
    RemoteUnavailable,
    RetryLater,
)
from worker.salesforce import csvfile, payloads, responses
from worker.salesforce.payloads import SERVICE, JobAnswer
from worker.salesforce.wire import Call
from worker.salesforce.writes import write_headers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from requests import Response

Operation = Literal["insert", "update", "upsert", "delete"]
FINISHED = frozenset({"JobComplete", "Failed", "Aborted"})
# A broken poll says nothing of the job, which goes on; so many in a row do.
BROKEN_POLLS = 3
# Downloads are kept in memory up to this size, beyond it on disk.
IN_MEMORY = 4_000_000
CHUNK = 256 * 1024
# Rows of one page of a query's results: about 10 MB of ids and addresses.
RESULT_ROWS = 100_000


class JobInfo(NamedTuple):
    """
    What the org last said of a job. Failed and Aborted are states like others.

    A JobComplete job may have failed rows. `error` is the org's reason for Failed.
    """

    id: str
    state: str
    processed: int
    failed: int
    error: str

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED


@dataclass(frozen=True)
class Polling:
    """How a job is waited for: fast at first, then at a pace that spares calls."""

    first: timedelta = timedelta(seconds=0.5)
    factor: float = 2.0
    longest: timedelta = timedelta(seconds=10)
    deadline: timedelta = timedelta(minutes=30)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def pauses(self) -> Iterator[float]:
        pause = self.first.total_seconds()
        while True:
            yield pause
            pause = min(pause * self.factor, self.longest.total_seconds())


class _Jobs:
    """What ingest and query jobs have in common."""

    def __init__(
        self, send: Callable[[Call], Response], polling: Polling, root: str
    ) -> None:
        self._send = send
        self._polling = polling
        self._root = root

    def status(self, job_id: str) -> JobInfo:
        """Ask for a job; RecordGone where the org has forgotten it (7 days)."""
        operation = f"poll {self._root}"
        answer = self._send(Call("GET", f"{self._root}/{job_id}", operation))
        return _info(payloads.decode(JobAnswer, answer.content, operation))

    def wait(self, job_id: str, heartbeat: Callable[[], None]) -> JobInfo:
        """
        Poll until the job is finished, calling `heartbeat` before each pause.

        Raises RemoteUnavailable with the job's id after the deadline; the job lives
        on, and waiting for it again is safe.
        """
        until = clock.monotonic() + self._polling.deadline.total_seconds()
        broken = 0
        for pause in self._polling.pauses():
            try:
                info = self.status(job_id)
            except RetryLater:
                broken += 1
                if broken >= BROKEN_POLLS:
                    raise
            else:
                broken = 0
                if info.is_finished:
                    return info
            if clock.monotonic() + pause > until:
                break
            heartbeat()
            self._polling.sleep(pause)
        raise RemoteUnavailable(
            SERVICE, f"wait {self._root}", detail=f"job {job_id} is not finished yet"
        )

    def abort(self, job_id: str) -> None:
        self._set_state(job_id, "Aborted")

    def _set_state(self, job_id: str, state: str) -> JobInfo:
        operation = f"set {self._root} {state}"
        body = payloads.job_state_body(state)
        path = f"{self._root}/{job_id}"
        answer = self._send(Call("PATCH", path, operation, body))
        return _info(payloads.decode(JobAnswer, answer.content, operation))

    @contextmanager
    def _download(self, path: str) -> Iterator[tuple[IO[bytes], Mapping[str, str]]]:
        """
        Fetch a result file whole, then hand it out: a cut in the middle is repeated
        before any row has been seen, and no connection waits for a slow reader.
        """
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            headers = self._fetch(path, file)
            file.seek(0)
            yield file, headers

    def _fetch(self, path: str, file: IO[bytes]) -> Mapping[str, str]:
        operation = f"results {self._root}"
        attempts = BROKEN_POLLS
        while True:
            answer = self._send(Call("GET", path, operation, stream=True))
            try:
                with answer:
                    for chunk in answer.iter_content(CHUNK):
                        file.write(chunk)
            except requests.RequestException as error:
                attempts -= 1
                if not attempts:
                    raise responses.unreachable(operation, error) from None
                file.seek(0)
                file.truncate()
            else:
                return answer.headers


# https://developer.salesforce.com/docs/platform/api-asynch/guide/get-job-info.html
class BulkIngest(_Jobs):
    """
    Ingest jobs. Every step is a call of its own, so that a run which dies in between
    can take a job up again by its id. One file a job. Results carry the values of the
    key column, for the org keeps no order.
    """

    def __init__(
        self, send: Callable[[Call], Response], polling: Polling | None = None
    ) -> None:
        super().__init__(send, polling or Polling(), "jobs/ingest")

    def create(
        self,
        object_name: str,
        operation: Operation,
        key_field: str | None = None,
    ) -> str:
        """Open a job and return its id; `key_field` is for upserts alone."""
        name = f"bulk {operation} {object_name}"
        body = payloads.job_body(object_name, operation, key_field)
        headers = write_headers(object_name)
        call = Call("POST", self._root, name, body, headers, object_name)
        return payloads.decode(JobAnswer, self._send(call).content, name).id

    def upload(self, job_id: str, data: Path | IO[bytes]) -> None:
        """Send the job's file, as it streams; a job takes one upload only."""
        if isinstance(data, Path):
            with data.open("rb") as file:
                self.upload(job_id, file)
            return
        path = f"{self._root}/{job_id}/batches"
        kind = {"Content-Type": "text/csv; charset=UTF-8"}
        self._send(Call("PUT", path, "bulk upload", data, kind))

    def close(self, job_id: str) -> None:
        """Say that the file is whole, and so begin the work."""
        self._set_state(job_id, "UploadComplete")

    def successful(self, job_id: str, key_column: str) -> Iterator[RowResult]:
        """Yield the rows that were saved, in the org's own order."""
        names = (key_column, "sf__Id", "sf__Created")
        for key, record_id, created in self._rows(job_id, "successfulResults", names):
            yield RowResult(key, record_id or None, created == "true")

    def failed(self, job_id: str, key_column: str) -> Iterator[RowResult]:
        """Yield the rows that were refused, each with its code."""
        names = (key_column, "sf__Id", "sf__Error")
        for key, record_id, error in self._rows(job_id, "failedResults", names):
            code, message, fields = parse_error(error)
            yield payloads.refused_row(key, code, message, fields, record_id or None)

    def unprocessed(self, job_id: str, key_column: str) -> Iterator[RowResult]:
        """Yield the rows that a failed or aborted job never came to."""
        for (key,) in self._rows(job_id, "unprocessedrecords", (key_column,)):
            yield payloads.refused_row(key, responses.UNPROCESSED, "")

    def _rows(
        self, job_id: str, kind: str, names: Sequence[str]
    ) -> Iterator[tuple[str, ...]]:
        """Yield the named cells of each row of a result file."""
        path = f"{self._root}/{job_id}/{kind}"
        with self._download(path) as (file, _), closing(csvfile.read(file)) as rows:
            header = next(rows, None)
            # The org sends an empty file where there is no row of this kind.
            if not header:
                return
            missing = [name for name in names if name not in header]
            if missing:
                raise ContractBroken(
                    SERVICE, f"results {kind}", detail=f"no column {missing[0]}"
                )
            places = [header.index(name) for name in names]
            for row in rows:
                yield tuple([row[place] for place in places])


class BulkQuery(_Jobs):
    """Query jobs: for results too large for pages of 2,000."""

    def __init__(
        self, send: Callable[[Call], Response], polling: Polling | None = None
    ) -> None:
        super().__init__(send, polling or Polling(), "jobs/query")

    def rows(
        self,
        query: str,
        columns: Sequence[str],
        *,
        subject: str,
        heartbeat: Callable[[], None] = lambda: None,
    ) -> Iterator[list[str]]:
        """
        Run `query`, which selects `columns`, and yield its rows in no order.

        An empty cell is null. Costs a call to create, one a poll and one per 100,000
        rows.
        """
        operation = f"bulk query {subject}"
        body = payloads.query_job_body(query)
        answer = self._send(Call("POST", self._root, operation, body, subject=subject))
        job_id = payloads.decode(JobAnswer, answer.content, operation).id
        info = self.wait(job_id, heartbeat)
        if info.state != "JobComplete":
            detail = f"job {job_id} ended as {info.state}"
            raise RemoteUnavailable(SERVICE, operation, detail=detail)
        locator: str | None = ""
        seen = set()
        while locator is not None:
            locator = yield from self._page(job_id, locator, columns, operation)
            if locator in seen:
                raise ContractBroken(SERVICE, operation, detail="a locator came twice")
            seen.add(locator)

    def _page(
        self, job_id: str, locator: str, columns: Sequence[str], operation: str
    ) -> Generator[list[str], None, str | None]:
        """Yield one page of results; return the locator of the next, if any."""
        path = f"{self._root}/{job_id}/results?maxRecords={RESULT_ROWS}"
        path += f"&locator={quote(locator, safe='')}" if locator else ""
        count = 0
        with (
            self._download(path) as (file, headers),
            closing(csvfile.read(file)) as rows,
        ):
            if next(rows, []) not in ([], list(columns)):
                raise ContractBroken(SERVICE, operation, detail="unknown columns")
            for row in rows:
                count += 1
                yield row
        # A file cut between two rows looks whole to csv.
        if str(count) != headers.get("Sforce-NumberOfRecords", str(count)):
            raise RemoteUnavailable(SERVICE, operation, detail="rows are missing")
        following = headers.get("Sforce-Locator", "null")
        return None if following in {"null", ""} else following


def _info(answer: JobAnswer) -> JobInfo:
    return JobInfo(
        id=answer.id,
        state=answer.state,
        processed=answer.number_records_processed,
        failed=answer.number_records_failed,
        error=payloads.safe_detail("", answer.error_message or ""),
    )


def job_failure(info: JobInfo) -> RemoteError:
    """Return the error that a job which did not complete means; its code is kept."""
    operation = f"bulk job {info.id}"
    code, _, text = info.error.partition(" : ")
    # A column that the org lacks or hides fails the job before its first row.
    if code == "InvalidBatch" and text.startswith("Field name not found"):
        name = text.rpartition(" : ")[2]
        return responses.package_missing(operation, code, name)
    family = ContractBroken if info.state == "Failed" else RemoteUnavailable
    return family(SERVICE, operation, code=code or info.state, detail=text)


def parse_error(text: str) -> tuple[str, str, tuple[str, ...]]:
    """
    Split `CODE:message:FIELD,FIELD --`, the form in which a result file tells errors.

    The message may hold colons; code and fields may not.
    """
    code, _, rest = text.partition(":")
    message, _, names = rest.removesuffix("--").rstrip().rpartition(":")
    if not message:
        message, names = names, ""
    fields = tuple(name.strip() for name in names.split(",") if name.strip())
    return code.strip(), message, fields
