"""CPU time of each part of the work, without the parts it calls, over all threads."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from worker.aurora.connection import Connection
from worker.aurora.payloads import MemberDecoder
from worker.salesforce.bulk import BulkIngest
from worker.salesforce.csvfile import CsvFile
from worker.salesforce.wire import Wire
from worker.store.contacts import Contacts
from worker.store.events import Events
from worker.store.failures import Failures
from worker.store.members import Members
from worker.store.runs import Runs
from worker.sync.contacts import ContactFields
from worker.sync.full_pass import FullPass
from worker.sync.member_pages import MemberPages
from worker.sync.members import MembersStream

if TYPE_CHECKING:
    from collections.abc import Iterator

HTTP = "HTTP, without sockets"
MIRROR = "mirror of the Contacts"
FIELDS = "our fields on Contacts"
PARTS: dict[str, tuple[tuple[type, str], ...]] = {
    "parse": ((MemberDecoder, "page"),),
    "rows, fit, fingerprint, e-mail key": ((MemberPages, "_sight"),),
    "compare with what is known": ((Members, "between"), (FullPass, "_take")),
    "match": ((MemberPages, "_matched"), (Contacts, "by_email")),
    "decide, park": (
        (MemberPages, "_decided"),
        (Failures, "park"),
        (Events, "add"),
    ),
    "stage": (
        (MemberPages, "_apply"),
        (MemberPages, "_stage"),
        (Members, "stage"),
        (Contacts, "mark_due"),
    ),
    "job file": ((CsvFile, "write_rows"),),
    "settle": (
        (MemberPages, "settle"),
        (Members, "note_created"),
        (Members, "settle"),
    ),
    "progress": ((Runs, "progress"),),
    MIRROR: (
        (MembersStream, "_refresh_contacts"),
        (Contacts, "add"),
        (Contacts, "finish_refresh"),
    ),
    FIELDS: (
        (ContactFields, "push_due"),
        (ContactFields, "_settle"),
        (Contacts, "due"),
        (Contacts, "written"),
        (Members, "winners"),
    ),
    HTTP: ((Connection, "ask"), (Wire, "send"), (BulkIngest, "_fetch")),
    "all the rest": ((MembersStream, "run"),),
}


class Meter:
    """Adds up thread CPU by part; a part within a part counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._local = threading.local()
        self._lock = threading.Lock()

    def measured(self, part: str, function: Any) -> Any:
        @functools.wraps(function)
        def measure(*args: Any, **named: Any) -> Any:
            inner: list[float] = self._local.__dict__.setdefault("inner", [])
            began = time.thread_time()
            inner.append(0.0)
            try:
                return function(*args, **named)
            finally:
                spent = time.thread_time() - began
                own = spent - inner.pop()
                if inner:
                    inner[-1] += spent
                with self._lock:
                    self.seconds[part] += own

        return measure


@contextmanager
def metered() -> Iterator[Counter[str]]:
    meter = Meter()
    with ExitStack() as undo:
        for part, functions in PARTS.items():
            for owner, name in functions:
                plain = getattr(owner, name)
                setattr(owner, name, meter.measured(part, plain))
                undo.callback(setattr, owner, name, plain)
        yield meter.seconds
