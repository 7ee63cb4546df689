"""Creates the Contacts that members lack, each once, by a key of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.domain.fitting import Fitting, RowBuilder, Scalar, Unfit
from worker.domain.mapping import (
    CONTACT,
    CONTACT_FIELDS,
    CONTACT_KEY,
    NEW_CONTACT_FIELDS,
    contact_last_name,
    member_key,
)
from worker.domain.members import LinkChoice
from worker.domain.records import RowResult
from worker.domain.state import ContactLink
from worker.sync.contacts import values_digest
from worker.sync.parking import park_refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.domain.records import DescribedObject, Member
    from worker.sync.context import RunContext

REFUSED = LinkChoice(None, ContactLink.REFUSED)


class Wanted(NamedTuple):
    """A member that needs a Contact; `email_key` is what members share it by."""

    member: Member
    email_key: bytes


class NewContacts:
    """
    Creates Contacts by upsert on our key, so that a repeated call creates nothing.
    One API call per 1,000; members with one e-mail share one Contact.
    """

    def __init__(self, ctx: RunContext, described: DescribedObject) -> None:
        self._ctx = ctx
        self._fitting = Fitting(described)
        self._builder = RowBuilder(
            (*NEW_CONTACT_FIELDS, *CONTACT_FIELDS),
            self._fitting,
            {
                "=key": lambda member: member_key(ctx.community, member.member_id),
                "=contact_last_name": contact_last_name,
            },
        )

    def create(self, wanted: Sequence[Wanted]) -> dict[int, LinkChoice]:
        """Return each member's link: to the created Contact, or refused and parked."""
        ctx = self._ctx
        first: dict[bytes, Member] = {}
        for want in wanted:
            first.setdefault(want.email_key, want.member)
        # One of these e-mails may have got its Contact since the member was read.
        there = ctx.store.contacts.by_email(ctx.community, list(first))
        rows, refused = self._rows([m for k, m in first.items() if not there.get(k)])
        results = ctx.salesforce.upsert(
            CONTACT,
            CONTACT_KEY,
            [dict(zip(self._builder.columns, row, strict=True)) for row in rows],
        )
        ctx.wrote_contacts = True
        made = {r.key: r.record_id for r in results if r.ok and r.record_id}
        refused += [result for result in results if not result.ok]
        self._record(rows, made, first)
        ctx.fitted.update(self._fitting.changed)
        self._fitting.changed.clear()
        stop = park_refused(ctx, [(_record_key(r.key), r) for r in refused])
        if stop is not None:
            raise stop
        return {
            want.member.member_id: self._choice(want, first, made, there)
            for want in wanted
        }

    def _rows(
        self, members: Sequence[Member]
    ) -> tuple[list[list[Scalar]], list[RowResult]]:
        rows: list[list[Scalar]] = []
        unfit = []
        for member in members:
            try:
                rows.append(self._builder.row(member))
            except Unfit as error:
                key = member_key(self._ctx.community, member.member_id)
                unfit.append(
                    RowResult(
                        key, None, created=False, code="unfit", fields=(error.field,)
                    )
                )
        return rows, unfit

    def _record(
        self,
        rows: list[list[Scalar]],
        made: dict[str, str],
        first: dict[bytes, Member],
    ) -> None:
        ctx = self._ctx
        keys = {
            member_key(ctx.community, member.member_id): email_key
            for email_key, member in first.items()
        }
        ctx.store.contacts.add(
            ctx.community,
            None,
            [(contact_id, keys[key]) for key, contact_id in made.items()],
            created_by_us=True,
        )
        shown = [
            (made[str(row[0])], values_digest(row[len(NEW_CONTACT_FIELDS) :]))
            for row in rows
            if str(row[0]) in made
        ]
        ctx.store.contacts.written(ctx.community, shown)

    def _choice(
        self,
        want: Wanted,
        first: dict[bytes, Member],
        made: dict[str, str],
        there: dict[bytes, list[str]],
    ) -> LinkChoice:
        match there.get(want.email_key) or []:
            case [only]:
                return LinkChoice(only, ContactLink.LINKED)
            case [_, *_]:
                return LinkChoice(None, ContactLink.AMBIGUOUS)
        creator = first[want.email_key]
        made_id = made.get(member_key(self._ctx.community, creator.member_id))
        if made_id is None:
            return REFUSED
        mine = creator.member_id == want.member.member_id
        return LinkChoice(made_id, ContactLink.CREATED if mine else ContactLink.LINKED)


def _record_key(key: str) -> str:
    return f"member:{key.rpartition(':')[2]}"
