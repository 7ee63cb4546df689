"""`aurora-sync sync`: runs a stream here and now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import here, screen
from worker.cli.exits import cured
from worker.cli.opening import opened
from worker.domain.records import Stream  # noqa: TC001 -- typer reads the annotation
from worker.domain.state import RunKind

if TYPE_CHECKING:
    from worker.domain.report import RunReport


def sync(
    stream: Annotated[Stream, typer.Argument(help="Which records to bring over.")],
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything, not only what changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide everything, write nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on where the breaker stopped to ask.")
    ] = False,
    as_json: screen.AsJson = False,
) -> None:
    """Run a stream here and now, with a progress bar."""
    with opened() as svc:
        run = here.request(
            svc,
            stream,
            kind=RunKind.DRY_RUN if dry_run else RunKind.SYNC,
            full=full or None,
            force=force,
        )
        report = here.perform(svc, run, title=f"sync {stream}", quiet=as_json)
        code = here.exit_of(report)
    tell(report, as_json=as_json)
    raise typer.Exit(code)


def tell(report: RunReport, *, as_json: bool) -> None:
    """Print how a run ended; its error goes to stderr."""
    if as_json:
        screen.print_json(here.contract(report))
    else:
        _print(report)
    complain(report)


def complain(report: RunReport) -> None:
    """Say on stderr what ended the run, in one line with the way to its cure."""
    if not report.error:
        return
    kind = here.kind_of(report)
    service = report.error.partition(" ")[0]
    line = cured(report.error, kind, service) if kind else report.error
    print(f"error: {line}", file=sys.stderr)


def _print(report: RunReport) -> None:
    calls = here.contract(report)["calls"]
    print(
        f"{report.stream}: {report.kind} {report.state} in {report.seconds:.1f} s; "
        f"{calls['salesforce']:,} Salesforce calls, {calls['aurora']:,} community calls"
    )
    print(f"  {screen.counts_line(report.counts)}")
    for name, value in report.extra.items():
        # The org's own count is the status's to tell.
        if value and name != "org_calls":
            _print_extra(name.replace("_", " "), value)
    if report.counts.get("failed") and report.kind != RunKind.DRY_RUN:
        print("  see `aurora-sync failures`")


def _print_extra(name: str, value: Any) -> None:  # noqa: ANN401 -- a run's own JSON
    match value:
        case dict():
            print(f"  {name}: {_line(value)}")
        case list():
            print(f"  {name}:")
            for item in value:
                print(f"    {_line(item)}")
        case _:
            print(f"  {name}: {screen.cell(value)}")


def _line(item: Any) -> str:  # noqa: ANN401 -- a run's own JSON
    if isinstance(item, dict):
        told = {key.replace("_", " "): value for key, value in item.items()}
        return ", ".join(f"{key} {value}" for key, value in told.items() if value)
    return str(item)
