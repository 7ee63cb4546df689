"""What a run tells: counts of outcomes, progress on the way, the report at the end."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- read at run time by NamedTuple
from enum import StrEnum
from threading import Lock
from typing import NamedTuple


class Outcome(StrEnum):
    """
    What happened to one record.

    applied: written on the other side; unchanged: nothing to write; skipped: left
    out by a rule or setting; deferred: waits for its next attempt; failed: parked.
    """

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    FAILED = "failed"


class Counts:
    """Counts per outcome of one run; every branch of a stream ends in one of them."""

    def __init__(self, start: Mapping[str, int] | None = None) -> None:
        # A batch is counted by the thread that sends, a page by the one that reads.
        self._turn = Lock()
        self._of = {outcome.value: 0 for outcome in Outcome}
        self._of.update(start or {})

    def add(self, outcome: Outcome, records: int = 1) -> None:
        with self._turn:
            self._of[outcome.value] += records

    def as_dict(self) -> dict[str, int]:
        return dict(self._of)

    def of(self, outcome: Outcome) -> int:
        return self._of[outcome.value]


class Progress(NamedTuple):
    """Where a run stands; `total` is an estimate until the phase ends."""

    done: int
    total: int
    counts: dict[str, int]
    phase: str


class RunReport(NamedTuple):
    """
    The end of a run. `calls` are by remote; `error` names code and cure, if any, and
    `error_kind` the error's class in `worker.errors`.
    """

    run: str
    stream: str
    kind: str
    state: str
    counts: dict[str, int]
    calls: dict[str, int]
    seconds: float
    extra: dict[str, object]
    error: str | None = None
    error_kind: str | None = None
