"""
Removes what the members stream wrote: the community's member records and our fields
on Contacts, then the local state, so that the next run rebuilds everything.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from worker import logs
from worker.domain.mapping import COMMUNITY_USER, CONTACT, CONTACT_FIELDS
from worker.domain.report import Outcome
from worker.domain.state import BatchPurpose
from worker.sync.push import Push, Settled, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from worker.salesforce.csvfile import Cell
    from worker.sync.context import RunContext

log = logs.logger(__name__)

PAGE = 1000
# Somebody removed the record before us: just what was wanted.
ALREADY_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})


class MembersReset:
    """
    One reset. It asks the org what is there, not our own memory, and so resumes after
    a crash by doing what is left; Contacts are cleared before the records that name
    them go.
    """

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def run(self) -> None:
        """
        Remove all; a dry run counts only. `contacts` in the run's options also deletes
        Contacts that we created and nobody else has changed since.
        """
        ctx = self._ctx
        ours = self._own_contacts() if ctx.run.options.get("contacts") else []
        linked, records = self._count()
        ctx.extra |= {
            "records_to_delete": records,
            "contacts_to_clear": linked,
            "contacts_to_delete": len(ours),
        }
        if ctx.dry_reset:
            return
        self._clear_contacts(skip=set(ours))
        self._delete_records()
        self._delete(CONTACT, iter(ours), BatchPurpose.RESET_CONTACTS)
        self._forget()

    def _own_contacts(self) -> list[str]:
        ctx = self._ctx
        found = ctx.salesforce.contacts_created_by(ctx.community, ctx.crm_user)
        return list(found)

    def _count(self) -> tuple[int, int]:
        records = 0
        linked: set[str] = set()
        for ref in self._ctx.salesforce.community_users(self._ctx.community):
            records += 1
            if ref.contact_id:
                linked.add(ref.contact_id)
        return len(linked), records

    def _clear_contacts(self, skip: set[str]) -> None:
        ctx = self._ctx
        columns = ("Id", *(rule.field for rule in CONTACT_FIELDS))
        target = Target(CONTACT, "Id", columns, BatchPurpose.RESET_CONTACTS)
        seen = set(skip)

        def rows() -> Iterator[list[Cell]]:
            for ref in ctx.salesforce.community_users(ctx.community):
                if ref.contact_id and ref.contact_id not in seen:
                    seen.add(ref.contact_id)
                    yield [ref.contact_id, *([None] * len(CONTACT_FIELDS))]

        self._send(Push(ctx, target, self._settle), rows(), "contacts")

    def _delete_records(self) -> None:
        ctx = self._ctx
        refs = ctx.salesforce.community_users(ctx.community)
        ids = (ref.record_id for ref in refs)
        self._delete(COMMUNITY_USER, ids, BatchPurpose.RESET_MEMBERS)

    def _delete(
        self, object_name: str, ids: Iterable[str], purpose: BatchPurpose
    ) -> None:
        target = Target(object_name, "Id", ("Id",), purpose, "delete")
        rows: Iterator[list[Cell]] = ([record_id] for record_id in ids)
        self._send(Push(self._ctx, target, self._settle), rows, "records")

    def _send(self, push: Push, rows: Iterator[list[Cell]], phase: str) -> None:
        done = 0
        try:
            while page := list(itertools.islice(rows, PAGE)):
                self._ctx.checkpoint()
                push.add(page)
                if push.is_full:
                    push.flush()
                done += len(page)
                self._ctx.progress(phase, done, done)
            push.finish()
        finally:
            push.close()

    def _settle(self, settled: Settled) -> None:
        ctx = self._ctx
        gone = [row for row in settled.failed if row.code in ALREADY_GONE]
        refused = [row for row in settled.failed if row.code not in ALREADY_GONE]
        ctx.count(Outcome.UNCHANGED, len(gone))
        ctx.count(Outcome.FAILED, len(refused))
        ctx.count(Outcome.APPLIED, settled.rows - len(settled.failed))
        for row in refused[:PAGE]:
            log.warning("reset.refused", record=row.key, code=row.code)

    def _forget(self) -> None:
        ctx = self._ctx
        store = ctx.store
        wipes: list[Callable[[str], None]] = [store.contacts.clear, store.members.wipe]
        for wipe in wipes:
            wipe(ctx.community)
        store.failures.resolve_all(ctx.community, ctx.stream)
        store.streams.save_cursor(ctx.community, ctx.stream, {}, fence=ctx.fence)
