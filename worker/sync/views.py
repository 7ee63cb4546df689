"""
The shapes in which state is told to scripts: the JSON of the command line and of the
admin endpoint is these models and nothing else. A key once shipped stays.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from worker.domain.state import (
    ConnectionStatus,
    ContactLink,
    FailureState,
    MemberState,
    RunKind,
    RunState,
    RunTrigger,
)


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime, PlainSerializer(_utc, return_type=str, when_used="json-unless-none")
]


class View(BaseModel):
    """A shape that is only ever written out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class CountsView(View):
    """Records by outcome; `worker.domain.report.Outcome` explains the words."""

    applied: int = 0
    unchanged: int = 0
    skipped: int = 0
    deferred: int = 0
    failed: int = 0


class CallsView(View):
    """Remote calls by side; Salesforce's count towards the org's daily allowance."""

    salesforce: int = 0
    aurora: int = 0


class ProgressView(View):
    """Where a run stands; `total` is an estimate until the end."""

    done: int
    total: int


class RunView(View):
    """One execution of a stream. `seconds` grows while it is running."""

    run: str
    community: str
    stream: str
    kind: RunKind
    trigger: RunTrigger
    state: RunState
    full: bool
    requested_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    heartbeat_at: Instant | None
    seconds: float | None
    progress: ProgressView
    counts: CountsView
    calls: CallsView
    extra: dict[str, Any] = Field(default_factory=dict)
    error_code: str | None
    error: str | None


class RunsView(View):
    """Newest first; `before` is what to ask with for the next page, null at the end."""

    runs: list[RunView]
    before: str | None


class BacklogView(View):
    """What waits: parked records, and members whose slow fields have not had a turn."""

    failures: int
    failures_by_reason: dict[str, int]
    slow_fields: int


class MembersView(View):
    """The community's members as the worker knows them, and how many are linked."""

    known: int
    by_state: dict[str, int]
    linked: int


class StreamView(View):
    """One stream. `running` is the run that holds it now; null when it is free."""

    stream: str
    enabled: bool
    interval_minutes: int
    running: RunView | None
    last_run: RunView | None
    last_success_at: Instant | None
    last_full_at: Instant | None
    next_sync_at: Instant | None
    backlog: BacklogView
    members: MembersView


class SpentView(View):
    """Calls of one stream today (UTC), by side."""

    stream: str
    calls: CallsView


class OrgUsageView(View):
    """The org's daily calls by everybody, as the newest run saw them."""

    used: int
    allowed: int
    seen_at: Instant


class UsageView(View):
    day: date
    by_stream: list[SpentView]
    org: OrgUsageView | None


class CommunityView(View):
    """One community: its connection, its streams, its calls."""

    community: str
    base_url: str
    connection: ConnectionStatus
    connection_reason: str
    streams: list[StreamView]
    usage: UsageView


class StatusView(View):
    """What goes on, in every community."""

    at: Instant
    last_tick_at: Instant | None
    communities: list[CommunityView]


class FailureView(View):
    """
    A parked record. `candidates` are the Contacts of an ambiguous match;
    `waits_for` says whose turn it is.
    """

    id: int
    community: str
    stream: str
    record: str
    reason: str
    fields: list[str]
    detail: str
    attempts: int
    state: FailureState
    resolution: str | None
    first_failed_at: Instant
    last_failed_at: Instant
    next_try_at: Instant | None
    waits_for: Literal["person", "next_try", "nothing"]
    candidates: list[str]
    run: str | None


class FailuresView(View):
    """`after` is what to ask with for the next page; null at the end."""

    failures: list[FailureView]
    open: int
    after: int | None


class EventView(View):
    at: Instant
    what: str
    run: str | None
    detail: dict[str, Any]


class LinkView(View):
    """What the worker remembers of a member: ids and states, no personal data."""

    member_id: int
    community_user_id: str | None
    contact_id: str | None
    contact_link: ContactLink
    state: MemberState
    last_visit_at: Instant | None
    written: bool
    slow_fields_wait: bool


class RecordView(View):
    """Why a record is, or is not, in step; events newest first."""

    community: str
    record: str
    verdict: str
    link: LinkView | None
    failure: FailureView | None
    events: list[EventView]
