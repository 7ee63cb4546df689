"""
The error families. A family says what to do next; anything else is a bug.

WorkerError
├── ConfigurationError      wrong settings; exit before any work
├── AlreadyRunning          another run holds the stream's lease (its id is kept)
├── RetryLater              the same call may succeed later (retry_after)
│   ├── RateLimited         429, concurrent-request limits
│   ├── RowLocked           another transaction held the record
│   └── RemoteUnavailable   timeouts, 5xx, dropped connections
├── SkipRecord              this record will not succeed unchanged; park it, go on
│   ├── RecordRejected      validation rule, required field (vendor code kept)
│   ├── RecordGone          deleted or merged on the other side
│   └── AmbiguousMatch      more than one candidate; a person decides
└── StopRun                 nothing further can succeed; end the run, alert
    ├── TokenRefused        wrong or withdrawn credentials
    ├── PermissionMissing   the API user may not do this (object, field, right named)
    ├── QuotaExhausted      the daily API allowance, or our share of it, is used up
    ├── LeaseLost           another run has taken the stream over
    ├── BreakerTripped      too large a share would go; a person confirms
    └── ContractBroken      the remote answered something we do not understand

Error texts hold service, operation, status, vendor code and request id: never a
body, a header, a query string or an e-mail address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta  # noqa: TC003 -- dataclass fields are read at run time


class WorkerError(Exception):
    """Anything the worker raises on purpose."""


class ConfigurationError(WorkerError):
    """Settings are wrong; `problems` names each with its cure, for exit code 2."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class AlreadyRunning(WorkerError):
    """The stream is busy; `run_id` is the run that holds it."""

    def __init__(self, stream: str, run_id: str) -> None:
        super().__init__(f"{stream} is already running as run {run_id}")
        self.stream = stream
        self.run_id = run_id


@dataclass(eq=False)
class RemoteError(WorkerError):
    """What every error of a remote call carries; the family is the subclass."""

    service: str
    operation: str
    code: str = ""
    status: int | None = None
    request_id: str = ""
    detail: str = ""
    fields: tuple[str, ...] = field(default=())
    retry_after: timedelta | None = None

    def __str__(self) -> str:
        known = (self.service, self.operation, self.status, self.code, self.detail)
        text = " ".join(str(part) for part in known if part)
        if self.fields:
            text += f" fields={','.join(self.fields)}"
        return text + (f" request={self.request_id}" if self.request_id else "")


class RetryLater(RemoteError):
    """The same call may succeed later."""


class RateLimited(RetryLater): ...


class RowLocked(RetryLater): ...


class RemoteUnavailable(RetryLater): ...


class SkipRecord(RemoteError):
    """This record will not succeed unchanged."""


class RecordRejected(SkipRecord): ...


class RecordGone(SkipRecord): ...


class AmbiguousMatch(SkipRecord): ...


class StopRun(RemoteError):
    """Nothing further can succeed in this run."""


class TokenRefused(StopRun): ...


class PermissionMissing(StopRun): ...


class QuotaExhausted(StopRun): ...


class LeaseLost(StopRun): ...


class BreakerTripped(StopRun): ...


class ContractBroken(StopRun): ...
