"""Contacts of the org, by e-mail key, and which of them wait for our fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select, update

import models
from worker import clock
from worker.domain.state import ContactDue
from worker.store.bulk import Bulk, as_stored
from worker.store.rows import slices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from worker.database import Database

_ADD = Bulk.upsert(
    "contacts",
    ("community", "contact_id"),
    {
        "community": "text",
        "contact_id": "text",
        "email_key": "bytea",
        "generation": "integer",
        "created_by_us": "boolean",
    },
    "email_key = excluded.email_key, generation = excluded.generation, "
    "created_by_us = contacts.created_by_us OR excluded.created_by_us",
)
_MARK_DUE = Bulk.upsert(
    "contacts",
    ("community", "contact_id"),
    {
        "community": "text",
        "contact_id": "text",
        "generation": "integer",
        "created_by_us": "boolean",
        "due_at": "timestamptz",
    },
    "due_at = excluded.due_at",
)
_WRITTEN = Bulk.update(
    "contacts",
    key=("community", "contact_id"),
    columns={
        "community": "text",
        "contact_id": "text",
        "written": "bytea",
        "read_at": "timestamptz",
    },
    # One that was marked due after it was read stays so.
    set_={
        "written": "{written}",
        "due_at": "CASE WHEN contacts.due_at > {read_at} THEN contacts.due_at END",
    },
)
_NEVER_LATER = datetime.max.replace(tzinfo=UTC)


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
                rows_of_part = [
                    (community, contact_id, email_key, seen, created_by_us)
                    for contact_id, email_key in dict(part).items()
                ]
                _ADD.run(connection, rows_of_part)
            self._database.grew("contacts", len(part))

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
                these = self._database.among(models.Contact.contact_id, part)
                connection.execute(
                    delete(models.Contact).where(
                        models.Contact.community == community, these
                    )
                )

    def by_email(
        self, community: str, email_keys: Iterable[bytes]
    ) -> dict[bytes, list[str]]:
        """Return the ids of the Contacts with each key, in order; no key without."""
        found: dict[bytes, list[str]] = {}
        for part in slices(email_keys):
            query = select(models.Contact.email_key, models.Contact.contact_id).where(
                models.Contact.community == community,
                models.Contact.email_key.is_not(None),
                self._database.among(models.Contact.email_key, part),
            )
            with self._database.read() as connection:
                for key, contact_id in connection.execute(query):
                    found.setdefault(key, []).append(contact_id)  # type: ignore[arg-type]  # the query leaves null keys out
        # Sorted here: asked to, SQLite walks the whole table in that order instead.
        return {key: sorted(ids) for key, ids in found.items()}

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
        for part in slices(contact_ids, 1000):
            with self._database.write() as connection:
                seen = _generation(connection, community)
                due_at = as_stored(connection, now)
                _MARK_DUE.run(
                    connection,
                    [(community, key, seen, False, due_at) for key in set(part)],
                )

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
        for part in slices(rows, 1000):
            with self._database.write() as connection:
                read_at = as_stored(connection, as_of or _NEVER_LATER)
                _WRITTEN.run(
                    connection,
                    [
                        (community, key, digest, read_at)
                        for key, digest in dict(part).items()
                    ],
                )

    def clear(self, community: str) -> None:
        """Forget all Contacts of the community."""
        with self._database.write() as connection:
            connection.execute(
                delete(models.Contact).where(models.Contact.community == community)
            )
        self._database.shrank("contacts")


def _generation(connection: Connection, community: str) -> int:
    """Return the newest refresh's number: what is added now, it has seen."""
    query = select(models.Community.contact_generation).where(
        models.Community.community == community
    )
    return connection.execute(query).scalar_one()
