"""The tick: claims what is due, takes over what died, sends again what was lost."""

from __future__ import annotations

from worker.app import app
from worker.queue import TICK_TASK, record_tick
from worker.tasks.base import SyncTask
from worker.tasks.process import process


@app.task(name=TICK_TASK, base=SyncTask)  # type: ignore[untyped-decorator]  # Celery ships no types
def tick() -> None:
    """Start what the database says is due; several ticks at once do no harm."""
    process.services().sync.tick()
    record_tick(app.settings.home)
