"""
Reads what changed since the cursor: members who registered, members who visited, and
members whose Contact came, went or changed its e-mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker import clock
from worker.domain.members import LinkChoice, Sighting, choose_link
from worker.domain.state import MemberState
from worker.sync.contacts import OVERLAP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from worker.domain.records import Member
    from worker.domain.state import MemberLink
    from worker.sync.contacts import MirrorChange
    from worker.sync.context import RunContext
    from worker.sync.member_pages import MemberPages


class Delta:
    """One delta. `seen` are the members this run has dealt with already."""

    def __init__(self, ctx: RunContext, pages: MemberPages, seen: set[int]) -> None:
        self._ctx = ctx
        self._pages = pages
        self._seen = seen

    def run(self, since: datetime) -> datetime:
        """
        Read what changed since `since`, ten minutes earlier to be sure, and return
        the community's time before the first read: the next delta's `since`.
        """
        ctx = self._ctx
        newest = ctx.store.members.max_id(ctx.community)
        for members in ctx.aurora.member_pages(newest + 1, None):
            self._take(members)
        began = ctx.aurora.server_time or clock.now()
        for members in ctx.aurora.visited_pages(since - OVERLAP):
            self._take(members)
        return began

    def _take(self, members: Sequence[Member]) -> None:
        ctx = self._ctx
        ctx.checkpoint()
        fresh = [member for member in members if member.member_id not in self._seen]
        self._seen.update(member.member_id for member in fresh)
        ids = [member.member_id for member in fresh]
        self._pages.take(fresh, ctx.store.members.by_ids(ctx.community, ids))
        if self._pages.push.is_full:
            self._pages.push.flush()
        ctx.progress("members", len(self._seen), len(self._seen))


def relink(
    ctx: RunContext, pages: MemberPages, news: MirrorChange, seen: set[int]
) -> None:
    """Re-decide the links of members who did not change but whose Contacts did."""
    members = ctx.store.members
    links = {
        link.member_id: link
        for link in members.unlinked_with_email(ctx.community, list(news.email_keys))
    }
    links |= members.by_ids(ctx.community, list(news.unlinked))
    todo = [
        link
        for link in links.values()
        if link.member_id not in seen and _is_whole(link)
    ]
    keys = {link.email_key for link in todo if link.email_key}
    found = ctx.store.contacts.by_email(ctx.community, list(keys))
    for link in todo:
        lost = link.member_id in news.unlinked
        _relink(ctx, pages, link, found.get(link.email_key or b"", []), lost=lost)


def _is_whole(link: MemberLink) -> bool:
    """Whether the org holds the profile last sent, so that the link alone differs."""
    return link.state in (MemberState.SYNCED, MemberState.DELETED)


def _relink(
    ctx: RunContext,
    pages: MemberPages,
    link: MemberLink,
    candidates: Sequence[str],
    *,
    lost: bool,
) -> None:
    sent = link.sent_fingerprint or b""
    sighting = Sighting(link.deleted, link.email_key, sent)
    # Nothing is created here: that needs the member's names, so a pass does it.
    features = ctx.features.changed("create_new_contact", value=False)
    choice = choose_link(sighting, link, candidates, features)
    before = LinkChoice(link.contact_id, link.contact_link)
    if choice != before or lost:
        pages.write_link(link, choice, sent=sent, deleted=link.deleted)
