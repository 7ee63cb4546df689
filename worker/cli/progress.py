"""The progress bar of a run: on stderr, and only where somebody looks at it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.domain.report import Progress


@contextmanager
def shown(title: str, *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield what takes each Progress; it does nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield _nobody
        return
    bar = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[outcomes]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
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
