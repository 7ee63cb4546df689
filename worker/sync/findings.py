"""What the doctor says: one finding per check, with its cure where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.errors import ConfigurationError, WorkerError
from worker.sync.cures import cure_of

if TYPE_CHECKING:
    from datetime import datetime

# A token's life and the cursors' overlap bear this much; more hides changed records.
SKEW_S = 120


class Finding(NamedTuple):
    """
    One check of one side. `refused` says that the remote itself said no, or nothing;
    `cure` is empty where all is well.
    """

    side: str
    check: str
    ok: bool
    what: str
    cure: str = ""
    refused: bool = False


def good(side: str, check: str, what: str) -> Finding:
    return Finding(side, check, ok=True, what=what)


def bad(side: str, check: str, what: str, cure: str) -> Finding:
    return Finding(side, check, ok=False, what=what, cure=cure)


def refusal(side: str, check: str, error: WorkerError) -> Finding:
    """Return the finding of a call that failed."""
    by_remote = not isinstance(error, ConfigurationError)
    cure = cure_of(error)
    return Finding(side, check, ok=False, what=str(error), cure=cure, refused=by_remote)


def skew(side: str, theirs: datetime | None, ours: datetime) -> Finding:
    """Return what the remote's clock says against ours."""
    if theirs is None:
        return good(side, "clock", "the answers carry no date")
    seconds = round((theirs - ours).total_seconds())
    if abs(seconds) <= SKEW_S:
        return good(side, "clock", f"{abs(seconds)} s apart")
    word = "ahead of" if seconds > 0 else "behind"
    what = f"{abs(seconds)} s {word} this machine"
    return bad(side, "clock", what, "set this machine's clock by NTP")
