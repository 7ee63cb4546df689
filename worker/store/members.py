"""
Members and what the crm holds of them. The hot path: lists of rows in few statements,
because a full pass touches every row twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, delete, func, select, update

import models
from worker import clock
from worker.domain.state import (
    ContactLink,
    MemberLink,
    MemberState,
    StagedMember,
    Winner,
)
from worker.store.bulk import Bulk, BulkRow, as_stored
from worker.store.rows import columns, slices

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from worker.database import Database

_LINK = columns(models.Member, MemberLink)
_STAGED = {
    "community": "text",
    "member_id": "bigint",
    "sent_fingerprint": "bytea",
    "batch_id": "bigint",
    "contact_id": "text",
    "contact_link": "text",
    "email_key": "bytea",
    "last_visit_at": "timestamptz",
    "contact_values": "text",
    "slow_due_at": "timestamptz",
    "deleted": "boolean",
    "state": "text",
    "updated_at": "timestamptz",
}
_SLOW_DONE = Bulk.update(
    "members",
    key=("community", "member_id"),
    columns={"community": "text", "member_id": "bigint", "digest": "bytea"},
    set_={"slow_fingerprint": "{digest}", "slow_due_at": "NULL"},
)
_CREATED = Bulk.update(
    "members",
    key=("community", "member_id"),
    columns={
        "community": "text",
        "member_id": "bigint",
        "record_id": "text",
        "batch": "bigint",
    },
    # Settles the row as well, unless a newer batch has it by now: one new version of
    # each row of a first pass instead of two.
    set_={
        "community_user_id": "{record_id}",
        "fingerprint": "CASE batch_id WHEN {batch} THEN sent_fingerprint "
        "ELSE fingerprint END",
        "state": "CASE WHEN batch_id IS NULL OR batch_id <> {batch} THEN state "
        "WHEN deleted THEN 'deleted' ELSE 'synced' END",
        "batch_id": "nullif(batch_id, {batch})",
    },
    # The answer to a later batch is never overwritten.
    only="(batch_id = {batch} OR members.community_user_id IS NULL)",
)
_KEPT = {"community", "member_id", "slow_due_at"}
# community_user_id is settle's alone.
_STAGE = Bulk.upsert(
    "members",
    ("community", "member_id"),
    _STAGED,
    "fingerprint = NULL, "
    "slow_due_at = coalesce(excluded.slow_due_at, members.slow_due_at), "
    + ", ".join(f"{name} = excluded.{name}" for name in _STAGED if name not in _KEPT),
)
_WINNER = (models.Member.contact_id, *columns(models.Member, Winner))
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
            found |= self._links(
                community, self._database.among(models.Member.member_id, part)
            )
        return found

    def stage(self, community: str, rows: list[StagedMember]) -> None:
        """
        Record what is about to be sent, in one transaction.

        Until `settle`, the fingerprints of these members are unknown, so that a crash
        in between makes the next run send them again.
        """
        if not rows:
            return
        with self._database.write() as connection:
            _STAGE.run(connection, _staged(connection, community, rows))
        self._database.grew("members", len(rows))

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
        with self._database.write() as connection:
            _note_created(connection, community, batch_id, created)
            batch = (community, batch_id)
            _end_batch(self._database, connection, batch, failed)

    def note_created(
        self, community: str, batch_id: int, created: Iterable[tuple[int, str]]
    ) -> None:
        """
        Keep the record ids of members a batch created and settle these, a page of a
        large batch at a time; `settle` then does the rest.
        """
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
        done = dict(rows)
        with self._database.write() as connection:
            _SLOW_DONE.run(
                connection,
                [(community, key, digest) for key, digest in done.items()],
            )

    def slow_again(self, community: str, member_ids: Iterable[int]) -> None:
        """Put members on the waiting list for their slow fields, if they are not."""
        now = clock.now()
        with self._database.write() as connection:
            for part in slices(member_ids):
                connection.execute(
                    update(models.Member)
                    .where(
                        models.Member.community == community,
                        self._database.among(models.Member.member_id, part),
                        models.Member.slow_due_at.is_(None),
                    )
                    .values(slow_due_at=now)
                )

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
            # What the org shows of the link is no longer what was last written.
            values["fingerprint"] = None
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
            contact_id = models.Member.contact_id
            links = self._links(
                community,
                contact_id.is_not(None),
                self._database.among(contact_id, part),
            )
            found.extend(links.values())
        return sorted(found)

    def unlinked_with_email(
        self, community: str, email_keys: Iterable[bytes]
    ) -> list[MemberLink]:
        found: list[MemberLink] = []
        for part in slices(email_keys):
            links = self._links(
                community,
                models.Member.contact_id.is_(None),
                models.Member.email_key.is_not(None),
                self._database.among(models.Member.email_key, part),
            )
            found.extend(links.values())
        return sorted(found)

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
                    # Says what the index leaves out; SQLite does not infer it.
                    models.Member.contact_id.is_not(None),
                    self._database.among(models.Member.contact_id, part),
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
        self._database.shrank("members")

    def _links(
        self, community: str, *where: ColumnElement[bool]
    ) -> dict[int, MemberLink]:
        # In no order: asked for the ids', SQLite would walk the whole table by them.
        query = select(*_LINK).where(models.Member.community == community, *where)
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


def _staged(
    connection: Connection, community: str, rows: list[StagedMember]
) -> Iterator[BulkRow]:
    """Give the columns of `_STAGED`; of two rows for one member the last counts."""
    now = as_stored(connection, clock.now())
    pending = MemberState.PENDING.value
    due: dict[datetime | None, str | datetime | None] = {}
    for row in {row.member_id: row for row in rows}.values():
        # All rows of a page wait since the same instant.
        if row.slow_due_at not in due:
            due[row.slow_due_at] = as_stored(connection, row.slow_due_at)
        yield (
            community,
            row.member_id,
            row.sent_fingerprint,
            row.batch_id,
            row.contact_id,
            row.contact_link.value,
            row.email_key,
            as_stored(connection, row.last_visit_at),
            row.contact_values,
            due[row.slow_due_at],
            row.deleted,
            pending,
            now,
        )


def _end_batch(
    database: Database,
    connection: Connection,
    batch: tuple[str, int],
    failed: Iterable[int],
) -> None:
    """Take every member out of the batch."""
    now = clock.now()
    in_batch = _in_batch(*batch)
    for part in slices(failed):
        connection.execute(
            update(models.Member)
            .where(*in_batch, database.among(models.Member.member_id, part))
            .values(state=MemberState.FAILED, batch_id=None, updated_at=now)
        )
    statement = (
        update(models.Member)
        .where(*in_batch)
        .values(
            fingerprint=models.Member.sent_fingerprint,
            state=_END_STATE,
            batch_id=None,
            updated_at=now,
        )
    )
    connection.execute(statement)


def _in_batch(community: str, batch_id: int) -> tuple[ColumnElement[bool], ...]:
    return (models.Member.community == community, models.Member.batch_id == batch_id)


def _note_created(
    connection: Connection,
    community: str,
    batch_id: int,
    created: Iterable[tuple[int, str]],
) -> None:
    """Keep the new records' ids, and settle those that are still in the batch."""
    for part in slices(dict(created).items(), 1000):
        rows = [(community, key, record_id, batch_id) for key, record_id in part]
        _CREATED.run(connection, rows)
