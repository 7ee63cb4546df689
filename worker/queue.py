"""
Sends the messages that wake workers. A message carries ids only and may be lost or
repeated: the database says what is to be done, and the tick sends again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

from worker.app import app
from worker.logs import logger

if TYPE_CHECKING:
    from pathlib import Path

log = logger(__name__)

RUN_TASK = "members.run"
TICK_TASK = "streams.tick"


class Queue(StrEnum):
    """
    Queues by how soon somebody waits for them.

    interactive: the tick and what a person looks at; bulk: runs of streams.
    """

    INTERACTIVE = "interactive"
    BULK = "bulk"


def send_run(run_id: str) -> None:
    """
    Wake a worker for a queued run; call it only after the run's row is committed.

    Never raises for a broker that is away: the tick sends again what nobody took up.
    """
    try:
        app.send_task(RUN_TASK, args=[run_id])
    except OperationalError:
        log.warning("message.deferred", task=RUN_TASK, run_id=run_id)


def record_tick(home: Path) -> None:
    """Leave the sign of life that `last_tick_at` reads."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / "last-tick").touch()


def last_tick_at(home: Path) -> datetime | None:
    """Return when a worker of this home last finished a tick; None if never."""
    try:
        return datetime.fromtimestamp((home / "last-tick").stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
