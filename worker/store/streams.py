"""Streams: when they are due, how far they are, and the lease of whoever runs them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import exists, or_, select, type_coerce, update

import models
from models.base import Instant
from worker.domain.state import (
    ConnectionStatus,
    Run,
    RunKind,
    RunState,
    RunTrigger,
    StreamStatus,
)
from worker.errors import AlreadyRunning
from worker.store import runs
from worker.store.leases import is_free, lost

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Label

    from worker.database import Database
    from worker.store.rows import AnyRow

_STATUS = (
    models.Stream.community,
    models.Stream.stream,
    models.Stream.enabled,
    models.Stream.interval_s,
    models.Stream.due_at,
    models.Stream.cursor,
    models.Stream.lease_holder,
    models.Stream.lease_expires_at,
    models.Stream.fence,
    models.Stream.last_success_at,
    models.Stream.last_full_at,
)
_SCHEDULE = (
    models.Stream.community,
    models.Stream.stream,
    models.Stream.interval_s,
    models.Stream.due_at,
)
_DUE_ORDER = (models.Stream.due_at, models.Stream.community, models.Stream.stream)
# A run that kills its worker this often without any progress is given up.
LIVES = 5


class Streams:
    """Every stream of every community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, community: str, stream: str, interval: timedelta) -> None:
        """Create the stream, due at once; an existing one stays as it is."""
        row = {
            "community": community,
            "stream": stream,
            "enabled": True,
            "interval_s": int(interval.total_seconds()),
            "due_at": self._database.now(),
            "cursor": {},
            "fence": 0,
        }
        statement = self._database.insert(models.Stream).values(row)
        with self._database.write() as connection:
            connection.execute(statement.on_conflict_do_nothing())

    def status(self, community: str, stream: str) -> StreamStatus:
        """Raise LookupError when there is no such stream."""
        found = self._statuses(_is(community, stream))
        if not found:
            raise LookupError(f"{community} has no stream {stream}")
        return found[0]

    def statuses(self, community: str | None = None) -> list[StreamStatus]:
        if community is None:
            return self._statuses()
        return self._statuses(models.Stream.community == community)

    def set_interval(self, community: str, stream: str, interval: timedelta) -> None:
        """
        Change the interval; the next run is due one new interval after the last.
        What is due already stays due.
        """
        seconds = int(interval.total_seconds())
        with self._database.write() as connection:
            known = connection.execute(
                select(*_SCHEDULE, self._moment())
                .where(_is(community, stream))
                .with_for_update()
            ).one()
            due_at = known.due_at
            if due_at > known.now:
                due_at += timedelta(seconds=seconds - known.interval_s)
            _change(connection, community, stream, interval_s=seconds, due_at=due_at)

    def set_due(self, community: str, stream: str, at: datetime | None = None) -> None:
        """Make the stream due at an instant, or now."""
        due_at = self._database.now() if at is None else at
        with self._database.write() as connection:
            _change(connection, community, stream, due_at=due_at)

    def set_enabled(self, community: str, stream: str, *, enabled: bool) -> None:
        """A disabled stream is never claimed; a person may still run it."""
        with self._database.write() as connection:
            _change(connection, community, stream, enabled=enabled)

    def cursor(self, community: str, stream: str) -> dict[str, object]:
        query = select(models.Stream.cursor).where(_is(community, stream))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def save_cursor(
        self, community: str, stream: str, cursor: dict[str, object], fence: int
    ) -> None:
        """Replace the cursor. Raises LeaseLost when `fence` is not the lease's."""
        statement = (
            update(models.Stream)
            .where(*_held(community, stream, fence))
            .values(cursor=cursor)
        )
        with self._database.write() as connection:
            if connection.execute(statement).rowcount == 0:
                raise lost("save_cursor")

    def claim_due(self) -> list[Run]:
        """
        Queue a run for every due stream of an active community, and move its due time
        on; any number of processes may ask at once, one gets it.

        A stream with a run that is queued or running stays due until that is over.
        """
        with self._database.write() as connection:
            rows = connection.execute(
                select(*_SCHEDULE, self._moment())
                .where(_is_due(self._database.now()))
                .order_by(*_DUE_ORDER)
                .with_for_update(skip_locked=True)
            ).all()
            return [run for row in rows if (run := _claim(connection, row))]

    def acquire(
        self, community: str, stream: str, run_id: str, holder: str, ttl: timedelta
    ) -> int:
        """
        Take the stream for a queued run, which is running from now on; return the
        fence that its writes must show.

        Raises AlreadyRunning with the run that holds the stream, and LeaseLost when
        `run_id` is not queued any more (a message that came twice).
        """
        now = self._database.now()
        statement = (
            update(models.Stream)
            .where(_is(community, stream), is_free(now))
            .values(
                lease_holder=holder,
                lease_expires_at=self._database.now(ttl),
                fence=models.Stream.fence + 1,
                run_id=run_id,
            )
            .returning(models.Stream.fence)
        )
        with self._database.write() as connection:
            fence = connection.execute(statement).scalar_one_or_none()
            if fence is None:
                raise AlreadyRunning(stream, _current(connection, community, stream))
            runs.take(connection, run_id, fence)
            return fence

    def renew(self, community: str, stream: str, fence: int, ttl: timedelta) -> None:
        """Keep the stream for another `ttl`. Raises LeaseLost once it is taken."""
        statement = (
            update(models.Stream)
            .where(*_held(community, stream, fence))
            .values(lease_expires_at=self._database.now(ttl))
        )
        with self._database.write() as connection:
            if connection.execute(statement).rowcount == 0:
                raise lost("renew")

    def release(self, community: str, stream: str, fence: int) -> None:
        """Free the stream; nothing happens when it is free or another's already."""
        statement = (
            update(models.Stream)
            .where(*_held(community, stream, fence))
            .values(lease_holder=None, lease_expires_at=None)
        )
        with self._database.write() as connection:
            connection.execute(statement)

    def expire(self, community: str, stream: str, fence: int) -> None:
        """End a lease whose holder is known to be dead; only that lease."""
        statement = (
            update(models.Stream)
            .where(*_held(community, stream, fence))
            .values(lease_expires_at=self._database.now())
        )
        with self._database.write() as connection:
            connection.execute(statement)

    def expired(self) -> list[Run]:
        """
        End the runs whose lease ran out and queue a successor for each, in one
        transaction; return the successors.

        A dry run has none, for nobody waits for it any more, nor has a run that died
        too often without progress: it ends as failed.
        """
        with self._database.write() as connection:
            now = self._database.now()
            dead = connection.execute(
                select(*runs.COLUMNS)
                .join(models.Stream, _same_stream())
                .where(models.Run.state == RunState.RUNNING)
                .where(or_(models.Stream.run_id != models.Run.id, is_free(now)))
                .with_for_update(skip_locked=True)
            ).all()
            ended = [_succeed(connection, runs.as_run(row)) for row in dead]
            return [run for run in ended if run]

    def _moment(self) -> Label[datetime]:
        return type_coerce(self._database.now(), Instant()).label("now")

    def _statuses(self, *where: ColumnElement[bool]) -> list[StreamStatus]:
        busy = (~is_free(self._database.now())).label("busy")
        query = (
            select(*_STATUS, busy, *runs.COLUMNS)
            .outerjoin(models.Run, models.Run.id == models.Stream.run_id)
            .where(*where)
            .order_by(models.Stream.community, models.Stream.stream)
        )
        with self._database.read() as connection:
            return [_as_status(row) for row in connection.execute(query)]


