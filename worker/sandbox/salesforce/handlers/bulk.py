"""Bulk API 2.0 over HTTP: ingest jobs and query jobs."""

import base64
import binascii

from worker.sandbox.salesforce.bulk import export, ingest
from worker.sandbox.salesforce.bulk.jobs import (
    FINAL,
    IngestJob,
    Job,
    QueryJob,
    State,
    refuse_state,
)
from worker.sandbox.salesforce.bulk.sheets import DELIMITERS, LINE_ENDINGS, Dialect
from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.schema import ObjectType
from worker.sandbox.salesforce.writes import Caller

OPERATIONS = frozenset({"insert", "update", "upsert", "delete"})
_DEFAULT_PAGE = 50_000


# Ingest


def create_ingest(call: Call) -> Answer:
    body = call.json_object()
    of = _type(call, body)
    operation = str(body.get("operation", ""))
    if operation == "hardDelete":
        raise RequestRefused(
            "FEATURENOTENABLED",
            "hardDelete operation requires special user profile permission, please "
            "contact your system administrator",
        )
    if operation not in OPERATIONS:
        raise RequestRefused(
            "INVALIDJOB", f"InvalidJob : unknown operation {operation}"
        )
    if body.get("contentType", "CSV") != "CSV":
        raise RequestRefused("INVALIDJOB", "InvalidJob : contentType must be CSV")
    job = IngestJob(
        call.services.jobs.next_id(),
        of,
        operation,
        _caller(call, body),
        call.version,
        _dialect(body),
        call.services.org.clock.stamp(),
        key=_key(call, of, operation, body.get("externalIdFieldName")),
        assignment_rule=_text(body.get("assignmentRuleId")),
    )
    call.services.jobs.add(job)
    return Answer(200, job.info())


def _type(call: Call, body: dict[str, object]) -> ObjectType:
    org = call.services.org
    name = str(body.get("object", ""))
    of = org.types.get(name.lower())
    if of is None or not org.access.of(call.user_id, of).read:
        raise RequestRefused(
            "INVALIDJOB", f"InvalidJob : Unable to find object: {name}"
        )
    return of


def _caller(call: Call, body: dict[str, object]) -> Caller:
    # Bulk runs an assignment rule only when the job names one.
    assigns = body.get("assignmentRuleId") is not None
    return Caller(call.user_id, allow_duplicates=False, auto_assign=assigns)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _dialect(body: dict[str, object]) -> Dialect:
    delimiter = str(body.get("columnDelimiter") or "COMMA")
    ending = str(body.get("lineEnding") or "LF")
    if delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
        raise RequestRefused(
            "INVALIDJOB", "InvalidJob : unknown columnDelimiter or lineEnding"
        )
    return Dialect(delimiter, ending)


def _key(call: Call, of: ObjectType, operation: str, name: object) -> str | None:
    if operation != "upsert":
        return None
    if not name:
        raise RequestRefused(
            "INVALIDJOB", "InvalidJob : External ID was blank for upsert"
        )
    field = of.field(str(name))
    rights = call.services.org.access.of(call.user_id, of)
    if (
        field is None
        or not rights.sees(field)
        or not (field.external_id or field.id_lookup)
    ):
        raise RequestRefused(
            "INVALIDJOB",
            f"InvalidJob : Field name provided, {name} does not match an External ID, "
            f"Salesforce Id, or indexed field for {of.name}",
        )
    return field.name


def upload(call: Call) -> Answer:
    """Take the one upload of an open job."""
    job = call.services.jobs.ingest(call.params["id"])
    if job.state is not State.OPEN:
        raise refuse_state(job, "Uploading")
    if job.data is not None:
        raise RequestRefused(
            "INVALIDJOBSTATE",
            f"Found multiple contents for job: {job.id}, please 'Close' / 'Abort' / "
            "'Delete' the current Job then create a new Job and make sure you only do "
            "'PUT' once on a given Job.",
        )
    if not call.header("content-type").lower().startswith("text/csv"):
        raise RequestRefused(
            "INVALIDJOB", "InvalidJob : Content-Type must be text/csv", status=415
        )
    job.data = call.body
    return Answer(201)


def change_ingest(call: Call) -> Answer:
    """Close a job for its rows to be worked off, or abort it."""
    job = call.services.jobs.ingest(call.params["id"])
    wanted = call.json_object().get("state")
    stamp = call.services.org.clock.stamp()
    if wanted == State.UPLOAD_COMPLETE:
        if job.state is not State.OPEN or job.data is None:
            raise refuse_state(job, "Closing")
        job.move(State.UPLOAD_COMPLETE, stamp)
        call.services.start(ingest.work(call.services.org, job))
    elif wanted == State.ABORTED:
        _abort(call, job)
    else:
        raise RequestRefused("INVALIDJOBSTATE", f"Unknown state: {wanted}")
    return Answer(200, job.info())


