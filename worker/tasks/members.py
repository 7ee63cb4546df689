"""Tasks of the members stream."""

from __future__ import annotations

from worker.app import app
from worker.queue import RUN_TASK
from worker.tasks.base import SyncTask
from worker.tasks.process import process


@app.task(name=RUN_TASK, base=SyncTask)  # type: ignore[untyped-decorator]  # Celery ships no types
def run_members(run_id: str) -> None:
    """Perform a queued run, or one slice of it; a repeated message does nothing."""
    process.services().sync.perform(run_id, stop=process.is_stopping)
