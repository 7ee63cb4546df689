"""How a full pass splits the ids, and how far each part has durably come."""

from __future__ import annotations

import itertools
from typing import NamedTuple


class IdRange(NamedTuple):
    """Member ids `low`..`high` inclusive; everything below `next_id` is done."""

    low: int
    high: int
    next_id: int

    @property
    def finished(self) -> bool:
        return self.next_id > self.high

    def done_to(self, member_id: int) -> IdRange:
        return self._replace(next_id=max(self.next_id, member_id + 1))


def split(low: int, high: int, parts: int) -> list[IdRange]:
    """Split `low`..`high` into at most `parts` ranges of nearly equal width."""
    if high < low:
        return []
    parts = min(parts, high - low + 1)
    bounds = [low + (high - low + 1) * part // parts for part in range(parts + 1)]
    return [
        IdRange(first, following - 1, first)
        for first, following in itertools.pairwise(bounds)
    ]


def as_json(ranges: list[IdRange]) -> list[list[int]]:
    return [list(part) for part in ranges]


def from_json(stored: object) -> list[IdRange]:
    """Read back `as_json`. Raises ValueError on anything else."""
    if not isinstance(stored, list):
        raise ValueError("ranges: not a list")  # noqa: TRY004 -- one error type
    return [IdRange(*(int(number) for number in part)) for part in stored]
