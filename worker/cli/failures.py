"""`aurora-sync failures`: the parked records and what a person does about them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from worker import clock
from worker.cli import screen
from worker.cli.exits import Commands, Exit, fail
from worker.cli.opening import opened
from worker.sync import parked, report

if TYPE_CHECKING:
    from collections.abc import Iterator

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]

app = typer.Typer(
    cls=Commands,
    help="List the parked records; try again, give up, or choose a Contact.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def failures(context: typer.Context, *, as_json: screen.AsJson = False) -> None:
    """List the parked records; try again, give up, or choose a Contact."""
    if context.invoked_subcommand is None:
        list_failures(as_json=as_json)


@app.command("list")
def list_failures(
    *,
    stream: Annotated[str | None, typer.Option(help="Only of this stream.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    limit: Limit = 100,
    after: Annotated[int, typer.Option(min=0, help="Only failures after this id.")] = 0,
    as_json: screen.AsJson = False,
) -> None:
    """List the parked records, oldest first."""
    now = clock.now()
    with opened() as svc:
        found = report.failures(
            svc.store,
            svc.community,
            report.Wanted(stream=stream, reason=reason, limit=limit, after=after),
        )
    if as_json:
        screen.print_json(found.as_json())
        return
    rows = (
        (
            failure.id,
            failure.record,
            failure.reason,
            ", ".join(failure.fields),
            failure.detail,
            failure.attempts,
            screen.ago(failure.last_failed_at, now),
            screen.ago(failure.next_try_at, now) if failure.next_try_at else "you",
        )
        for failure in found.failures
    )
    titles = ("ID", "RECORD", "REASON", "FIELDS", "DETAIL", "TRIES", "LAST", "NEXT TRY")
    screen.table("", titles, rows)
    if found.open > len(found.failures):
        print(f"{found.open:,} open in all; see --limit and --after")


FailureId = Annotated[int, typer.Argument(help="The failure's id, from the list.")]


@app.command("retry")
def retry(failure: FailureId, *, as_json: screen.AsJson = False) -> None:
    """Try a parked record again in the next run."""
    with opened() as svc, refusals():
        parked.retry(svc.store, svc.community, failure)
    told(failure, "is tried again in the next run", as_json=as_json)


@app.command("discard")
def discard(
    failure: FailureId,
    *,
    why: Annotated[str, typer.Option("--why", help="The reason, for the next reader.")],
    as_json: screen.AsJson = False,
) -> None:
    """Give a parked record up."""
    with opened() as svc, refusals():
        parked.discard(svc.store, svc.community, failure, why)
    told(failure, "is given up", as_json=as_json)


@app.command("assign")
def assign(
    failure: FailureId,
    contact_id: Annotated[str, typer.Argument(help="The Contact's id, 15 or 18.")],
    *,
    as_json: screen.AsJson = False,
) -> None:
    """Choose the Contact of an ambiguous member; the choice is remembered."""
    with opened() as svc, refusals():
        parked.assign(svc.store, svc.community, failure, contact_id)
    told(failure, "goes to that Contact in the next run", as_json=as_json)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what cannot be done with a failure into wrong use."""
    try:
        yield
    except (LookupError, ValueError) as problem:
        fail(str(problem.args[0]), Exit.WRONG_USE)


def told(failure: int, what: str, *, as_json: bool) -> None:
    if as_json:
        screen.print_json({"failure": failure, "done": what})
    else:
        print(f"failure {failure} {what}")
