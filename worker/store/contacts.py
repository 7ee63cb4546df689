"""Contacts of the org, by e-mail key, and which of them wait for our fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, delete, exists, or_, select, update

import models
from worker import clock
from worker.domain.state import ContactDue
from worker.store.rows import slices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from worker.database import Database, Insert


class Contacts:
    """
    The org's Contacts as each community's matching needs them.

    A refresh reads all of them: `begin_refresh`, `add` page by page, `finish_refresh`.
    What was not seen by then has gone. A refresh that broke off leaves everything.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_refresh(self, community: str) -> int:
        """Return the generation that this refresh gives to what it sees."""
        statement = (
            update(models.Community)
            .where(models.Community.community == community)
            .values(contact_generation=models.Community.contact_generation + 1)
            .returning(models.Community.contact_generation)
        )
        with self._database.write() as connection:
            return connection.execute(statement).scalar_one()

    def add(
        self,
        community: str,
        generation: int | None,
        rows: Iterable[tuple[str, bytes | None]],
        *,
        created_by_us: bool = False,
    ) -> None:
        """
        Keep Contacts with their e-mail keys; what we know of our fields stays.

        Without a generation they count as seen by a refresh that is under way.
        """
        for part in slices(rows, 1000):
            with self._database.write() as connection:
                seen = generation or _generation(connection, community)
                values = [
                    {
                        "community": community,
                        "contact_id": contact_id,
                        "email_key": email_key,
                        "generation": seen,
                        "created_by_us": created_by_us,
                    }
                    for contact_id, email_key in part
                ]
                connection.execute(self._upsert(), values)

    def _upsert(self) -> Insert:
        statement = self._database.insert(models.Contact)
        new = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=["community", "contact_id"],
            set_={
                "email_key": new.email_key,
                "generation": new.generation,
                "created_by_us": or_(models.Contact.created_by_us, new.created_by_us),
            },
        )

    def linked_unseen(self, community: str, generation: int) -> list[str]:
        """Return the Contacts this refresh did not see that members are linked to."""
        linked = exists().where(
            models.Member.community == community,
            models.Member.contact_id == models.Contact.contact_id,
        )
        query = select(models.Contact.contact_id).where(
            models.Contact.community == community,
            models.Contact.generation < generation,
            linked,
        )
        with self._database.read() as connection:
            return sorted(connection.execute(query).scalars())

    def finish_refresh(self, community: str, generation: int) -> list[str]:
        """
        Forget the Contacts that this refresh did not see; return those that members
        are linked to.
        """
        unseen = (
            models.Contact.community == community,
            models.Contact.generation < generation,
        )
        linked = exists().where(
            models.Member.community == community,
            models.Member.contact_id == models.Contact.contact_id,
        )
        query = select(models.Contact.contact_id).where(*unseen, linked)
        with self._database.write() as connection:
            gone = list(connection.execute(query).scalars())
            connection.execute(delete(models.Contact).where(*unseen))
        return sorted(gone)

    def remove(self, community: str, contact_ids: Iterable[str]) -> None:
        with self._database.write() as connection:
            for part in slices(contact_ids):
                connection.execute(
                    delete(models.Contact).where(*_these(community, part))
                )

    def by_email(
        self, community: str, email_keys: Iterable[bytes]
    ) -> dict[bytes, list[str]]:
        """Return the ids of the Contacts with each key, in order; no key without."""
        found: dict[bytes, list[str]] = {}
        for part in slices(email_keys):
            query = (
                select(models.Contact.email_key, models.Contact.contact_id)
                .where(
                    models.Contact.community == community,
                    models.Contact.email_key.is_not(None),
                    models.Contact.email_key.in_(part),
                )
                .order_by(models.Contact.contact_id)
            )
            with self._database.read() as connection:
                for key, contact_id in connection.execute(query):
                    found.setdefault(key, []).append(contact_id)  # type: ignore[arg-type]  # the query leaves null keys out
        return found

    def created_by_us(
        self, community: str, after_id: str = "", limit: int = 1000
    ) -> list[str]:
        query = (
            select(models.Contact.contact_id)
            .where(
                models.Contact.community == community,
                models.Contact.created_by_us.is_(True),
                models.Contact.contact_id > after_id,
            )
            .order_by(models.Contact.contact_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def mark_due(self, community: str, contact_ids: Iterable[str]) -> None:
        """Ask for our fields on these Contacts to be written again if they differ."""
        now = clock.now()
        statement = self._database.insert(models.Contact).on_conflict_do_update(
            index_elements=["community", "contact_id"], set_={"due_at": now}
        )
        for part in slices(contact_ids, 1000):
            with self._database.write() as connection:
                seen = _generation(connection, community)
                values = [
                    {
                        "community": community,
                        "contact_id": contact_id,
                        "generation": seen,
                        "created_by_us": False,
                        "due_at": now,
                    }
                    for contact_id in part
                ]
                connection.execute(statement, values)

    def due(
        self, community: str, after_id: str = "", limit: int = 1000
    ) -> list[ContactDue]:
        """Return the Contacts that wait, in the order of their ids."""
        query = (
            select(models.Contact.contact_id, models.Contact.written)
            .where(
                models.Contact.community == community,
                models.Contact.due_at.is_not(None),
                models.Contact.contact_id > after_id,
            )
            .order_by(models.Contact.contact_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [ContactDue(*row) for row in connection.execute(query)]

    def written(
        self,
        community: str,
        rows: Iterable[tuple[str, bytes | None]],
        *,
        as_of: datetime | None = None,
    ) -> None:
        """
        Record what the Contacts show now; they wait no longer, but for those marked
        due after `as_of` (when what was written was read).
        """
        statement = (
            update(models.Contact)
            .where(
                models.Contact.community == community,
                models.Contact.contact_id == bindparam("bound_id"),
            )
            .values(written=bindparam("digest"), due_at=_kept_after(as_of))
        )
        for part in slices(rows, 1000):
            values = [{"bound_id": key, "digest": digest} for key, digest in part]
            with self._database.write() as connection:
                connection.execute(statement, values)

    def clear(self, community: str) -> None:
        """Forget all Contacts of the community."""
        with self._database.write() as connection:
            connection.execute(
                delete(models.Contact).where(models.Contact.community == community)
            )


def _these(community: str, ids: list[str]) -> tuple[ColumnElement[bool], ...]:
    return (models.Contact.community == community, models.Contact.contact_id.in_(ids))


def _kept_after(as_of: datetime | None) -> object:
    if as_of is None:
        return None
    return case((models.Contact.due_at > as_of, models.Contact.due_at), else_=None)


def _generation(connection: Connection, community: str) -> int:
    """Return the newest refresh's number: what is added now, it has seen."""
    query = select(models.Community.contact_generation).where(
        models.Community.community == community
    )
    return connection.execute(query).scalar_one()
