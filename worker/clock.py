"""The one place that asks the machine for the time; tests freeze it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 -- this is the clock


def monotonic() -> float:
    """Return seconds for measuring durations; never an instant."""
    return time.monotonic()
