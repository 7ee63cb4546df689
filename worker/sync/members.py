"""
The members stream: every community member is a record of the org, linked to its
Contact. Full passes read all ids, deltas what was visited or registered since.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from worker import clock
from worker.domain import mapping
from worker.domain.fitting import missing_fields
from worker.domain.report import Outcome
from worker.domain.state import ContactLink, MemberState
from worker.errors import BreakerTripped, PermissionMissing
from worker.salesforce.client import api_calls_for
from worker.sync.contacts import (
    OVERLAP,
    ContactFields,
    MirrorChange,
    refresh_mirror,
)
from worker.sync.context import HandOver
from worker.sync.delta import Delta, relink
from worker.sync.full_pass import FullPass
from worker.sync.member_pages import MemberPages
from worker.sync.recovery import settle_leftovers
from worker.sync.slow_fields import SlowFieldsFetch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.domain.records import DescribedObject
    from worker.domain.state import MemberLink
    from worker.sync.context import RunContext

# Failures tried again in one run; the rest come first in the next.
RETRIES = 500


class MembersStream:
    """One run of the stream, safe to repeat and to resume after any line."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        status = ctx.store.streams.status(ctx.community, ctx.stream)
        self._cursor = dict(status.cursor)
        self._seen: set[int] = set()
        stored = self._cursor.get("own_writes")
        ctx.own_writes = [
            (datetime.fromisoformat(began), datetime.fromisoformat(ended))
            for began, ended in (stored if isinstance(stored, list) else [])
        ]

    def run(self, *, full: bool) -> None:
        """
        Bring the org in step. Raises HandOver when the slice ends first, the run's
        StopRun or RetryLater otherwise; the cursor never passes what is not durable.
        """
        self._described = described = self._describe()
        pages = MemberPages(self._ctx, described, full=full)
        try:
            if not self._ctx.dry:
                settle_leftovers(self._ctx, pages)
            self._pass(pages, full=full)
        finally:
            pages.close()
        self._follow_up(described)
        self._note_own_writes()

    def _describe(self) -> Mapping[str, DescribedObject]:
        describe = self._ctx.salesforce.describe
        names = (mapping.COMMUNITY_USER, mapping.CONTACT)
        found = describe(*names)
        try:
            require_fields(found)
        except PermissionMissing:
            # What is remembered may be older than the deploy that brought the cure.
            found = describe(*names, fresh=True)
            require_fields(found)
        return found

    def _pass(self, pages: MemberPages, *, full: bool) -> None:
        news = self._refresh_contacts(full=full)
        self._retry_failures(pages)
        full_pass = None
        try:
            if full:
                # A member tried again is met again by the pass: first things first.
                pages.push.finish()
                stored = self._cursor.get("full")
                full_pass = FullPass(self._ctx, pages, stored, self._save)
                full_pass.run()
                visited = full_pass.began
            else:
                since = datetime.fromisoformat(str(self._cursor["visited"]))
                visited = Delta(self._ctx, pages, self._seen).run(since).isoformat()
            pages.flush()
            self._push_contact_fields()
            pages.push.finish()
            relink(self._ctx, pages, news, self._seen)
            pages.push.finish()
        except HandOver:
            pages.push.finish()
            if full_pass is not None:
                full_pass.save_now()
            raise
        except BreakerTripped:
            # Who was found gone may be back once the rights are mended: whatever comes
            # next looks at every member afresh instead of resuming this pass.
            pages.push.finish()
            self._cursor.pop("full", None)
            self._save({})
            raise
        self._cursor.pop("full", None)
        self._save({"visited": visited, "contacts": self._contacts_at})

    def _refresh_contacts(self, *, full: bool) -> MirrorChange:
        ctx = self._ctx
        # The describe just answered, so the org's clock is known.
        now = ctx.salesforce.server_time or clock.now()
        stored = self._cursor.get("contacts")
        self._began = now
        self._contacts_at: object = now.isoformat()
        if not ctx.features.link_contacts:
            self._contacts_at = None
            return MirrorChange()
        resuming = "full" in self._cursor
        if stored is None or (full and not resuming):
            refresh_mirror(ctx, None)
            # All members are looked at after this: no news to keep for later.
            self._save({"contacts": self._contacts_at})
            return MirrorChange()
        return refresh_mirror(ctx, datetime.fromisoformat(str(stored)))

    def _note_own_writes(self) -> None:
        ctx, now = self._ctx, self._ctx.salesforce.server_time
        if not ctx.wrote_contacts or now is None:
            return
        # Earlier ones no longer matter once the overlap cannot reach them.
        kept = [times for times in ctx.own_writes if times[1] > self._began - OVERLAP]
        windows = [*kept, (self._began, now)]
        self._save({"own_writes": [[a.isoformat(), b.isoformat()] for a, b in windows]})

    def _retry_failures(self, pages: MemberPages) -> None:
        ctx = self._ctx
        due = ctx.store.failures.due(ctx.community, ctx.stream, clock.now(), RETRIES)
        ctx.attempts = {failure.record_key: failure.attempts for failure in due}
        keys = [failure.record_key.partition(":") for failure in due]
        ids = [int(number) for kind, _, number in keys if kind == "member"]
        contacts = [number for kind, _, number in keys if kind == "contact"]
        members = list(ctx.aurora.members(ids)) if ids else []
        found = {member.member_id for member in members}
        pages.take(members, ctx.store.members.by_ids(ctx.community, ids), found)
        self._seen |= found
        if ctx.dry:
            return
        pages.drain()
        ctx.store.contacts.mark_due(ctx.community, contacts)
        if ctx.settings.aurora.slow_fields:
            ctx.store.members.slow_again(ctx.community, found)
        # Who is gone from the community has nothing left to try: a pass marks them.
        # Who turned out to be in step already has healed.
        links = ctx.store.members.by_ids(ctx.community, ids)
        over = [n for n in ids if n not in found or _is_in_step(links.get(n))]
        keys_over = [f"member:{number}" for number in over]
        ctx.store.failures.resolve(ctx.community, ctx.stream, keys_over)

    def _follow_up(self, described: Mapping[str, DescribedObject]) -> None:
        ctx = self._ctx
        if ctx.dry:
            self._estimate()
            return
        with SlowFieldsFetch(ctx, described[mapping.COMMUNITY_USER]) as slow_fields:
            # Those that became due since: by a link that was decided anew.
            self._push_contact_fields()
            slow_fields.write()

    def _push_contact_fields(self) -> None:
        """Write what Contacts should show, beside the last batch of members."""
        ctx = self._ctx
        if ctx.features.contact_fields and not ctx.dry:
            ContactFields(ctx, self._described[mapping.CONTACT]).push_due()

    def _estimate(self) -> None:
        """Tell what the run would cost beside the reading that this one has done."""
        ctx = self._ctx
        sizes = ctx.settings.salesforce
        contacts = len(ctx.would_touch) if ctx.features.contact_fields else 0
        ctx.extra["would_write"] = {
            "members": ctx.counts.of(Outcome.APPLIED),
            "contacts": contacts,
            "salesforce_calls": sum(
                api_calls_for(
                    rows,
                    bulk_from_rows=sizes.bulk_from_rows,
                    bulk_job_rows=sizes.bulk_job_rows,
                )
                for rows in (ctx.counts.of(Outcome.APPLIED), contacts)
            ),
        }

    def _save(self, part: dict[str, object]) -> None:
        if self._ctx.dry:
            return
        self._cursor |= part
        self._ctx.store.streams.save_cursor(
            self._ctx.community,
            self._ctx.stream,
            dict(self._cursor),
            fence=self._ctx.fence,
        )


