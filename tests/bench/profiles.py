"""Own CPU time by function over all threads of a process, as a table in a file."""

from __future__ import annotations

import cProfile
import io
import pstats
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 25


@contextmanager
def profiled(path: str | None) -> Iterator[None]:
    """Profile the block and the threads it starts; None: do nothing."""
    if path is None:
        yield
        return
    made: list[cProfile.Profile] = []

    def begin(*_: Any) -> None:
        # The time a thread computes: what it waits for the others is not its own.
        profile = cProfile.Profile(time.thread_time)
        made.append(profile)
        profile.enable()

    threading.setprofile(begin)
    begin()
    try:
        yield
    finally:
        made[0].disable()
        threading.setprofile(None)  # type: ignore[arg-type]  # None is how it ends
        write(made, Path(path))


def write(made: list[cProfile.Profile], path: Path) -> None:
    text = io.StringIO()
    stats = pstats.Stats(made[0], stream=text)
    for profile in made[1:]:
        profile.disable()
        profile.create_stats()
        # A thread that called nothing has nothing to add.
        if profile.stats:  # type: ignore[attr-defined]  # made by create_stats
            stats.add(profile)
    stats.sort_stats("tottime").print_stats(LINES)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue())
