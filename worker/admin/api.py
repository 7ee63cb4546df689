"""The JSON API under `/api`: each endpoint asks one question or gives one order."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from worker import clock
from worker.admin.problems import Refused, answers
from worker.bootstrap import Services
from worker.domain.records import Stream
from worker.sync import features, parked, report
from worker.sync.views import (
    FailuresView,
    FailureView,
    RecordView,
    RunsView,
    RunView,
    StatusView,
)

router = APIRouter()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Svc = Annotated[Services, Depends(_services)]
Limit = Annotated[int, Query(ge=1, le=1000)]
# PostgreSQL's text has no place for NUL.
PLAIN = r"^[^\x00]*$"
RUN_ID = re.compile(r"[0-9a-f]{1,64}")
FailureId = Annotated[int, Path(ge=1, le=2**62)]


class Body(BaseModel):
    """A request's body; a key that is not known is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")


class RunOrder(Body):
    """`full` null lets the interval decide; `force` confirms a tripped breaker."""

    full: bool | None = None
    dry_run: bool = False
    force: bool = False


class ResetOrder(Body):
    """`contacts` also removes Contacts that only this worker ever wrote."""

    contacts: bool = False
    dry_run: bool = False


class Why(Body):
    why: str = Field(min_length=1, max_length=500, pattern=PLAIN)


class Choice(Body):
    contact_id: str = Field(min_length=15, max_length=18)


class Accepted(BaseModel):
    """The run that was queued; watch it at `/api/runs/{run}`."""

    run: str


class FeatureView(BaseModel):
    """Every feature setting with its value."""

    settings: dict[str, bool | int]


@router.get("/status")
def status(svc: Svc) -> StatusView:
    """What goes on: per stream the last run, the next sync, the backlog, the calls."""
    return report.status(svc.store, clock.now())


@router.post(
    "/streams/{stream}/runs", status_code=202, responses=answers(404, 409, 422)
)
def start_run(svc: Svc, stream: str, order: RunOrder | None = None) -> Accepted:
    """Queue a run of one stream."""
    if stream not in list(Stream):
        raise Refused(404, "unknown_stream", f"streams are {', '.join(Stream)}")
    order = order or RunOrder()
    run = svc.sync.request(
        stream,
        kind="dry_run" if order.dry_run else "sync",
        trigger="manual",
        full=order.full,
        force=order.force,
    )
    return Accepted(run=run.id)


@router.post("/members/reset", status_code=202, responses=answers(409, 422))
def reset_members(svc: Svc, order: ResetOrder | None = None) -> Accepted:
    """Queue the removal of the community's members from Salesforce."""
    order = order or ResetOrder()
    run = svc.sync.request(
        Stream.MEMBERS,
        kind="reset",
        trigger="reset",
        options={"contacts": order.contacts, "dry_run": order.dry_run},
    )
    return Accepted(run=run.id)


@router.get("/runs", responses=answers(422))
def runs(
    svc: Svc,
    limit: Limit = 50,
    before: Annotated[str | None, Query(pattern="^[0-9a-f]{1,64}$")] = None,
) -> RunsView:
    """Runs, the newest first; pass `before` on for the next page."""
    return report.runs(
        svc.store, svc.community, clock.now(), limit=limit, before=before
    )


@router.get("/runs/{run}", responses=answers(404))
def run(svc: Svc, run: str) -> RunView:
    """One run, with its progress while it is at work."""
    found = svc.store.runs.get(run) if RUN_ID.fullmatch(run) else None
    if found is None or found.community != svc.community:
        raise Refused(404, "not_found", "there is no such run")
    return report.run_view(found, clock.now())


@router.get("/settings")
def settings(svc: Svc) -> FeatureView:
    """The feature settings of the community."""
    current = features.current_settings(svc.store, svc.community)
    return FeatureView(settings=current.as_dict())


@router.put("/settings", responses=answers(422))
def change_settings(
    svc: Svc, changes: dict[str, StrictBool | StrictInt]
) -> FeatureView:
    """Change some settings, all or none; they count at once."""
    try:
        changed = features.change_settings(svc.store, svc.community, changes)
    except ValueError as problem:
        raise Refused(422, "invalid", str(problem)) from problem
    return FeatureView(settings=changed.as_dict())


class FailureQuery(BaseModel):
    """Which failures: of a stream, with a reason, after the last id of a page."""

    model_config = ConfigDict(extra="forbid")

    stream: str | None = Field(default=None, pattern=PLAIN)
    reason: str | None = Field(default=None, pattern=PLAIN)
    limit: int = Field(default=100, ge=1, le=1000)
    after: int = Field(default=0, ge=0, le=2**62)


@router.get("/failures", responses=answers(422))
def failures(svc: Svc, wanted: Annotated[FailureQuery, Query()]) -> FailuresView:
    """The open failures, the oldest first; pass `after` on for the next page."""
    return report.failures(
        svc.store, svc.community, report.Wanted(**wanted.model_dump())
    )


@router.post("/failures/{failure}/retry", responses=answers(404, 422))
def retry_failure(svc: Svc, failure: FailureId) -> FailureView:
    """Have the record tried again in the next run."""
    return _acted(svc, failure, "retry")


@router.post("/failures/{failure}/discard", responses=answers(404, 422))
def discard_failure(svc: Svc, failure: FailureId, reason: Why) -> FailureView:
    """Give the record up until its content changes."""
    return _acted(svc, failure, "discard", reason.why)


@router.post("/failures/{failure}/assign", responses=answers(404, 422))
def assign_failure(svc: Svc, failure: FailureId, choice: Choice) -> FailureView:
    """Choose the Contact of an ambiguous member; the choice is remembered."""
    return _acted(svc, failure, "assign", choice.contact_id)


_ACTS: dict[str, Any] = {
    "retry": parked.retry,
    "discard": parked.discard,
    "assign": parked.assign,
}


def _acted(
    svc: Services, failure: int, act: Literal["retry", "discard", "assign"], *how: str
) -> FailureView:
    try:
        _ACTS[act](svc.store, svc.community, failure, *how)
    except LookupError as problem:
        raise Refused(404, "not_found", str(problem.args[0])) from problem
    except ValueError as problem:
        raise Refused(422, "invalid", str(problem)) from problem
    found = svc.store.failures.get(failure)
    if found is None:
        raise Refused(404, "not_found", "the failure is gone")
    return report.failure_view(found)


@router.get("/records/{key}", responses=answers(422))
def record(svc: Svc, key: str, limit: Limit = 100) -> RecordView:
    """Why a record, such as `member:41`, is or is not in step, with its timeline."""
    try:
        return report.record(svc.store, svc.community, key, limit=limit)
    except ValueError as problem:
        raise Refused(422, "invalid", str(problem)) from problem
