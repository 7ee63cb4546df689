"""Runs: asked for, started, watched, finished. Their leases are in `streams`."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sqlalchemy import Connection, func, insert, select, text, update

import models
from worker import clock
from worker.domain.state import Run, RunKind, RunState, RunTrigger
from worker.errors import AlreadyRunning
from worker.store.leases import hold, is_free, let_go, lost
from worker.store.rows import AnyRow, columns

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from worker.database import Database

COLUMNS = columns(models.Run, Run)
# Written as in the index: the planners do not match bound values with it.
ACTIVE = text("runs.state IN ('queued', 'running')")


class RunEnd(TypedDict, total=False):
    """What `finish` may record besides the state."""

    counts: dict[str, int]
    calls: dict[str, int]
    extra: dict[str, object]
    error_code: str | None
    error_text: str | None


class Runs:
    """Every run there was. Writes of a run show its fence; a stale one is refused."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(
        self,
        community: str,
        stream: str,
        kind: RunKind,
        trigger: RunTrigger,
        *,
        full: bool = False,
        options: dict[str, object] | None = None,
    ) -> Run:
        """
        Queue a run.

        Raises AlreadyRunning while one is queued or running. A run whose worker died
        does not count: it ends as interrupted, and this one takes its place.
        """
        run = new_run(community, stream, kind, trigger)
        run = run._replace(full=full, options=options or {})
        with self._database.write() as connection:
            self._make_room(connection, run)
            add(connection, run)
        return run

    def _make_room(self, connection: Connection, run: Run) -> None:
        """Lock the stream; raise AlreadyRunning unless its last run is over or dead."""
        mine = (
            models.Stream.community == run.community,
            models.Stream.stream == run.stream,
        )
        free = is_free(self._database.now()).label("free")
        lock = select(free).where(*mine).with_for_update()
        is_dead = connection.execute(lock).scalar_one()
        busy = active_run(connection, run.community, run.stream)
        if busy is None:
            return
        if busy.state is RunState.QUEUED or not is_dead:
            raise AlreadyRunning(run.stream, busy.id)
        interrupt(connection, busy.id)

    def start(self, run_id: str, fence: int, *, full: bool | None = None) -> None:
        """
        Mark the run as running (`acquire` did already); say whether it is a full pass.

        Raises LeaseLost.
        """
        values: dict[str, Any] = {"heartbeat_at": clock.now()}
        if full is not None:
            values["full"] = full
        with self._database.write() as connection:
            hold(connection, run_id, fence, "start")
            _change(connection, run_id, values)

    def progress(
        self, run_id: str, done: int, total: int, counts: dict[str, int], fence: int
    ) -> None:
        """Record how far the run has come. Raises LeaseLost."""
        values = {
            "progress_done": done,
            "progress_total": total,
            "counts": counts,
            "heartbeat_at": clock.now(),
        }
        with self._database.write() as connection:
            hold(connection, run_id, fence, "progress")
            _change(connection, run_id, values)

    def finish(
        self, run_id: str, state: RunState, fence: int, **end: Unpack[RunEnd]
    ) -> None:
        """
        End the run and free its stream, in one transaction.

        A sync that succeeded sets the stream's last success (and last full pass).
        Raises LeaseLost.
        """
        now = clock.now()
        with self._database.write() as connection:
            hold(connection, run_id, fence, "finish")
            _change(connection, run_id, {"state": state, "finished_at": now, **end})
            if state is RunState.SUCCEEDED:
                _note_success(connection, run_id, now)
            let_go(connection, run_id)

    def requeue(self, run_id: str, fence: int) -> None:
        """
        Hand the run over to a fresh worker: queued again, with all it has counted,
        and its stream free. Raises LeaseLost.
        """
        values = {"state": RunState.QUEUED, "heartbeat_at": clock.now()}
        with self._database.write() as connection:
            hold(connection, run_id, fence, "requeue")
            _change(connection, run_id, values)
            let_go(connection, run_id)

    def cancel(self, run_id: str, why: str) -> bool:
        """Stop a run that no worker has taken yet; say whether it was still so."""
        statement = (
            update(models.Run)
            .where(models.Run.id == run_id, models.Run.state == RunState.QUEUED)
            .values(state=RunState.STOPPED, finished_at=clock.now(), error_code=why)
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1

    def get(self, run_id: str) -> Run | None:
        query = select(*COLUMNS).where(models.Run.id == run_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return as_run(row) if row else None

    def recent(
        self,
        community: str,
        stream: str | None = None,
        limit: int = 20,
        before: str | None = None,
    ) -> list[Run]:
        """Return runs, the latest first; `before` is the last id of the page above."""
        query = select(*COLUMNS).where(models.Run.community == community)
        if stream is not None:
            query = query.where(models.Run.stream == stream)
        if before is not None:
            query = query.where(models.Run.id < before)
        query = query.order_by(models.Run.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [as_run(row) for row in connection.execute(query)]

    def unsent(self, older_than: timedelta) -> list[Run]:
        """
        Return queued runs that no worker has taken for so long: their message may be
        lost. Each is returned to one caller, and again only after as long.
        """
        woken_at = func.coalesce(models.Run.heartbeat_at, models.Run.requested_at)
        now = clock.now()
        statement = (
            update(models.Run)
            .where(models.Run.state == RunState.QUEUED, woken_at <= now - older_than)
            .values(heartbeat_at=now)
            .returning(*COLUMNS)
        )
        with self._database.write() as connection:
            return [as_run(row) for row in connection.execute(statement)]


def as_run(row: AnyRow) -> Run:
    return Run(*row)


def new_run(community: str, stream: str, kind: RunKind, trigger: RunTrigger) -> Run:
    now = clock.now()
    return Run(
        id=run_id(now),
        community=community,
        stream=stream,
        kind=kind,
        trigger=trigger,
        state=RunState.QUEUED,
        full=False,
        options={},
        requested_at=now,
        started_at=None,
        heartbeat_at=None,
        finished_at=None,
        counts={},
        extra={},
        progress_done=0,
        progress_total=0,
        calls={},
        error_code=None,
        error_text=None,
        fence=0,
        attempts=1,
    )


def run_id(now: datetime) -> str:
    """Return 32 hex digits that sort by the microsecond, then at random."""
    return f"{int(now.timestamp() * 1_000_000):014x}{token_hex(9)}"


def add(connection: Connection, run: Run) -> None:
    """Insert the run and make it the stream's current one."""
    connection.execute(insert(models.Run), run._asdict())
    connection.execute(
        update(models.Stream)
        .where(
            models.Stream.community == run.community,
            models.Stream.stream == run.stream,
        )
        .values(run_id=run.id)
    )


def active_run(connection: Connection, community: str, stream: str) -> Run | None:
    query = select(*COLUMNS).where(
        models.Run.community == community,
        models.Run.stream == stream,
        ACTIVE,
    )
    row = connection.execute(query).one_or_none()
    return as_run(row) if row else None


def interrupt(connection: Connection, run_id: str) -> None:
    """End a dead worker's run; its fence is worth nothing from now on."""
    _change(
        connection,
        run_id,
        {"state": RunState.INTERRUPTED, "finished_at": clock.now()},
    )
    connection.execute(
        update(models.Stream)
        .where(models.Stream.run_id == run_id)
        .values(
            lease_holder=None,
            lease_expires_at=None,
            fence=models.Stream.fence + 1,
        )
    )


def give_up(connection: Connection, run_id: str) -> None:
    """End a run that kills its workers; the next interval may try again."""
    _change(
        connection,
        run_id,
        {"state": RunState.FAILED, "error_code": "died_too_often"},
    )


def take(connection: Connection, run_id: str, fence: int) -> None:
    """Make a queued run the running one. Raises LeaseLost when it is not queued."""
    now = clock.now()
    statement = (
        update(models.Run)
        .where(models.Run.id == run_id, models.Run.state == RunState.QUEUED)
        .values(
            state=RunState.RUNNING,
            started_at=func.coalesce(models.Run.started_at, now),
            heartbeat_at=now,
            fence=fence,
        )
    )
    if connection.execute(statement).rowcount == 0:
        raise lost("acquire", "the run is not waiting for a worker")


def _change(connection: Connection, run_id: str, values: dict[str, Any]) -> None:
    statement = update(models.Run).where(models.Run.id == run_id).values(**values)
    connection.execute(statement)


def _note_success(connection: Connection, run_id: str, now: datetime) -> None:
    run = connection.execute(
        select(models.Run.kind, models.Run.full).where(models.Run.id == run_id)
    ).one()
    if run.kind is not RunKind.SYNC:
        return
    values = {"last_success_at": now}
    if run.full:
        values["last_full_at"] = now
    connection.execute(
        update(models.Stream).where(models.Stream.run_id == run_id).values(**values)
    )
