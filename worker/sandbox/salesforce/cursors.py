"""Open query results, paged by locator; they outlive a login but not two days."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.sandbox.salesforce.clock import OrgClock
from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.ids import IdCounter
from worker.sandbox.salesforce.soql.run import Found

_LIVES = timedelta(days=2)
_PREFIX = "01g"


@dataclass(slots=True)
class Cursor:
    found: Found
    size: int
    opened_at: datetime


class Cursors:
    def __init__(self, clock: OrgClock) -> None:
        self._clock = clock
        self._ids = IdCounter()
        self._open: dict[str, Cursor] = {}

    def page(
        self, found: Found, size: int, version: str, path: str
    ) -> dict[str, object]:
        """Answer the first page of a result, keeping the rest under a locator."""
        name = ""
        if found.length > size:
            name = self._ids.next(_PREFIX)
            self._open[name] = Cursor(found, size, self._clock.now())
        return self._cut(found, 0, size, name, version, path)

    def next_page(self, locator: str, version: str, path: str) -> dict[str, object]:
        """Answer the page of a locator; the same locator gives the same page again."""
        name, _, start = locator.rpartition("-")
        cursor = self._open.get(name)
        if cursor is None or not start.isdigit() or self._is_stale(cursor):
            raise RequestRefused("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._cut(cursor.found, int(start), cursor.size, name, version, path)

    def _is_stale(self, cursor: Cursor) -> bool:
        return self._clock.now() - cursor.opened_at > _LIVES

    def _cut(
        self, found: Found, start: int, size: int, name: str, version: str, path: str
    ) -> dict[str, object]:
        end = start + size
        page: dict[str, object] = {
            "totalSize": found.total,
            "done": end >= found.length,
        }
        if end < found.length:
            page["nextRecordsUrl"] = f"{path}/{name}-{end}"
        page["records"] = found.records(start, end, version)
        return page