def _abort(call: Call, job: Job) -> None:
    if job.state in FINAL:
        raise refuse_state(job, "Aborting")
    job.move(State.ABORTED, call.services.org.clock.stamp())


def poll_ingest(call: Call) -> Answer:
    return Answer(200, call.services.jobs.ingest(call.params["id"]).progress())


def list_ingest(call: Call) -> Answer:
    return _listing(call, ingest=True)


def _listing(call: Call, *, ingest: bool) -> Answer:
    records = call.services.jobs.listing(ingest=ingest)
    return Answer(200, {"done": True, "nextRecordsUrl": None, "records": records})


def delete_ingest(call: Call) -> Answer:
    return _delete(call, call.services.jobs.ingest(call.params["id"]))


def _delete(call: Call, job: Job) -> Answer:
    if job.state in (State.IN_PROGRESS, State.UPLOAD_COMPLETE):
        raise refuse_state(job, "Deleting")
    call.services.jobs.drop(job)
    return Answer(204)


def successful_results(call: Call) -> Answer:
    job = _finished(call)
    return _sheet(call, job, ["sf__Id", "sf__Created", *job.header], job.successes)


def failed_results(call: Call) -> Answer:
    job = _finished(call)
    return _sheet(call, job, ["sf__Id", "sf__Error", *job.header], job.failures)


def unprocessed_records(call: Call) -> Answer:
    job = _finished(call)
    return _sheet(call, job, job.header, job.unprocessed)


def _finished(call: Call) -> IngestJob:
    job = call.services.jobs.ingest(call.params["id"])
    if job.state not in FINAL:
        raise refuse_state(job, "Reading results")
    return job


def _sheet(call: Call, job: IngestJob, header: list[str], lines: list[bytes]) -> Answer:
    head = job.dialect.line(header).encode() if header else b""
    return Answer(200, b"".join([head, *lines]), _media(call))


def _media(call: Call) -> str:
    faults = call.services.org.faults
    bare = faults.strike(("csv_without_charset",), call.method, call.path)
    return "text/csv" if bare else "text/csv; charset=UTF-8"


# Query


def create_query(call: Call) -> Answer:
    body = call.json_object()
    operation = str(body.get("operation", ""))
    if operation not in ("query", "queryAll"):
        raise RequestRefused(
            "INVALIDJOB", f"InvalidJob : unknown operation {operation}"
        )
    statement = str(body.get("query", ""))
    found = export.check(call.services.org, statement, call.user_id)
    stamp = call.services.org.clock.stamp()
    job = QueryJob(
        call.services.jobs.next_id(),
        found.of,
        operation,
        call.caller,
        call.version,
        _dialect(body),
        stamp,
        state=State.UPLOAD_COMPLETE,
        is_ingest=False,
        statement=statement,
    )
    call.services.jobs.add(job)
    call.services.start(export.work(call.services.org, job))
    return Answer(200, job.info())


def poll_query(call: Call) -> Answer:
    return Answer(200, call.services.jobs.query(call.params["id"]).progress())


def list_query(call: Call) -> Answer:
    return _listing(call, ingest=False)


def change_query(call: Call) -> Answer:
    job = call.services.jobs.query(call.params["id"])
    if call.json_object().get("state") != State.ABORTED:
        raise RequestRefused("INVALIDJOBSTATE", "A query job can only be Aborted")
    _abort(call, job)
    return Answer(200, job.info())


def delete_query(call: Call) -> Answer:
    return _delete(call, call.services.jobs.query(call.params["id"]))


def query_results(call: Call) -> Answer:
    """A page of the result; the locator header says `null` on the last one."""
    job = call.services.jobs.query(call.params["id"])
    if job.state is not State.COMPLETE:
        raise refuse_state(job, "Reading results")
    start = _offset(call.query.get("locator", ""))
    size = _page_size(call)
    lines = job.lines[start : start + size]
    more = start + size < len(job.lines)
    headers = {
        "Sforce-NumberOfRecords": str(len(lines)),
        "Sforce-Locator": _locator(start + size) if more else "null",
    }
    return Answer(200, "".join([job.header, *lines]), _media(call), headers)


def _page_size(call: Call) -> int:
    asked = call.query.get("maxRecords", "")
    return int(asked) if asked.isdigit() and int(asked) else _DEFAULT_PAGE


def _locator(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def _offset(locator: str) -> int:
    if not locator or locator == "null":
        return 0
    try:
        padded = locator + "=" * (-len(locator) % 4)
        return int(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError):
        raise RequestRefused("INVALIDLOCATOR", "invalid locator") from None
