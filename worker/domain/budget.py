"""The daily API calls of the org, divided by what matters most."""

from __future__ import annotations

from worker.domain.records import Stream, Usage

# Share of the worker's own budget at which each stream stops, the least urgent first.
SHARES: dict[Stream, float] = {Stream.MEMBERS: 0.85}


def calls_left(usage: Usage | None, stream: Stream, budget_percent: int) -> int | None:
    """
    Return how many calls the stream may still make today; None when unknown.

    The org's whole usage counts, not ours alone: the other callers must not starve.
    """
    if usage is None:
        return None
    allowed = usage.allowed * budget_percent / 100 * SHARES[stream]
    return max(0, int(allowed) - usage.used)
