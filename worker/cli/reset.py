"""`aurora-sync reset`: removes the community's members from Salesforce."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import here, screen
from worker.cli.exits import Exit, fail
from worker.cli.opening import opened
from worker.cli.sync import complain, tell
from worker.domain.records import Stream  # noqa: TC001 -- typer reads the annotation
from worker.domain.state import RunKind, RunState

if TYPE_CHECKING:
    from worker.bootstrap import Services
    from worker.domain.report import RunReport

# What a reset's dry run counts, in the words of the question.
_COUNTED = {
    "records_to_delete": "Community User records will be deleted",
    "contacts_to_clear": "Contacts lose our fields and their link",
    "contacts_to_delete": "Contacts that only this worker ever wrote will be deleted",
}


def reset(
    stream: Annotated[Stream, typer.Argument(help="Which records to remove.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the counts, remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    contacts: Annotated[
        bool,
        typer.Option(
            "--contacts", help="Also Contacts we created and nobody else changed."
        ),
    ] = False,
    as_json: screen.AsJson = False,
) -> None:
    """Remove the community's members from Salesforce; shows the counts and asks."""
    if as_json and not (yes or dry_run):
        fail("--json cannot ask: add --yes or --dry-run", Exit.WRONG_USE)
    with opened() as svc:
        counted = _run(svc, stream, contacts=contacts, dry_run=True)
        report = counted
        if not as_json:
            _show(counted)
        if counted.state == RunState.SUCCEEDED and not dry_run:
            if not (yes or _agreed()):
                fail("nothing was removed", Exit.SOME_FAILED)
            report = _run(svc, stream, contacts=contacts, dry_run=False, quiet=as_json)
        code = here.exit_of(report)
    _tell(report, counted, as_json=as_json)
    raise typer.Exit(code)


def _run(
    svc: Services, stream: Stream, *, contacts: bool, dry_run: bool, quiet: bool = True
) -> RunReport:
    options: dict[str, object] = {"contacts": contacts, "dry_run": dry_run}
    run = here.request(svc, stream, kind=RunKind.RESET, options=options)
    return here.perform(svc, run, title=f"reset {stream}", quiet=quiet)


def _show(report: RunReport) -> None:
    for name, words in _COUNTED.items():
        count: Any = report.extra.get(name, 0)
        print(f"{count:>10,} {words}")


def _tell(report: RunReport, counted: RunReport, *, as_json: bool) -> None:
    if not as_json:
        tell(report, as_json=False)
        return
    counts = {name: counted.extra.get(name, 0) for name in _COUNTED}
    screen.print_json({**here.contract(report), **counts})
    complain(report)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        fail("nobody to ask here: add --yes", Exit.WRONG_USE)
    return typer.confirm("Remove them?")
