"""
Names this process as the holder of a lease, so that another process of the same
machine can tell a dead holder at once instead of waiting for its lease to run out.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from uuid import uuid4

# What makes a process number mean one process: this boot of this kernel, and the
# namespace the number is counted in. Elsewhere than on Linux nobody is ever told dead.
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_STAT = "/proc/{pid}/stat"


def name() -> str:
    """Return a name that no other lease has: place, process, its start, a token."""
    pid = os.getpid()
    return f"{_place()}/{pid}/{_started(pid) or 0}/{uuid4().hex[:8]}"


def is_dead(holder: object) -> bool:
    """Say whether the holder is for certain a process of this machine that ended."""
    if not isinstance(holder, str) or holder.count("/") != 3:
        return False
    place, pid, started, _ = holder.split("/")
    if not _place() or place != _place() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


@cache
def _place() -> str:
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
        return f"{boot}-{_NAMESPACE.readlink().name}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Return when the process started, in ticks since boot; None for no process."""
    try:
        stat = Path(_STAT.format(pid=pid)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in the second field may hold anything, a bracket too.
    after_name = stat.rpartition(")")[2].split()
    # A process that ended and whose parent has not looked holds no lease any more.
    return None if after_name[0] == "Z" else after_name[19]
