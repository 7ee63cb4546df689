"""Performs a run here and now: progress, Ctrl-C between two batches, the exit code."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from worker import clock, errors
from worker.cli.exits import Exit, exit_for_kind
from worker.cli.progress import shown
from worker.domain.report import Progress, RunReport
from worker.domain.state import Run, RunKind, RunState, RunTrigger
from worker.errors import AlreadyRunning
from worker.sync.report import ACTIVE, run_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.bootstrap import Services
    from worker.domain.records import Stream
    from worker.errors import WorkerError

# A run that another process took over is looked at this often.
LOOK_EVERY_S = 0.5


class Asked(TypedDict, total=False):
    """What a command may ask of a run; see `Engine.request`."""

    kind: RunKind
    full: bool | None
    force: bool
    options: dict[str, object]


def request(svc: Services, stream: Stream, **asked: Unpack[Asked]) -> Run:
    """
    Queue a run for this process to perform.

    Raises AlreadyRunning, and says before when the stream would be free if the
    process that holds it has died.
    """
    try:
        return svc.sync.request(stream, trigger=RunTrigger.CLI, **asked)
    except AlreadyRunning:
        held_until = svc.store.streams.status(svc.community, stream).lease_expires_at
        if held_until is not None:
            left_s = max(0, round((held_until - clock.now()).total_seconds()))
            print(
                f"if its process is gone, {stream} is free in {left_s} s",
                file=sys.stderr,
            )
        raise


def perform(svc: Services, run: Run, *, title: str, quiet: bool = False) -> RunReport:
    """
    Perform the run and return its report, also where another process took it over.

    Ctrl-C ends it between two batches: what is written stays, the next run goes on
    from there.
    """
    with _stoppable() as stop, shown(title, quiet=quiet) as show:
        while True:
            report = svc.sync.perform(run.id, on_progress=show, stop=stop.is_set)
            if report is not None:
                return report
            if stop.is_set():
                svc.store.runs.cancel(run.id, "interrupted")
            now = svc.store.runs.get(run.id)
            if now is None:
                raise LookupError(f"run {run.id} is gone")
            if now.state not in ACTIVE:
                return _report_of(now)
            _watch(now, show)


def _watch(run: Run, show: Callable[[Progress], None]) -> None:
    show(Progress(run.progress_done, run.progress_total, run.counts, "elsewhere"))
    time.sleep(LOOK_EVERY_S)


def _report_of(run: Run) -> RunReport:
    view = run_view(run, clock.now())
    return RunReport(
        run=run.id,
        stream=run.stream,
        kind=run.kind,
        state=run.state,
        counts=view.counts.model_dump(),
        calls=view.calls.model_dump(),
        seconds=view.seconds or 0.0,
        extra=run.extra,
        error=run.error_text or run.error_code,
    )


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Yield the flag that the first Ctrl-C sets; the second one ends the process."""
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[number])
        print("stopping after this batch …", file=sys.stderr)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def contract(report: RunReport) -> dict[str, Any]:
    """Return what `sync … --json` prints: these keys and no others."""
    return {
        "run": report.run,
        "stream": report.stream,
        "state": str(report.state),
        "counts": report.counts,
        "calls": {
            "salesforce": report.calls.get("salesforce", 0),
            "aurora": report.calls.get("aurora", 0),
        },
        "seconds": report.seconds,
    }


def exit_of(report: RunReport) -> Exit:
    """Return the exit code of a finished run."""
    if report.state == RunState.SUCCEEDED:
        return Exit.SOME_FAILED if report.counts.get("failed") else Exit.FINE
    if report.state == RunState.INTERRUPTED:
        # Its stream was taken over by another run.
        return Exit.ALREADY_RUNNING
    kind = kind_of(report)
    # Without a kind it was a person who stopped it.
    return exit_for_kind(kind) if kind else Exit.SOME_FAILED


def kind_of(report: RunReport) -> type[WorkerError] | None:
    """Return the class of the error that ended the run."""
    kind: type[WorkerError] | None = getattr(errors, report.error_kind or "", None)
    return kind
