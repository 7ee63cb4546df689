"""
Tells what is going on, from the database alone: status, runs, failures and the
timeline of one record. Asks no remote, so that it answers while a remote is away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from worker.domain.records import Stream
from worker.domain.state import (
    ContactLink,
    FailureState,
    MemberState,
    RunState,
)
from worker.sync.views import (
    BacklogView,
    CallsView,
    CommunityView,
    CountsView,
    EventView,
    FailuresView,
    FailureView,
    LinkView,
    MembersView,
    OrgUsageView,
    ProgressView,
    RecordView,
    RunsView,
    RunView,
    SpentView,
    StatusView,
    StreamView,
    UsageView,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from worker.domain.state import (
        CallCount,
        Community,
        Event,
        Failure,
        MemberLink,
        Run,
        StreamStatus,
    )
    from worker.store import Store

ACTIVE = (RunState.QUEUED, RunState.RUNNING)
# What a bigint holds, and more members than there are people.
LONGEST_ID = 18


def status(store: Store, now: datetime) -> StatusView:
    """Return every community with its streams, backlog and calls of today."""
    return StatusView(
        at=now,
        last_tick_at=store.communities.last_tick_at(),
        communities=[_community(store, each, now) for each in store.communities.all()],
    )


def _community(store: Store, known: Community, now: datetime) -> CommunityView:
    streams = store.streams.statuses(known.community)
    spent = store.usage.of_day(known.community, now.date())
    runs = [stream.run for stream in streams if stream.run]
    return CommunityView(
        community=known.community,
        base_url=known.base_url,
        connection=known.connection_status,
        connection_reason=known.status_reason,
        streams=[_stream(store, each, now) for each in streams],
        usage=UsageView(day=now.date(), by_stream=_spent(spent), org=org_usage(runs)),
    )


def _stream(store: Store, known: StreamStatus, now: datetime) -> StreamView:
    run = known.run
    active = run is not None and run.state in ACTIVE
    last = run
    if active:
        finished = store.runs.recent(known.community, known.stream, limit=5)
        last = next((each for each in finished if each.state not in ACTIVE), None)
    by_state = store.members.count(known.community)
    parked = store.failures.count(known.community, known.stream)
    return StreamView(
        stream=known.stream,
        enabled=known.enabled,
        interval_minutes=int(known.interval.total_seconds() // 60),
        running=run_view(run, now) if run and active else None,
        last_run=run_view(last, now) if last else None,
        last_success_at=known.last_success_at,
        last_full_at=known.last_full_at,
        next_sync_at=known.due_at if known.enabled else None,
        backlog=BacklogView(
            failures=sum(parked.values()),
            failures_by_reason=parked,
            slow_fields=store.members.slow_waiting(known.community),
        ),
        members=MembersView(
            known=sum(by_state.values()),
            by_state={str(state): number for state, number in by_state.items()},
            linked=store.members.linked_count(known.community),
        ),
    )


def _spent(spent: Sequence[CallCount]) -> list[SpentView]:
    streams = sorted({each.stream for each in spent})
    return [
        SpentView(
            stream=stream,
            calls=CallsView(
                **{each.remote: each.calls for each in spent if each.stream == stream}
            ),
        )
        for stream in streams
    ]


def org_usage(runs: Sequence[Run]) -> OrgUsageView | None:
    """Return the org's daily calls as the newest of these runs saw them."""
    for run in sorted(runs, key=lambda run: run.requested_at, reverse=True):
        seen = run.extra.get("org_calls")
        at = run.finished_at or run.heartbeat_at
        if isinstance(seen, dict) and at is not None:
            return OrgUsageView(
                used=int(seen["used"]), allowed=int(seen["allowed"]), seen_at=at
            )
    return None


def run_view(run: Run, now: datetime) -> RunView:
    started, ended = run.started_at, run.finished_at
    lasted = (ended or now) - started if started else None
    counts, calls = CountsView.model_fields, CallsView.model_fields
    return RunView(
        run=run.id,
        community=run.community,
        stream=run.stream,
        kind=run.kind,
        trigger=run.trigger,
        state=run.state,
        full=run.full,
        requested_at=run.requested_at,
        started_at=started,
        finished_at=ended,
        heartbeat_at=run.heartbeat_at,
        seconds=round(lasted.total_seconds(), 3) if lasted is not None else None,
        progress=ProgressView(done=run.progress_done, total=run.progress_total),
        counts=CountsView(**{k: v for k, v in run.counts.items() if k in counts}),
        calls=CallsView(**{k: v for k, v in run.calls.items() if k in calls}),
        extra=run.extra,
        error_code=run.error_code,
        error=run.error_text,
    )


