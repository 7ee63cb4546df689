"""The community's own clock and its time zone; instants are milliseconds UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Clock:
    """Runs with the machine's clock until it is set; then it stands still."""

    def __init__(self) -> None:
        self._shift_ms = 0
        self._standing_ms: int | None = None

    def now_ms(self) -> int:
        if self._standing_ms is not None:
            return self._standing_ms
        return time.time_ns() // 1_000_000 + self._shift_ms

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def set(self, moment: datetime | int) -> None:
        self._standing_ms = to_ms(moment)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, whether the clock stands or runs."""
        step = round(seconds * 1000)
        if self._standing_ms is None:
            self._shift_ms += step
        else:
            self._standing_ms += step

    def run(self) -> None:
        """Go with the machine's clock again."""
        self._standing_ms = None
        self._shift_ms = 0


def to_ms(moment: datetime | int) -> int:
    if isinstance(moment, int):
        return moment
    if moment.tzinfo is None:
        raise ValueError("give an aware datetime or milliseconds")
    return round(moment.timestamp() * 1000)


def from_ms(moment_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)


class Zone:
    """
    The community's zone as the vendor writes it: milliseconds and a numeric offset.

    Its rule is our own (a fixed offset, one hour more from the second Sunday of March
    to the first of November), because a bare machine may lack the zone database.
    """

    def __init__(self, offset_minutes: int = -210, *, daylight: bool = True) -> None:
        self._offset_ms = offset_minutes * MINUTE_MS
        self._daylight = daylight
        self._names = {
            hour: _offset_name(offset_minutes + 60 * hour) for hour in (0, 1)
        }

    def text(self, moment_ms: int) -> str:
        ahead = self._daylight and _in_daylight(moment_ms // DAY_MS)
        local = moment_ms + self._offset_ms + (HOUR_MS if ahead else 0)
        day, rest = divmod(local, DAY_MS)
        seconds, ms = divmod(rest, 1000)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        name = self._names[ahead]
        return f"{_date(day)}T{hour:02}:{minute:02}:{second:02}.{ms:03}{name}"


def _offset_name(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


@lru_cache(maxsize=32_768)
def _date(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()


@lru_cache(maxsize=32_768)
def _in_daylight(day: int) -> bool:
    date = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()
    start = _sunday(date.year, month=3, nth=2)
    end = _sunday(date.year, month=11, nth=1)
    return start <= (date.month, date.day) < end


def _sunday(year: int, *, month: int, nth: int) -> tuple[int, int]:
    first = datetime(year, month, 1, tzinfo=UTC).weekday()
    return month, 1 + (6 - first) % 7 + 7 * (nth - 1)
