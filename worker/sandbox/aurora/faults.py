"""Faults waiting to happen: which call they meet, how often, and what they carry."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from threading import Lock

# What each kind does to the call it meets, as the control page and the docs say it.
KINDS = {
    "status": "answers `status` with `body`: html, empty, json, text or v1",
    "slow": "waits `ms` before it answers",
    "drop_before": "hangs up before anything is done",
    "drop_after": "does it, then hangs up without an answer",
    "error_after": "does it, then answers `status` (500 if not given)",
    "truncated": "hangs up in the middle of the answer",
    "too_many": "429 with `Retry-After: 0` (or `retry_after`)",
    "unauthorized": "401, as for an expired token or key",
    "expire_sessions": "ends every session key and access token, then goes on",
    "cursor_loop": "repeats the cursor that was sent, or the same one each time",
    "unknown_shape": "gives the first member of the page a list where text belongs",
    "garbled": "answers 200 with JSON that is cut off",
}
# Wrapped around the call; the others change what is in the answer.
AROUND = frozenset(KINDS) - {"cursor_loop", "unknown_shape"}


@dataclass(slots=True)
class Fault:
    """`times` None is forever; `every` n meets each n-th call that fits."""

    kind: str
    times: int | None = 1
    path: str = ""
    method: str = ""
    every: int = 1
    status: int = 0
    body: str = "html"
    ms: float = 0.0
    retry_after: str = "0"
    spoils: str = "login"
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is no pattern: {error}") from error

    def fits(self, method: str, path: str) -> bool:
        return self.method.upper() in {"", method} and bool(re.search(self.path, path))


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = Lock()

    def add(self, kind: str, **details: object) -> Fault:
        fault = Fault(kind, **details)  # type: ignore[arg-type] # checked by the caller's JSON and by __post_init__
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, method: str, path: str, kinds: frozenset[str]) -> list[Fault]:
        """Return the faults this call meets, and count them as spent."""
        if not self._waiting:
            return []
        with self._lock:
            return [
                fault
                for fault in list(self._waiting)
                if self._meets(fault, method, path, kinds)
            ]

    def _meets(
        self, fault: Fault, method: str, path: str, kinds: frozenset[str]
    ) -> bool:
        if fault.kind not in kinds or not fault.fits(method, path):
            return False
        fault.seen += 1
        if fault.seen % fault.every:
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return True

    def as_list(self) -> list[dict[str, object]]:
        with self._lock:
            return [asdict(fault) for fault in self._waiting]