def runs(
    store: Store, community: str, now: datetime, *, limit: int, before: str | None
) -> RunsView:
    """Return the newest runs of every stream, a page at a time."""
    found = store.runs.recent(community, limit=limit, before=before)
    more = found[-1].id if len(found) == limit else None
    return RunsView(runs=[run_view(run, now) for run in found], before=more)


def failure_view(failure: Failure) -> FailureView:
    waits_for: Literal["next_try", "person", "nothing"] = "nothing"
    if failure.state is FailureState.OPEN:
        waits_for = "next_try" if failure.next_try_at else "person"
    return FailureView(
        id=failure.id,
        community=failure.community,
        stream=failure.stream,
        record=failure.record_key,
        reason=failure.reason,
        fields=list(failure.fields),
        detail=failure.detail,
        attempts=failure.attempts,
        state=failure.state,
        resolution=failure.resolution,
        first_failed_at=failure.first_failed_at,
        last_failed_at=failure.last_failed_at,
        next_try_at=failure.next_try_at,
        waits_for=waits_for,
        candidates=list(failure.candidates or ()),
        run=failure.run_id,
    )


class Wanted(NamedTuple):
    """Which failures a reader asks for, and from where on."""

    stream: str | None = None
    reason: str | None = None
    limit: int = 100
    after: int = 0


def failures(store: Store, community: str, wanted: Wanted) -> FailuresView:
    """Return the open failures, oldest first, a page at a time."""
    found = store.failures.open(
        community,
        stream=wanted.stream,
        reason=wanted.reason,
        limit=wanted.limit,
        after=wanted.after,
    )
    return FailuresView(
        failures=[failure_view(failure) for failure in found],
        open=sum(store.failures.count(community, wanted.stream).values()),
        after=found[-1].id if len(found) == wanted.limit else None,
    )


def record(store: Store, community: str, key: str, *, limit: int = 100) -> RecordView:
    """
    Return why one record is, or is not, in step.

    Raises ValueError for a key that is not `member:<number>`.
    """
    member_id = member_id_of(key)
    link = store.members.by_ids(community, [member_id]).get(member_id)
    failure = store.failures.of_record(community, Stream.MEMBERS, key)
    events = store.events.of(community, key, limit)
    return RecordView(
        community=community,
        record=key,
        verdict=verdict(link, failure),
        link=_link(link) if link else None,
        failure=failure_view(failure) if failure else None,
        events=[_event(event) for event in events],
    )


def member_id_of(key: str) -> int:
    kind, _, number = key.partition(":")
    plain = number.isascii() and number.isdigit() and len(number) <= LONGEST_ID
    if kind != "member" or not plain:
        raise ValueError(f"{key}: give a record as member:41, with the member's id")
    return int(number)


def _link(link: MemberLink) -> LinkView:
    return LinkView(
        member_id=link.member_id,
        community_user_id=link.community_user_id,
        contact_id=link.contact_id,
        contact_link=link.contact_link,
        state=link.state,
        last_visit_at=link.last_visit_at,
        written=link.fingerprint is not None,
        slow_fields_wait=link.slow_due_at is not None,
    )


def _event(event: Event) -> EventView:
    return EventView(
        at=event.at, what=event.what, run=event.run_id, detail=event.detail or {}
    )


_CONTACT = {
    ContactLink.NONE: "no Contact has its e-mail address",
    ContactLink.LINKED: "linked to the only Contact with its e-mail address",
    ContactLink.CREATED: "linked to the Contact that was created for it",
    ContactLink.AMBIGUOUS: "several Contacts have its e-mail address; choose one with "
    "`aurora-sync failures assign`",
    ContactLink.ASSIGNED: "linked to the Contact that a person chose",
    ContactLink.NO_EMAIL: "without a Contact, for it has no e-mail address",
}


def verdict(link: MemberLink | None, failure: Failure | None) -> str:
    """Say in one sentence whether the member is in step, and if not, why."""
    if failure is not None and (link is None or link.state is MemberState.FAILED):
        fields = f" ({', '.join(failure.fields)})" if failure.fields else ""
        turn = "is tried again by itself" if failure.next_try_at else "waits for you"
        return f"Not in step: {failure.reason}{fields}; it {turn}."
    if link is None:
        return "Not seen yet: no run has met this member."
    if link.fingerprint is None:
        return "Being written: the run under way, or the next one, settles it."
    gone = "Marked as deleted" if link.state is MemberState.DELETED else "In step"
    slow = "; roles and rating wait for their turn" if link.slow_due_at else ""
    return f"{gone}: {_CONTACT[link.contact_link]}{slow}."
