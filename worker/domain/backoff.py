"""How long to wait before another attempt."""

from __future__ import annotations

from datetime import timedelta

FIRST = timedelta(seconds=30)
LONGEST = timedelta(hours=1)
# After this many attempts a failure waits for a person.
ATTEMPTS = 8


def wait_after(
    attempts: int, spread: float, asked: timedelta | None = None
) -> timedelta:
    """
    Return the pause before the next attempt: doubling, with jitter, never shorter
    than what the remote asked for. `spread` is a random number from 0 to 1.
    """
    doublings = min(max(attempts, 1) - 1, 10)
    doubled = FIRST * float(1 << doublings)
    jittered = min(doubled, LONGEST) * (0.75 + 0.5 * spread)
    return max(jittered, asked or timedelta())