def _is(community: str, stream: str) -> ColumnElement[bool]:
    return (models.Stream.community == community) & (models.Stream.stream == stream)


def _held(community: str, stream: str, fence: int) -> tuple[ColumnElement[bool], ...]:
    """SQL: the lease with this fence still counts (see `leases.hold`)."""
    return (
        _is(community, stream),
        models.Stream.fence == fence,
        models.Stream.lease_holder.is_not(None),
    )


def _same_stream() -> ColumnElement[bool]:
    return (models.Stream.community == models.Run.community) & (
        models.Stream.stream == models.Run.stream
    )


def _is_due(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    active = exists().where(
        models.Community.community == models.Stream.community,
        models.Community.connection_status == ConnectionStatus.ACTIVE,
    )
    return models.Stream.enabled & (models.Stream.due_at <= now) & active


def _change(
    connection: Connection, community: str, stream: str, **values: object
) -> None:
    connection.execute(
        update(models.Stream).where(_is(community, stream)).values(**values)
    )


def _current(connection: Connection, community: str, stream: str) -> str:
    query = select(models.Stream.run_id).where(_is(community, stream))
    return connection.execute(query).scalar_one() or ""


def _claim(connection: Connection, due: AnyRow) -> Run | None:
    """Queue a run for a due stream whose row is locked, unless one is under way."""
    if runs.active_run(connection, due.community, due.stream):
        return None
    run = runs.new_run(due.community, due.stream, RunKind.SYNC, RunTrigger.INTERVAL)
    runs.add(connection, run)
    interval = timedelta(seconds=due.interval_s)
    # Missed intervals are not made up for.
    due_at = due.due_at + interval
    if due_at <= due.now:
        due_at = due.now + interval
    _change(connection, due.community, due.stream, due_at=due_at)
    return run


def _succeed(connection: Connection, dead: Run) -> Run | None:
    """End a dead run; queue its successor if somebody still waits for its work."""
    runs.interrupt(connection, dead.id)
    if dead.kind is RunKind.DRY_RUN:
        return None
    attempts = 1 if dead.progress_done else dead.attempts + 1
    if attempts > LIVES:
        runs.give_up(connection, dead.id)
        return None
    heir = runs.new_run(dead.community, dead.stream, dead.kind, dead.trigger)
    heir = heir._replace(full=dead.full, options=dead.options, attempts=attempts)
    runs.add(connection, heir)
    return heir


def _as_status(row: AnyRow) -> StreamStatus:
    found = len(_STATUS)
    run = row[found + 1 :]
    return StreamStatus(
        community=row[0],
        stream=row[1],
        enabled=row[2],
        interval=timedelta(seconds=row[3]),
        due_at=row[4],
        cursor=row[5],
        lease_holder=row[6],
        lease_expires_at=row[7],
        busy=bool(row[found]),
        fence=row[8],
        last_success_at=row[9],
        last_full_at=row[10],
        run=Run(*run) if run[0] is not None else None,
    )
