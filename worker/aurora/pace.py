"""
How fast the community is asked: one token bucket that all threads of a client share.
Knows rates and waits; knows nothing of HTTP.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from worker import clock

if TYPE_CHECKING:
    from collections.abc import Callable

# The community publishes no quota; it answered 429 to about one call in seven at four
# a second. Half speed on a 429, back to full speed after some fifty good answers.
SLOWED = 0.5
RECOVERY = 0.01
SLOWEST = 1 / 16


class Pace:
    """
    Lets calls through at `per_second` on average, one second's worth at once at most.

    `monotonic` and `sleep` are given by tests.
    """

    def __init__(
        self,
        per_second: float,
        *,
        monotonic: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._full = per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rate = per_second
        self._stock = max(1.0, per_second)
        self._filled_at: float | None = None
        self._not_before = 0.0

    @property
    def per_second(self) -> float:
        return self._rate

    def wait(self) -> None:
        """Return when the next call may go; every caller gets a turn of its own."""
        with self._lock:
            delay = self._reserve(self._monotonic())
        if delay > 0:
            self._sleep(delay)

    def slow_down(self, pause: float) -> None:
        """Nobody goes for `pause` seconds; then all go at half the speed."""
        with self._lock:
            now = self._monotonic()
            self._refill(now)
            # Calls that were under way together fail together: that counts once.
            if now >= self._not_before:
                self._rate = max(self._rate * SLOWED, self._full * SLOWEST)
            self._stock = min(self._stock, 1.0)
            # Nothing is saved up while everybody waits: a burst would meet a 429 again.
            self._not_before = self._filled_at = max(self._not_before, now + pause)

    def recover(self) -> None:
        """An answer was good: a little faster again."""
        if self._rate < self._full:
            with self._lock:
                self._refill(self._monotonic())
                self._rate = min(self._full, self._rate + self._full * RECOVERY)

    def _reserve(self, now: float) -> float:
        start = max(now, self._not_before)
        self._refill(start)
        self._stock -= 1
        owed = -self._stock / self._rate if self._stock < 0 else 0.0
        return start - now + owed

    def _refill(self, now: float) -> None:
        since = now - self._filled_at if self._filled_at is not None else 0.0
        if since < 0:
            return
        self._stock = min(max(1.0, self._rate), self._stock + since * self._rate)
        self._filled_at = now
