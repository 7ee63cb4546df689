"""
Members and what the crm holds of them. The hot path: lists of rows in few statements,
because a full pass touches every row twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, delete, func, or_, select, update

import models
from worker import clock
from worker.domain.state import (
    ContactLink,
    MemberLink,
    MemberState,
    StagedMember,
    Winner,
)
from worker.store.rows import columns, slices

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import ColumnElement, Connection

    from worker.database import Database

_LINK = columns(models.Member, MemberLink)
# What a staged row replaces; community_user_id is settle's alone.
_REPLACED = (
    "sent_fingerprint",
    "batch_id",
    "contact_id",
    "contact_link",
    "email_key",
    "last_visit_at",
    "contact_values",
    "deleted",
    "state",
    "updated_at",
)
_WINNER = (models.Member.contact_id, *columns(models.Member, Winner))
_STORED_DUE = models.Member.slow_due_at
_END_STATE = case(
    (models.Member.deleted.is_(True), MemberState.DELETED.value),
    else_=MemberState.SYNCED.value,
)


class Members:
    """The members of each community, by member id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(
        self, community: str, low_exclusive: int, high_inclusive: int
    ) -> dict[int, MemberLink]:
        member_id = models.Member.member_id
        return self._links(
            community, member_id > low_exclusive, member_id <= high_inclusive
        )

    def by_ids(
        self, community: str, member_ids: Iterable[int]
    ) -> dict[int, MemberLink]:
        found: dict[int, MemberLink] = {}
        for part in slices(member_ids):
            found |= self._links(community, models.Member.member_id.in_(part))
        return found

    def stage(self, community: str, rows: list[StagedMember]) -> None:
        """
        Record what is about to be sent, in one transaction.

        Until `settle`, the fingerprints of these members are unknown, so that a crash
        in between makes the next run send them again.
        """
        if not rows:
            return
        shared = {
            "community": community,
            "fingerprint": None,
            "state": MemberState.PENDING,
            "updated_at": clock.now(),
        }
        values = [{**shared, **row._asdict()} for row in rows]
        statement = self._database.insert(models.Member)
        new = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["community", "member_id"],
            set_={
                **{name: new[name] for name in _REPLACED},
                "fingerprint": None,
                "slow_due_at": func.coalesce(new.slow_due_at, _STORED_DUE),
            },
        )
        with self._database.write() as connection:
            connection.execute(statement, values)

    def settle(
        self,
        community: str,
        batch_id: int,
        failed: Collection[int] = (),
        created: Iterable[tuple[int, str]] = (),
    ) -> None:
        """
        Record the outcome of a batch in one transaction: all members still in it are
        as they were sent, but for the failed. Settled twice, it changes nothing.
        """
        now = clock.now()
        in_batch = _in_batch(community, batch_id)
        with self._database.write() as connection:
            _note_created(connection, community, batch_id, created)
            for part in slices(failed):
                connection.execute(
                    update(models.Member)
                    .where(*in_batch, models.Member.member_id.in_(part))
                    .values(state=MemberState.FAILED, batch_id=None, updated_at=now)
                )
            connection.execute(
                update(models.Member)
                .where(*in_batch)
                .values(
                    fingerprint=models.Member.sent_fingerprint,
                    state=_END_STATE,
                    batch_id=None,
                    updated_at=now,
                )
            )

    def note_created(
        self, community: str, batch_id: int, created: Iterable[tuple[int, str]]
    ) -> None:
        """Keep the record ids of members a batch created, before it is settled."""
        with self._database.write() as connection:
            _note_created(connection, community, batch_id, created)

    def slow_due(self, community: str, limit: int) -> list[int]:
        """Return members whose slow fields are to be fetched, longest waiting first."""
        due_at = models.Member.slow_due_at
        query = (
            select(models.Member.member_id)
            .where(models.Member.community == community, due_at.is_not(None))
            .order_by(due_at, models.Member.member_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def slow_done(self, community: str, rows: list[tuple[int, bytes | None]]) -> None:
        """Take members off the waiting list, with the digest of what was written."""
        if not rows:
            return
        statement = (
            update(models.Member)
            .where(_is_bound(community))
            .values(slow_due_at=None, slow_fingerprint=bindparam("digest"))
        )
        values = [
            {"bound_id": member_id, "digest": digest} for member_id, digest in rows
        ]
        with self._database.write() as connection:
            connection.execute(statement, values)

    def slow_waiting(self, community: str) -> int:
        return self._count(community, models.Member.slow_due_at.is_not(None))

    def count(self, community: str) -> dict[MemberState, int]:
        query = (
            select(models.Member.state, func.count())
            .where(models.Member.community == community)
            .group_by(models.Member.state)
        )
        with self._database.read() as connection:
            return dict(connection.execute(query).all())

    def linked_count(self, community: str) -> int:
        return self._count(community, models.Member.contact_id.is_not(None))

    def max_id(self, community: str) -> int:
        query = select(func.max(models.Member.member_id)).where(
            models.Member.community == community
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one() or 0

    def relink(
        self, community: str, old_contact: str, new_contact: str | None
    ) -> list[int]:
        """
        Move the members of a Contact that was merged into another, or has gone
        (None: unlinked, to be matched anew); return their ids.
        """
        values: dict[str, object] = {"contact_id": new_contact}
        if new_contact is None:
            values["contact_link"] = ContactLink.NONE
        statement = (
            update(models.Member)
            .where(
                models.Member.community == community,
                models.Member.contact_id == old_contact,
            )
            .values(**values, updated_at=clock.now())
            .returning(models.Member.member_id)
        )
        with self._database.write() as connection:
            return sorted(connection.execute(statement).scalars())

    def linked_to(self, community: str, contact_ids: Iterable[str]) -> list[MemberLink]:
        found: list[MemberLink] = []
        for part in slices(contact_ids):
            links = self._links(community, models.Member.contact_id.in_(part))
            found.extend(links.values())
        return found

    def unlinked_with_email(
        self, community: str, email_keys: Iterable[bytes]
    ) -> list[MemberLink]:
        found: list[MemberLink] = []
        for part in slices(email_keys):
            links = self._links(
                community,
                models.Member.contact_id.is_(None),
                models.Member.email_key.is_not(None),
                models.Member.email_key.in_(part),
            )
            found.extend(links.values())
        return found

    def with_records(
        self, community: str, community_user_ids: Iterable[str]
    ) -> list[MemberLink]:
        found: list[MemberLink] = []
        for part in slices(community_user_ids):
            record_id = models.Member.community_user_id
            found.extend(self._links(community, record_id.in_(part)).values())
        return found

    def winners(self, community: str, contact_ids: Iterable[str]) -> dict[str, Winner]:
        """
        Return the member that each Contact shows: the most recently seen one that is
        not deleted, of equals the higher id. Contacts without one are left out.
        """
        found: dict[str, Winner] = {}
        for part in slices(contact_ids):
            query = (
                select(*_WINNER)
                .where(
                    models.Member.community == community,
                    models.Member.contact_id.in_(part),
                    models.Member.deleted.is_(False),
                )
                .order_by(
                    models.Member.last_visit_at.asc().nulls_first(),
                    models.Member.member_id,
                )
            )
            with self._database.read() as connection:
                # The last one of each Contact stays.
                rows = connection.execute(query)
                found |= {row[0]: Winner(row[1], row[2]) for row in rows}
        return found

    def wipe(self, community: str) -> None:
        """Forget all members of the community."""
        with self._database.write() as connection:
            connection.execute(
                delete(models.Member).where(models.Member.community == community)
            )

    def _links(
        self, community: str, *where: ColumnElement[bool]
    ) -> dict[int, MemberLink]:
        query = (
            select(*_LINK)
            .where(models.Member.community == community, *where)
            .order_by(models.Member.member_id)
        )
        with self._database.read() as connection:
            return {row[0]: MemberLink(*row) for row in connection.execute(query)}

    def _count(self, community: str, condition: ColumnElement[bool]) -> int:
        query = select(func.count()).where(
            models.Member.community == community, condition
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()


def assign_contact(
    database: Database,
    connection: Connection,
    member: tuple[str, int],
    contact_id: str,
) -> None:
    """Remember a person's choice; the member counts as not written yet."""
    chosen = {
        "contact_id": contact_id,
        "contact_link": ContactLink.ASSIGNED,
        "fingerprint": None,
        "updated_at": clock.now(),
    }
    community, member_id = member
    new = {
        "community": community,
        "member_id": member_id,
        "state": MemberState.PENDING,
        "deleted": False,
    }
    statement = database.insert(models.Member).on_conflict_do_update(
        index_elements=["community", "member_id"], set_=chosen
    )
    connection.execute(statement, {**new, **chosen})


def _is_bound(community: str) -> ColumnElement[bool]:
    """SQL: the member of one row of a list, given as `bound_id`."""
    is_same = models.Member.member_id == bindparam("bound_id")
    return (models.Member.community == community) & is_same


def _in_batch(community: str, batch_id: int) -> tuple[ColumnElement[bool], ...]:
    return (models.Member.community == community, models.Member.batch_id == batch_id)


def _note_created(
    connection: Connection,
    community: str,
    batch_id: int,
    created: Iterable[tuple[int, str]],
) -> None:
    """Keep the new records' ids; a later batch's answer is never overwritten."""
    is_ours = or_(
        models.Member.batch_id == batch_id, models.Member.community_user_id.is_(None)
    )
    statement = (
        update(models.Member)
        .where(_is_bound(community), is_ours)
        .values(community_user_id=bindparam("record_id"))
    )
    for part in slices(created, 1000):
        rows = [
            {"bound_id": member_id, "record_id": record} for member_id, record in part
        ]
        connection.execute(statement, rows)
