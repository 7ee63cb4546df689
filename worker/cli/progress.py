"""The progress bar of a run: on stderr, and only where somebody looks at it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.domain.report import Progress

# Columns of a terminal in which the outcomes fit on the line, too.
ROOMY = 110


@contextmanager
def shown(title: str, *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield what takes each Progress; it does nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield _nobody
        return
    console = Console(file=sys.stderr)
    columns: list[ProgressColumn] = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    if console.width >= ROOMY:
        columns += [TimeRemainingColumn(), TextColumn("{task.fields[outcomes]}")]
    bar = Bar(*columns, console=console, transient=True)
    with bar:
        task = bar.add_task(title, total=None, outcomes="")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                description=f"{title}: {progress.phase}" if progress.phase else title,
                completed=progress.done,
                total=progress.total or None,
                outcomes=_outcomes(progress.counts),
            )

        yield show


def _nobody(_progress: Progress) -> None:
    """Take the progress of a run that nobody looks at."""


def _outcomes(counts: dict[str, int]) -> str:
    return " ".join(f"{word} {number:,}" for word, number in counts.items() if number)
