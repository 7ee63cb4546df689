"""
Keeps the tokens of a remote: encrypted, renewed by one process at a time. Knows
nothing of how a token is obtained.
"""

from __future__ import annotations

import time
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import Connection, or_, select, update

import models
from worker import clock
from worker.domain.tokens import Token
from worker.errors import TokenRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Lock

    from sqlalchemy import ColumnElement

    from worker.database import Database
    from worker.domain.records import Side
    from worker.secrets import SecretBox
    from worker.store.rows import AnyRow

LEASE = timedelta(seconds=30)
# How often a waiting process looks whether the winner is done.
POLL_S = 0.05


class StoredToken:
    """
    The `TokenVault` in the database.

    `owner` is community and remote; `turn` is shared by all vaults of that owner in
    this process, so that its threads do not compete in the database.
    """

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        owner: tuple[str, Side],
        turn: Lock,
    ) -> None:
        self._database = database
        self._box = box
        self._owner = owner
        self._turn = turn
        self._holder = token_hex(8)

    def load(self) -> Token | None:
        """Return the stored token. Raises ConfigurationError when no key opens it."""
        row = self._row()
        return self._opened(row) if row else None

    def renew(self, seen: int | None, obtain: Callable[[Token | None], Token]) -> Token:
        """
        As `TokenVault` promises.

        A remote that rotates refresh tokens may refuse the newest because its answer
        was lost on the way; the one before is tried once then.
        """
        with self._turn:
            self._ensure()
            while not self._take():
                if newer := self._newer_than(seen):
                    return newer
                time.sleep(POLL_S)
            try:
                return self._newer_than(seen) or self._obtain(obtain)
            finally:
                self._release()

    def forget(self) -> None:
        """Drop the token, as after a withdrawn connection."""
        nothing = dict.fromkeys(("access", "refresh", "previous_refresh", "expires_at"))
        self._change(**nothing)

    def _obtain(self, obtain: Callable[[Token | None], Token]) -> Token:
        row = self._row()
        known = self._opened(row) if row else None
        try:
            token = obtain(known)
        except TokenRefused:
            previous = row.previous_refresh if row else None
            if known is None or previous is None:
                raise
            token = obtain(known._replace(refresh=self._box.decrypt(previous)))
        return self._stored(token, row)

    def _stored(self, token: Token, before: AnyRow | None) -> Token:
        """Commit the token unless somebody else was faster; return what counts."""
        generation = before.generation if before else 0
        statement = (
            update(models.Credential)
            .where(*self._mine(), models.Credential.generation == generation)
            .values(**self._sealed(token, before), generation=generation + 1)
        )
        with self._database.write() as connection:
            is_ours = connection.execute(statement).rowcount == 1
        if is_ours:
            return token._replace(generation=generation + 1)
        return self._newer_than(generation) or token

    def _sealed(self, token: Token, before: AnyRow | None) -> dict[str, object]:
        refresh = token.refresh
        return {
            "access": self._box.encrypt(token.access),
            "refresh": None if refresh is None else self._box.encrypt(refresh),
            "previous_refresh": before.refresh if before else None,
            "expires_at": token.expires_at,
            "instance_url": token.instance_url,
            "subject": token.subject,
            "updated_at": clock.now(),
        }

    def _opened(self, row: AnyRow) -> Token | None:
        if row.access is None:
            return None
        refresh = row.refresh
        return Token(
            access=self._box.decrypt(row.access),
            refresh=None if refresh is None else self._box.decrypt(refresh),
            expires_at=row.expires_at,
            generation=row.generation,
            instance_url=row.instance_url,
            subject=row.subject,
        )

    def _newer_than(self, seen: int | None) -> Token | None:
        token = self.load()
        return token if token and token.generation > (seen or 0) else None

    def _row(self) -> AnyRow | None:
        query = select(models.Credential.__table__).where(*self._mine())
        with self._database.read() as connection:
            return connection.execute(query).one_or_none()

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        community, remote = self._owner
        return (
            models.Credential.community == community,
            models.Credential.remote == remote,
        )

    def _ensure(self) -> None:
        """Create the row that carries the lease."""
        if self._row() is not None:
            return
        community, remote = self._owner
        row = {
            "community": community,
            "remote": remote,
            "generation": 0,
            "updated_at": clock.now(),
        }
        statement = self._database.insert(models.Credential).on_conflict_do_nothing()
        with self._database.write() as connection:
            connection.execute(statement, row)

    def _take(self) -> bool:
        expiry = models.Credential.lease_expires_at
        statement = (
            update(models.Credential)
            .where(*self._mine(), or_(expiry.is_(None), expiry <= self._database.now()))
            .values(
                lease_holder=self._holder, lease_expires_at=self._database.now(LEASE)
            )
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1

    def _release(self) -> None:
        self._change(
            models.Credential.lease_holder == self._holder,
            lease_holder=None,
            lease_expires_at=None,
        )

    def _change(self, *where: ColumnElement[bool], **values: object) -> None:
        statement = (
            update(models.Credential).where(*self._mine(), *where).values(**values)
        )
        with self._database.write() as connection:
            connection.execute(statement)


def rotate_credentials(database: Database, box: SecretBox) -> int:
    """Encrypt all tokens anew with the newest key; return how many there are."""
    query = select(models.Credential.__table__).with_for_update()
    with database.write() as connection:
        rows = connection.execute(query).all()
        return sum(_rotate(connection, box, row) for row in rows)


def _rotate(connection: Connection, box: SecretBox, row: AnyRow) -> int:
    if row.access is None:
        return 0
    stored = {
        "access": row.access,
        "refresh": row.refresh,
        "previous_refresh": row.previous_refresh,
    }
    sealed = {name: box.rotate(old) for name, old in stored.items() if old is not None}
    connection.execute(
        update(models.Credential)
        .where(
            models.Credential.community == row.community,
            models.Credential.remote == row.remote,
        )
        .values(**sealed)
    )
    return 1