def _is_in_step(link: MemberLink | None) -> bool:
    """Whether the org holds the member as last sent, its Contact not in doubt."""
    if link is None or link.state not in (MemberState.SYNCED, MemberState.DELETED):
        return False
    return link.contact_link not in (ContactLink.AMBIGUOUS, ContactLink.REFUSED)


def require_fields(found: Mapping[str, DescribedObject]) -> None:
    """Raise PermissionMissing naming every field the org does not let us write."""
    needed = {
        mapping.COMMUNITY_USER: [
            *(rule.field for rule in mapping.MEMBER_FIELDS + mapping.SLOW_FIELDS),
            *mapping.LINK_FIELDS,
        ],
        mapping.CONTACT: [
            *(rule.field for rule in mapping.CONTACT_FIELDS),
            *(rule.field for rule in mapping.NEW_CONTACT_FIELDS),
        ],
    }
    lacking = [
        missing
        for name, fields in needed.items()
        for missing in missing_fields(found.get(name), name, fields)
    ]
    if lacking:
        raise PermissionMissing(
            "salesforce",
            "describe",
            code="fields_missing",
            fields=tuple(f"{m.object_name}.{m.field}".rstrip(".") for m in lacking),
            detail="run `aurora-sync salesforce deploy`, which also assigns the "
            "permission set; `aurora-sync doctor` explains each",
        )
