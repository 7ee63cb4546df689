"""Folders for job files: one a run, private, gone with it or swept after its death."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME = "spool-"


@contextmanager
def folder(home: Path, run_id: str) -> Iterator[Path]:
    """Make a folder that only this user may read; it goes when the run ends."""
    home.mkdir(parents=True, exist_ok=True)
    # mkdtemp's folders are readable by their owner alone: the rows are personal data.
    made = Path(tempfile.mkdtemp(prefix=f"{_NAME}{run_id}-", dir=home))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(home: Path, is_at_work: Callable[[str], bool]) -> None:
    """Remove the folders of runs that were killed; those at work keep theirs."""
    for left in home.glob(f"{_NAME}*"):
        if not is_at_work(left.name.removeprefix(_NAME).partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
