"""Failures: parked records, their next attempt, and what a person decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    case,
    cast,
    exists,
    func,
    literal_column,
    select,
    text,
    update,
)

import models
from worker import clock
from worker.domain.state import (
    ContactLink,
    Failure,
    FailureState,
    MemberState,
    ParkedRecord,
)
from worker.store.members import assign_contact
from worker.store.rows import AnyRow, columns, slices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import ColumnElement, SQLColumnExpression

    from worker.database import Database, Insert

_COLUMNS = columns(models.Failure, Failure)
# Written as in the index: the planners do not match a bound value with it.
_OPEN = text("state = 'open'")
_IS_OPEN = models.Failure.state == literal_column("'open'")
_MEMBER = "member:"
# From the key to the id, not the other way: the members are found by their index.
_MEMBER_ID = case(
    (
        models.Failure.record_key.startswith(_MEMBER),
        cast(func.substr(models.Failure.record_key, len(_MEMBER) + 1), BigInteger),
    )
)


class Failures:
    """Parked records; at most one open failure per record and stream."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def park(self, rows: Iterable[ParkedRecord]) -> None:
        """Park records; one that is parked already has one more attempt behind it."""
        now = clock.now()
        statement = self._upsert()
        for part in slices(rows):
            with self._database.write() as connection:
                connection.execute(statement, [_as_row(row, now) for row in part])

    def _upsert(self) -> Insert:
        statement = self._database.insert(models.Failure)
        renewed = (
            "reason",
            "fields",
            "detail",
            "last_failed_at",
            "next_try_at",
            "candidates",
            "run_id",
        )
        return statement.on_conflict_do_update(
            index_elements=["community", "stream", "record_key"],
            index_where=_OPEN,
            set_={
                **{name: statement.excluded[name] for name in renewed},
                "attempts": models.Failure.attempts + 1,
            },
        )

    def resolve(self, community: str, stream: str, record_keys: Iterable[str]) -> int:
        """End the open failures of records that went through; return how many."""
        resolved = 0
        for part in slices(record_keys):
            resolved += self._change(
                (
                    models.Failure.community == community,
                    models.Failure.stream == stream,
                    models.Failure.record_key.in_(part),
                ),
                state=FailureState.RESOLVED,
            )
        return resolved

    def open_keys(self, community: str, stream: str, prefix: str) -> set[str]:
        """Return the records of one kind that have an open failure."""
        query = select(models.Failure.record_key).where(
            *_open_of(community, stream),
            models.Failure.record_key.startswith(prefix, autoescape=True),
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def resolve_all(self, community: str, stream: str) -> int:
        """End every open failure of a stream; return how many."""
        return self._change(
            (models.Failure.community == community, models.Failure.stream == stream),
            state=FailureState.RESOLVED,
        )

    def resolve_healed(self, community: str, stream: str) -> int:
        """
        End the open failures of members that have been written since, but for those
        whose Contact is still in doubt; return how many.
        """
        healed = exists().where(
            models.Member.community == models.Failure.community,
            models.Member.member_id == _MEMBER_ID,
            models.Member.state.in_((MemberState.SYNCED, MemberState.DELETED)),
            models.Member.contact_link.not_in(
                (ContactLink.AMBIGUOUS, ContactLink.REFUSED)
            ),
            models.Member.updated_at > models.Failure.last_failed_at,
        )
        return self._change(
            (
                models.Failure.community == community,
                models.Failure.stream == stream,
                healed,
            ),
            state=FailureState.RESOLVED,
        )

    def next_try_at(self, community: str, stream: str) -> datetime | None:
        """Return when the first open failure of a stream is due, if any is."""
        query = select(func.min(models.Failure.next_try_at)).where(
            *_open_of(community, stream)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def due(
        self, community: str, stream: str, now: datetime, limit: int = 1000
    ) -> list[Failure]:
        """Return the open failures whose next attempt has come, the oldest first."""
        next_try_at = models.Failure.next_try_at
        return self._failures(
            limit,
            (next_try_at, models.Failure.id),
            models.Failure.community == community,
            models.Failure.stream == stream,
            _IS_OPEN,
            next_try_at <= now,
        )

    def open(
        self,
        community: str,
        stream: str | None = None,
        reason: str | None = None,
        limit: int = 100,
        after: int = 0,
    ) -> list[Failure]:
        """Return open failures by id; `after` is the last id of the page before."""
        where = [*_open_of(community, stream), models.Failure.id > after]
        if reason is not None:
            where.append(models.Failure.reason == reason)
        return self._failures(limit, (models.Failure.id,), *where)

    def of_record(self, community: str, stream: str, record_key: str) -> Failure | None:
        """Return the record's open failure."""
        found = self._failures(
            1,
            (models.Failure.id,),
            *_open_of(community, stream),
            models.Failure.record_key == record_key,
        )
        return found[0] if found else None

    def get(self, failure_id: int) -> Failure | None:
        found = self._failures(1, (models.Failure.id,), models.Failure.id == failure_id)
        return found[0] if found else None

    def retry(self, failure_ids: Iterable[int]) -> int:
        """Make open failures due now; return how many were still open."""
        retried = 0
        for part in slices(failure_ids):
            retried += self._change(
                (models.Failure.id.in_(part),), next_try_at=clock.now()
            )
        return retried

    def discard(self, failure_ids: Iterable[int], why: str) -> int:
        """Give open failures up; return how many were still open."""
        discarded = 0
        for part in slices(failure_ids):
            discarded += self._change(
                (models.Failure.id.in_(part),),
                state=FailureState.DISCARDED,
                resolution=why,
            )
        return discarded

    def assign(self, failure_id: int, contact_id: str) -> bool:
        """
        Remember the Contact a person chose for a parked member, and make its failure
        due now. Say whether this was an open failure of a member.
        """
        query = select(*_COLUMNS).where(models.Failure.id == failure_id, _IS_OPEN)
        with self._database.write() as connection:
            row = connection.execute(query.with_for_update()).one_or_none()
            if row is None or not row.record_key.startswith(_MEMBER):
                return False
            member_id = int(row.record_key.removeprefix(_MEMBER))
            member = (row.community, member_id)
            assign_contact(self._database, connection, member, contact_id)
            connection.execute(
                update(models.Failure)
                .where(models.Failure.id == failure_id)
                .values(next_try_at=clock.now(), resolution=f"assigned to {contact_id}")
            )
            return True

    def count(self, community: str, stream: str | None = None) -> dict[str, int]:
        """Count open failures by reason."""
        query = (
            select(models.Failure.reason, func.count())
            .where(*_open_of(community, stream))
            .group_by(models.Failure.reason)
        )
        with self._database.read() as connection:
            return dict(connection.execute(query).all())

    def _change(self, where: tuple[ColumnElement[bool], ...], **values: object) -> int:
        statement = update(models.Failure).where(_IS_OPEN, *where).values(**values)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    def _failures(
        self,
        limit: int,
        order: tuple[SQLColumnExpression[Any], ...],
        *where: ColumnElement[bool],
    ) -> list[Failure]:
        query = select(*_COLUMNS).where(*where).order_by(*order).limit(limit)
        with self._database.read() as connection:
            return [_as_failure(row) for row in connection.execute(query)]


def _open_of(community: str, stream: str | None) -> list[ColumnElement[bool]]:
    where = [models.Failure.community == community, _IS_OPEN]
    if stream is not None:
        where.append(models.Failure.stream == stream)
    return where


def _as_row(parked: ParkedRecord, now: datetime) -> dict[str, object]:
    candidates = parked.candidates
    return {
        **parked._asdict(),
        # PostgreSQL's text has no place for it.
        "detail": parked.detail.replace("\0", ""),
        "fields": list(parked.fields),
        "candidates": None if candidates is None else list(candidates),
        "attempts": 1,
        "first_failed_at": now,
        "last_failed_at": now,
        "state": FailureState.OPEN,
    }


def _as_failure(row: AnyRow) -> Failure:
    failure = Failure(*row)
    candidates = row.candidates
    return failure._replace(
        fields=tuple(row.fields),
        candidates=None if candidates is None else tuple(candidates),
    )
