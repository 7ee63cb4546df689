"""`status`, `runs`, `explain`: what is going on, from the database alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker import clock
from worker.cli import screen
from worker.cli.exits import Exit, fail
from worker.cli.opening import opened
from worker.sync import report
from worker.sync.views import CountsView

if TYPE_CHECKING:
    from datetime import datetime

    from worker.sync.views import CommunityView, RunView, StreamView

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


def status(*, as_json: screen.AsJson = False) -> None:
    """Show each stream's last run, next sync, backlog and calls."""
    now = clock.now()
    with opened() as svc:
        found = report.status(svc.store, now)
    if as_json:
        screen.print_json(found.as_json())
        return
    for community in found.communities:
        _show_community(community, now)
    tick = screen.ago(found.last_tick_at, now)
    print(f"Worker       last sign of life: {tick}")


def _show_community(community: CommunityView, now: datetime) -> None:
    why = f" ({community.connection_reason})" if community.connection_reason else ""
    print(f"Community    {community.community} at {community.base_url}")
    print(f"Connection   {community.connection}{why}")
    org = community.usage.org
    if org:
        print(f"Org calls    {org.used:,} of {org.allowed:,} today, by everybody")
    for spent in community.usage.by_stream:
        calls = spent.calls
        print(
            f"Our calls    {spent.stream}: {calls.salesforce:,} to Salesforce, "
            f"{calls.aurora:,} to the community today (UTC)"
        )
    for stream in community.streams:
        _show_stream(stream, now)


def _show_stream(stream: StreamView, now: datetime) -> None:
    members, backlog = stream.members, stream.backlog
    every = f"every {stream.interval_minutes} min" if stream.enabled else "switched off"
    print(f"\nStream       {stream.stream}, {every}")
    if stream.running:
        progress = stream.running.progress
        print(
            f"Running now  run {stream.running.run}, {stream.running.state}: "
            f"{progress.done:,} of {progress.total:,}"
        )
    if stream.last_run:
        print(f"Last run     {_run_line(stream.last_run, now)}")
    print(f"Last success {screen.ago(stream.last_success_at, now)}")
    if stream.next_sync_at:
        due = stream.next_sync_at <= now
        when = "due now" if due else screen.ago(stream.next_sync_at, now)
        print(f"Next sync    {when}")
    states = screen.counts_line(members.by_state)
    print(
        f"Members      {members.known:,} known"
        f"{f' ({states})' if states else ''}, {members.linked:,} linked to a Contact"
    )
    print(
        f"Waiting      {backlog.failures:,} failures, "
        f"{backlog.slow_fields:,} members' roles and ratings\n"
    )


def _run_line(run: RunView, now: datetime) -> str:
    when = screen.ago(run.finished_at or run.started_at or run.requested_at, now)
    counts = screen.counts_line(run.counts.model_dump())
    error = f"; {run.error}" if run.error else ""
    return f"{run.run} {run.state} {when}, {run.seconds or 0:.1f} s: {counts}{error}"


def runs(
    *,
    limit: Limit = 20,
    before: Annotated[
        str | None, typer.Option(help="Only runs older than this run's id.")
    ] = None,
    as_json: screen.AsJson = False,
) -> None:
    """List the newest runs."""
    now = clock.now()
    with opened() as svc:
        found = report.runs(svc.store, svc.community, now, limit=limit, before=before)
    if as_json:
        screen.print_json(found.as_json())
        return
    columns = ("RUN", "STREAM", "KIND", "STATE", "WHEN", "SECONDS")
    rows = (
        (
            run.run,
            run.stream,
            f"{run.kind}{' full' if run.full else ''}",
            run.state,
            screen.ago(run.requested_at, now),
            run.seconds,
            *run.counts.model_dump().values(),
            run.calls.salesforce,
            run.calls.aurora,
            run.error_code,
        )
        for run in found.runs
    )
    outcomes = (word.upper() for word in CountsView.model_fields)
    titles = (*columns, *outcomes, "SF CALLS", "AU CALLS", "ERROR")
    screen.table("", titles, rows)


def explain(
    record: Annotated[str, typer.Argument(help="The record, such as member:41.")],
    *,
    limit: Limit = 50,
    as_json: screen.AsJson = False,
) -> None:
    """Say why a record is, or is not, in step, with its timeline."""
    now = clock.now()
    with opened() as svc:
        try:
            found = report.record(svc.store, svc.community, record, limit=limit)
        except ValueError as problem:
            fail(str(problem), Exit.WRONG_USE)
    if as_json:
        screen.print_json(found.as_json())
        return
    print(f"{found.record}: {found.verdict}")
    if found.link:
        for name, value in found.link.as_json().items():
            print(f"  {name:<18}{screen.cell(value)}")
    if found.failure:
        print(f"  failure {found.failure.id}: {found.failure.detail}")
        for candidate in found.failure.candidates:
            print(f"    candidate {candidate}")
    rows = (
        (
            screen.ago(event.at, now),
            event.what,
            event.run,
            ", ".join(f"{name}={value}" for name, value in event.detail.items()),
        )
        for event in found.events
    )
    screen.table("Timeline, newest first", ("WHEN", "WHAT", "RUN", "DETAIL"), rows)
