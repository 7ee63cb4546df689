"""
Reads every member by id ranges, several at once, and finds who is gone. How far each
range has durably come is part of the cursor, so that a killed pass goes on from there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from worker import clock
from worker.domain import ranges
from worker.domain.members import LinkChoice, breaks
from worker.errors import BreakerTripped, PermissionMissing
from worker.sync.pull import Page, read_ranges

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sync.context import RunContext
    from worker.sync.member_pages import MemberPages

# More parts than readers, so that a sparse part leaves no reader idle for long.
PARTS_PER_READER = 2
# Positions of an unchanged pass are saved this often; a crash repeats so much reading.
SAVE_EVERY = timedelta(seconds=5)
# Stands for the content of a member that the community no longer has.
GONE = b"gone from source"
PAGE = 1000


class FullPass:
    """One pass. `save` stores the cursor with this pass's part of it."""

    def __init__(
        self,
        ctx: RunContext,
        pages: MemberPages,
        stored: object,
        save: Callable[[dict[str, object]], None],
    ) -> None:
        self._ctx = ctx
        self._pages = pages
        self._save = save
        self._saved_at = clock.monotonic()
        self._gone: list[int] = []
        self._ranges: list[ranges.IdRange]
        if isinstance(stored, dict):
            self.began = str(stored["began"])
            self._ranges = ranges.from_json(stored["ranges"])
            self._gone = [int(number) for number in stored["gone"]]
        else:
            self._ranges = self._split()
            self.began = (ctx.aurora.server_time or clock.now()).isoformat()

    def run(self) -> None:
        """Read all that is left of the pass; raises what the context's checks raise."""
        ctx = self._ctx
        highest = max((part.high for part in self._ranges), default=0)
        total = sum(ctx.store.members.count(ctx.community).values()) or highest
        done = ctx.run.progress_done
        readers = ctx.settings.aurora.parallel_reads
        reading = read_ranges(ctx.aurora, self._ranges, readers)
        try:
            for page in reading:
                ctx.checkpoint()
                self._take(page)
                done += len(page.members)
                ctx.progress("members", done, total)
        finally:
            reading.close()
        self._mark_gone()

    def save_now(self) -> None:
        """Store the positions; only when every page before them is settled."""
        self._saver()()

    def _split(self) -> list[ranges.IdRange]:
        ctx = self._ctx
        known = ctx.store.members.max_id(ctx.community)
        shown = ctx.aurora.last_member_id()
        if known and not shown:
            # The community answers a caller without rights with no members at all.
            raise PermissionMissing(
                "aurora",
                "members",
                code="no_members_shown",
                detail="the API user sees no members; give it a role that may view "
                "members and their e-mail addresses",
            )
        highest = max(shown, known)
        parts = ctx.settings.aurora.parallel_reads * PARTS_PER_READER
        return ranges.split(1, highest, parts)

    def _take(self, page: Page) -> None:
        ctx, push = self._ctx, self._pages.push
        known = ctx.store.members.between(ctx.community, page.low - 1, page.high)
        self._pages.take(page.members, known)
        here = {member.member_id for member in page.members}
        self._gone += [
            number
            for number, link in known.items()
            if number not in here and not link.deleted
        ]
        self._ranges[page.part] = self._ranges[page.part].done_to(page.high)
        long_ago = clock.monotonic() - self._saved_at > SAVE_EVERY.total_seconds()
        if push.is_full or (long_ago and push.is_idle):
            push.flush(self._saver())

    def _saver(self) -> Callable[[], None]:
        self._saved_at = clock.monotonic()
        # Who is gone is marked at the end, when their share is known; a pass that is
        # resumed must still know those of the ranges it does not read again.
        positions = {
            "began": self.began,
            "ranges": ranges.as_json(self._ranges),
            "gone": list(self._gone),
        }
        return lambda: self._save({"full": positions})

    def _mark_gone(self) -> None:
        ctx = self._ctx
        known = sum(ctx.store.members.count(ctx.community).values())
        percent = ctx.features.breaker_percent
        if breaks(len(self._gone), known, percent) and not ctx.forced:
            raise BreakerTripped(
                "aurora",
                "members",
                code="breaker",
                detail=f"{len(self._gone)} of {known} members are no longer in the "
                f"community, more than breaker_percent={percent}; if that is right, "
                "run `aurora-sync sync members --full --force`",
            )
        for start in range(0, len(self._gone), PAGE):
            ids = self._gone[start : start + PAGE]
            for link in ctx.store.members.by_ids(ctx.community, ids).values():
                choice = LinkChoice(link.contact_id, link.contact_link)
                self._pages.write_link(link, choice, sent=GONE, deleted=True)
