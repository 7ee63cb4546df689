"""A community on loopback, as the vendor's behave; `AuroraSandbox` is the door."""

from worker.sandbox.aurora.community import Community
from worker.sandbox.aurora.members import Member
from worker.sandbox.aurora.sandbox import AuroraSandbox

__all__ = ["AuroraSandbox", "Community", "Member"]
