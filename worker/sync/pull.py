"""Reads members from the community, several id ranges at once, in bounded memory."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from worker.aurora.client import AuroraClient
    from worker.domain.ranges import IdRange
    from worker.domain.records import Member


class Page(NamedTuple):
    """
    Members of one read. Whoever we know with an id in `low`..`high` (inclusive) and
    who is not among `members` is gone from the community.
    """

    part: int
    low: int
    high: int
    members: list[Member]


class _End(NamedTuple):
    error: BaseException | None


# A page not yet taken up for each reader: memory stays flat when the crm is slow.
_WAITING_PER_READER = 1


def read_ranges(
    client: AuroraClient, ranges: list[IdRange], readers: int
) -> Generator[Page]:
    """
    Yield every range's pages from its `next_id` on, ids ascending within a range.

    The last page of a range reaches to the range's end. An error of any reader is
    raised here; closing the iterator stops the readers after their current call.
    """
    reading = _Reading(client, ranges, readers)
    try:
        yield from reading.pages()
    finally:
        reading.stop()


class _Reading:
    def __init__(
        self, client: AuroraClient, ranges: list[IdRange], readers: int
    ) -> None:
        self._client = client
        self._todo = iter([(i, r) for i, r in enumerate(ranges) if not r.finished])
        self._lock = threading.Lock()
        self._pages: queue.Queue[Page | _End] = queue.Queue(
            readers * _WAITING_PER_READER
        )
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, name=f"pull-{i}", daemon=True)
            for i in range(readers)
        ]

    def pages(self) -> Iterator[Page]:
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        while running:
            got = self._pages.get()
            if isinstance(got, Page):
                yield got
            elif got.error is not None:
                raise got.error
            else:
                running -= 1

    def stop(self) -> None:
        self._stopped.set()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._pages.get(timeout=0.05)
            except queue.Empty:
                continue

    def _read(self) -> None:
        try:
            while (taken := self._take()) is not None:
                self._read_range(*taken)
        except BaseException as error:  # noqa: BLE001 -- handed to the consumer's thread
            self._put(_End(error))
        else:
            self._put(_End(None))

    def _take(self) -> tuple[int, IdRange] | None:
        with self._lock:
            return None if self._stopped.is_set() else next(self._todo, None)

    def _read_range(self, part: int, wanted: IdRange) -> None:
        low = wanted.next_id
        held: list[Member] | None = None
        for members in self._client.member_pages(low, wanted.high):
            if held is not None:
                high = held[-1].member_id
                self._put(Page(part, low, high, held))
                low = high + 1
            if self._stopped.is_set():
                return
            held = members
        self._put(Page(part, low, wanted.high, held or []))

    def _put(self, item: Page | _End) -> None:
        while not self._stopped.is_set():
            try:
                self._pages.put(item, timeout=0.1)
            except queue.Full:
                continue
            return
