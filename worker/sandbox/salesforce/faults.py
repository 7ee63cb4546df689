"""
Faults that are switched on under /_sandbox/: when they strike and how often.

Knows which fault applies to a call; what a fault does is done where it strikes.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from worker.sandbox.salesforce.clock import OrgClock
from worker.sandbox.salesforce.errors import Refused
from worker.sandbox.salesforce.schema import Value

KINDS: dict[str, str] = {
    "status": "answers `status` with a `body` of html, empty, json or text",
    "html_error": "answers 500 (or `status`) with an HTML page",
    "expire_sessions": "ends all sessions, once per strike",
    "unauthorized_forever": "refuses every session, fresh ones too",
    "row_lock": "`rows` rows of a batch get UNABLE_TO_LOCK_ROW",
    "quota_gone": "answers 403 REQUEST_LIMIT_EXCEEDED",
    "slow": "waits `ms` before the call",
    "latency_ms": "waits `ms` before every call, others go on",
    "drop_before_commit": "closes the connection before doing anything",
    "drop_after_commit": "does the call, then closes the connection",
    "half_failed_bulk": "every second row of a bulk job fails",
    "csv_without_charset": "bulk results are sent as text/csv alone",
    "late_rows": "rows are seen by queries `seconds` after they were written",
    "reject_row": "rows whose `field` matches `value` get `code`",
}


@dataclass(slots=True)
class Fault:
    """One fault; `times` None means for ever."""

    kind: str
    times: int | None = 1
    path: str | None = None
    method: str | None = None
    status: int = 503
    body: str = "html"
    rows: int = 1
    ms: int = 1000
    seconds: float = 60
    type: str | None = None
    field: str | None = None
    value: str | None = None
    code: str = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    message: str = "refused by a fault of the sandbox"
    struck: int = 0

    def matches(self, method: str, path: str) -> bool:
        if self.method and self.method.upper() != method:
            return False
        return self.path is None or re.search(self.path, path) is not None

    @property
    def is_spent(self) -> bool:
        return self.times is not None and self.struck >= self.times


class Faults:
    """The switched-on faults, in the order they were added."""

    def __init__(self, clock: OrgClock) -> None:
        self._clock = clock
        self._active: list[Fault] = []

    def add(self, kind: str, **how: object) -> Fault:
        """Switch a fault on; a wrong kind or option is refused by name."""
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known are {sorted(KINDS)}")
        if kind in ("latency_ms", "late_rows", "unauthorized_forever"):
            how.setdefault("times", None)
        made = Fault(kind, **how)  # type: ignore[arg-type] # checked just below
        re.compile(made.path or "")
        self._active.append(made)
        return made

    def clear(self) -> None:
        self._active.clear()

    def listing(self) -> list[dict[str, object]]:
        return [asdict(fault) for fault in self._active]

    def strike(self, kinds: Iterable[str], method: str, path: str) -> Fault | None:
        """Return the first live fault of these kinds for a call, using it up once."""
        for fault in self._active:
            if fault.kind in kinds and fault.matches(method, path):
                fault.struck += 1
                self._active = [f for f in self._active if not f.is_spent]
                return fault
        return None

    def delay_s(self, method: str, path: str) -> float:
        if not self._active:
            return 0.0
        slow = self.strike(("slow",), method, path)
        steady = sum(f.ms for f in self._active if f.kind == "latency_ms")
        return (steady + (slow.ms if slow else 0)) / 1000

    def locked_rows(self, method: str, path: str) -> int:
        fault = self.strike(("row_lock",), method, path) if self._active else None
        return fault.rows if fault else 0

    @property
    def late_until(self) -> float | None:
        """When a row written now becomes visible to queries; None: at once."""
        for fault in self._active:
            if fault.kind == "late_rows":
                return self._clock.now().timestamp() + fault.seconds
        return None

    @property
    def rejects_rows(self) -> bool:
        return any(fault.kind == "reject_row" for fault in self._active)

    def reject(self, type_name: str, values: dict[str, Value]) -> None:
        """Refuse the row when a reject_row fault is meant for it."""
        for fault in list(self._active):
            if fault.kind != "reject_row" or fault.type not in (None, type_name):
                continue
            held = values.get(fault.field or "")
            if held is not None and re.search(fault.value or "", str(held)):
                fault.struck += 1
                self._active = [f for f in self._active if not f.is_spent]
                fields = (fault.field,) if fault.field else ()
                raise Refused(fault.code, fault.message, fields)
