"""Communities: where they are, whether they may be worked on, their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

import models
from worker import clock
from worker.domain.state import Community, ConnectionStatus
from worker.store.rows import columns

if TYPE_CHECKING:
    from datetime import datetime

    from worker.database import Database

_COLUMNS = columns(models.Community, Community)


class Communities:
    """The communities this worker keeps in step."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, community: str, base_url: str, tenant: str, prefix: str) -> None:
        """Create the community or bring its address up to date; keep all else."""
        now = clock.now()
        address = {"base_url": base_url, "tenant": tenant, "api_prefix": prefix}
        statement = self._database.insert(models.Community).on_conflict_do_update(
            index_elements=["community"], set_={**address, "updated_at": now}
        )
        row = {
            "community": community,
            **address,
            "connection_status": ConnectionStatus.NOT_ACTIVE,
            "status_reason": "",
            "feature_settings": {},
            "contact_generation": 0,
            "created_at": now,
            "updated_at": now,
        }
        with self._database.write() as connection:
            connection.execute(statement, row)

    def get(self, community: str) -> Community | None:
        query = select(*_COLUMNS).where(models.Community.community == community)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return Community(*row) if row else None

    def all(self) -> list[Community]:
        query = select(*_COLUMNS).order_by(models.Community.community)
        with self._database.read() as connection:
            return [Community(*row) for row in connection.execute(query)]

    def set_status(
        self, community: str, status: ConnectionStatus, reason: str = ""
    ) -> None:
        """Only an active community's streams are claimed by the tick."""
        self._change(community, connection_status=status, status_reason=reason)

    def settings(self, community: str) -> dict[str, object]:
        found = self.get(community)
        return found.feature_settings if found else {}

    def change_settings(self, community: str, changes: dict[str, object]) -> None:
        """Merge `changes` into the stored settings; nobody else's change is lost."""
        query = (
            select(models.Community.feature_settings)
            .where(models.Community.community == community)
            .with_for_update()
        )
        with self._database.write() as connection:
            settings = {**connection.execute(query).scalar_one(), **changes}
            connection.execute(
                update(models.Community)
                .where(models.Community.community == community)
                .values(feature_settings=settings, updated_at=clock.now())
            )

    def note_tick(self, community: str) -> None:
        """Leave the sign of life that `last_tick_at` reads, on whatever machine."""
        statement = (
            update(models.Community)
            .where(models.Community.community == community)
            .values(ticked_at=clock.now())
        )
        with self._database.write() as connection:
            connection.execute(statement)

    def last_tick_at(self) -> datetime | None:
        query = select(func.max(models.Community.ticked_at))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def _change(self, community: str, **values: object) -> None:
        statement = (
            update(models.Community)
            .where(models.Community.community == community)
            .values(updated_at=clock.now(), **values)
        )
        with self._database.write() as connection:
            connection.execute(statement)
