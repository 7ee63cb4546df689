"""Counts what was asked of the community, by kind; the control pages count nowhere."""

from __future__ import annotations

from collections import Counter


class Calls:
    def __init__(self) -> None:
        self.by_kind: Counter[str] = Counter()
        # LiQL queries: a list search is one call with several of them.
        self.queries = 0
        self.by_status: Counter[int] = Counter()

    @property
    def total(self) -> int:
        return self.by_kind.total()

    def reset(self) -> None:
        self.by_kind.clear()
        self.by_status.clear()
        self.queries = 0

    def as_dict(self) -> dict[str, object]:
        return {
            "total": self.total,
            "queries": self.queries,
            "by_kind": dict(sorted(self.by_kind.items())),
            "by_status": {str(key): n for key, n in sorted(self.by_status.items())},
        }
