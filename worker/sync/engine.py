"""
Asks for runs, performs them under the stream's lease, and ticks: the one place that
turns what a run raises into what its row says.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from worker import clock, logs
from worker.domain.backoff import wait_after
from worker.domain.feature_settings import FeatureSettings
from worker.domain.records import Side, Stream
from worker.domain.report import Outcome, Progress, RunReport
from worker.domain.state import (
    ConnectionStatus,
    Run,
    RunKind,
    RunState,
    RunTrigger,
)
from worker.errors import (
    AlreadyRunning,
    LeaseLost,
    RetryLater,
    StopRun,
    TokenRefused,
    WorkerError,
)
from worker.sync import holder, spool
from worker.sync.context import HandOver, RunContext
from worker.sync.lease import LeaseKeeper
from worker.sync.members import MembersStream
from worker.sync.reset import MembersReset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from worker.aurora.client import AuroraClient
    from worker.domain.state import StreamStatus
    from worker.http import CallCounter
    from worker.salesforce.client import SalesforceClient
    from worker.settings import Settings
    from worker.store import Store

log = logs.logger(__name__)

# A run queued for so long had its message lost.
UNSENT_AFTER = timedelta(seconds=30)


class TickReport(NamedTuple):
    """What one tick did: streams claimed, dead runs taken over, messages sent again."""

    claimed: int
    taken_over: int
    resent: int
    pruned: int


class Remotes(NamedTuple):
    """The two sides and the counter of the calls that go to them."""

    aurora: Callable[[], AuroraClient]
    salesforce: Callable[[], SalesforceClient]
    calls: CallCounter


class Engine:
    """Runs the streams of one community. Safe to share between threads."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        remotes: Remotes,
        email_key: Callable[[str], bytes],
        send: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._remotes = remotes
        self._email_key = email_key
        self._send = send or _nobody
        self._community = settings.aurora.community

    def request(
        self,
        stream: str,
        *,
        kind: str = RunKind.SYNC,
        trigger: str = RunTrigger.MANUAL,
        full: bool | None = None,
        force: bool = False,
        options: dict[str, object] | None = None,
    ) -> Run:
        """
        Queue a run and wake a worker for it; a lost message costs one tick.

        Raises AlreadyRunning with the id of the run that is queued or running.
        """
        self._free_what_died(self._store.streams.status(self._community, stream))
        asked = dict(options or {})
        if trigger == RunTrigger.CLI:
            # Nobody else performs it: its queued run dies with this process.
            asked["requester"] = holder.name()
        if force:
            asked["force"] = True
        run = self._store.runs.request(
            self._community,
            stream,
            RunKind(kind),
            RunTrigger(trigger),
            full=bool(full),
            options=asked,
        )
        log.info("run.requested", run=run.id, stream=stream, kind=kind, trigger=trigger)
        self._send(run.id)
        return run

    def tick(self) -> TickReport:
        """Queue what is due, take over what died, send again what got lost, prune."""
        store = self._store
        for status in store.streams.statuses():
            self._free_what_died(status)
        taken_over = store.streams.expired()
        claimed = store.streams.claim_due()
        resent = store.runs.unsent(UNSENT_AFTER)
        new = {run.id for run in (*taken_over, *claimed)}
        for run in (*taken_over, *claimed, *resent):
            if run in resent and run.id in new:
                continue
            self._send(run.id)
        pruned = store.events.prune(clock.now() - self._settings.events_kept_for)
        store.communities.note_tick(self._community)
        spool.sweep(self._settings.home, self._is_at_work)
        report = TickReport(len(claimed), len(taken_over), len(resent), pruned)
        if any(report):
            log.info("tick.done", **report._asdict())
        return report

    def perform(
        self,
        run_id: str,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> RunReport | None:
        """
        Perform a queued run, or one slice of it.

        None: it was handed over to a fresh task, or somebody else performs it already
        (a repeated message does no harm). What a run raises on purpose ends its row
        and stands in the report; bugs end the row as failed and pass through.
        """
        run = self._store.runs.get(run_id)
        if run is None or run.state is not RunState.QUEUED:
            return None
        try:
            fence = self._store.streams.acquire(
                run.community,
                run.stream,
                run_id,
                holder.name(),
                self._settings.lease_ttl,
            )
        except (AlreadyRunning, LeaseLost):
            log.info("run.held_elsewhere", run=run_id)
            return None
        return _Performance(self, run._replace(fence=fence), on_progress, stop).run()

    def _free_what_died(self, status: StreamStatus) -> None:
        """Spare the wait for a lease whose process, on this machine, has ended."""
        run = status.run
        if status.busy and holder.is_dead(status.lease_holder):
            log.info("lease.holder_died", stream=status.stream)
            self._store.streams.expire(status.community, status.stream, status.fence)
        if run is None or run.state is not RunState.QUEUED:
            return
        if holder.is_dead(run.options.get("requester")):
            self._store.runs.cancel(run.id, "requester_died")

    def _is_at_work(self, run_id: str) -> bool:
        run = self._store.runs.get(run_id)
        return run is not None and run.state is RunState.RUNNING

    # What a performance needs of its engine.

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def store(self) -> Store:
        return self._store

    @property
    def remotes(self) -> Remotes:
        return self._remotes

    @property
    def email_key(self) -> Callable[[str], bytes]:
        return self._email_key

    def hand_over(self, run: Run) -> None:
        self._store.runs.requeue(run.id, run.fence)
        self._send(run.id)


class _Performance:
    """One run under one lease: from the first call to the last row."""

    def __init__(
        self,
        engine: Engine,
        run: Run,
        on_progress: Callable[[Progress], None] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self._engine = engine
        self._store = engine.store
        self._run = run
        self._on_progress = on_progress or _unseen
        self._stop = stop or _never
        self._began = clock.monotonic()
        self._calls_before = engine.remotes.calls.snapshot()

    def run(self) -> RunReport | None:
        run, ttl = self._run, self._engine.settings.lease_ttl

        def renew() -> None:
            self._store.streams.renew(run.community, run.stream, run.fence, ttl)

        log.info("run.started", run=run.id, stream=run.stream, kind=run.kind.value)
        with (
            spool.folder(self._engine.settings.home, run.id) as folder,
            LeaseKeeper(renew, ttl) as keeper,
        ):
            ctx = self._context(folder, keeper)
            try:
                self._dispatch(ctx)
            except HandOver:
                self._hand_over(ctx)
                return None
            except LeaseLost as error:
                log.warning("run.lost", run=run.id, code=error.code)
                return None
            except WorkerError as error:
                return self._ended(ctx, error)
            except KeyboardInterrupt:
                self._finish(ctx, RunState.STOPPED, "stopped_by_person")
                raise
            except BaseException:
                self._finish(ctx, RunState.FAILED, "bug", "see the worker's log")
                raise
            return self._ended(ctx, None)

    def _context(self, folder: Path, keeper: LeaseKeeper) -> RunContext:
        engine, run = self._engine, self._run
        stored = self._store.communities.settings(run.community)
        deadline = self._began + engine.settings.run_slice.total_seconds()
        # A shell's run has no task to hand over to.
        sliced = run.trigger is not RunTrigger.CLI
        return RunContext(
            settings=engine.settings,
            store=self._store,
            aurora=engine.remotes.aurora(),
            salesforce=engine.remotes.salesforce(),
            features=FeatureSettings.from_mapping(stored),
            email_key=engine.email_key,
            run=run,
            stream=Stream(run.stream),
            keeper=keeper,
            spool=folder,
            should_stop=lambda: (
                self._stop() or (sliced and clock.monotonic() > deadline)
            ),
            on_progress=self._on_progress,
        )

    def _dispatch(self, ctx: RunContext) -> None:
        if not ctx.features.user_synchronization and ctx.run.kind is not RunKind.RESET:
            ctx.extra["skipped"] = "user_synchronization is off"
            return
        if ctx.run.kind is RunKind.RESET:
            MembersReset(ctx).run()
            return
        full = self._is_full(ctx)
        self._store.runs.start(ctx.run.id, ctx.fence, full=full)
        MembersStream(ctx).run(full=full)
        self._store.failures.resolve_healed(ctx.community, ctx.stream)

    def _is_full(self, ctx: RunContext) -> bool:
        status = self._store.streams.status(ctx.community, ctx.stream)
        if ctx.run.full or "visited" not in status.cursor or "full" in status.cursor:
            return True
        every = timedelta(hours=ctx.features.full_sync_interval_hours)
        last = status.last_full_at
        return last is None or clock.now() - last >= every

    def _hand_over(self, ctx: RunContext) -> None:
        self._count_calls(ctx)
        # What the last batches counted since the last page.
        done, total = ctx.reached
        counts = ctx.counts.as_dict()
        self._store.runs.progress(ctx.run.id, done, total, counts, fence=ctx.fence)
        log.info("run.handed_over", run=ctx.run.id, **ctx.counts.as_dict())
        self._engine.hand_over(ctx.run)

    def _ended(self, ctx: RunContext, error: WorkerError | None) -> RunReport | None:
        try:
            if error is None:
                self._plan_after_success(ctx)
                return self._finish(ctx, RunState.SUCCEEDED)
            self._plan_after(ctx, error)
            state = RunState.STOPPED if isinstance(error, StopRun) else RunState.FAILED
            code = getattr(error, "code", "") or type(error).__name__
            report = self._finish(ctx, state, code, str(error))
            return report._replace(error_kind=type(error).__name__)
        except LeaseLost as lost:
            log.warning("run.lost", run=ctx.run.id, code=lost.code)
            return None

    def _plan_after_success(self, ctx: RunContext) -> None:
        # What just worked proves the connection, whatever was noted before.
        self._store.communities.set_status(ctx.community, ConnectionStatus.ACTIVE, "")
        if ctx.counts.of(Outcome.DEFERRED):
            self._wake_for_deferred(ctx)

    def _plan_after(self, ctx: RunContext, error: WorkerError) -> None:
        """Say when to try again, or that a person is needed first."""
        store, run = self._store, ctx.run
        if isinstance(error, TokenRefused):
            store.communities.set_status(
                run.community, ConnectionStatus.HALTED, str(error)
            )
        elif isinstance(error, RetryLater):
            wait = wait_after(run.attempts, random.random(), error.retry_after)  # noqa: S311 -- jitter, not a secret
            store.streams.set_due(run.community, run.stream, clock.now() + wait)

    def _wake_for_deferred(self, ctx: RunContext) -> None:
        """Let the stream come by when the first deferred record may be tried again."""
        run = ctx.run
        at = self._store.failures.next_try_at(run.community, run.stream)
        status = self._store.streams.status(run.community, run.stream)
        if at is not None and at < status.due_at:
            self._store.streams.set_due(run.community, run.stream, at)

    def _finish(
        self,
        ctx: RunContext,
        state: RunState,
        code: str | None = None,
        text: str | None = None,
    ) -> RunReport:
        calls = self._count_calls(ctx)
        seconds = clock.monotonic() - self._began
        extra = ctx.extra_dict()
        self._store.runs.finish(
            ctx.run.id,
            state,
            ctx.fence,
            counts=ctx.counts.as_dict(),
            calls=calls,
            extra=extra,
            error_code=code,
            error_text=text,
        )
        log.info(
            "run.finished",
            run=ctx.run.id,
            stream=ctx.run.stream,
            state=state.value,
            code=code,
            seconds=round(seconds, 1),
            **ctx.counts.as_dict(),
        )
        return RunReport(
            ctx.run.id,
            ctx.run.stream,
            ctx.run.kind.value,
            state.value,
            ctx.counts.as_dict(),
            calls,
            round(seconds, 3),
            extra,
            text,
        )

    def _count_calls(self, ctx: RunContext) -> dict[str, int]:
        """Add this run's calls to the ledger; return them by remote."""
        now, before = self._engine.remotes.calls.snapshot(), self._calls_before
        self._calls_before = now
        today = clock.now().date()
        calls = {}
        for side in Side:
            calls[side.value] = now.get(side, 0) - before.get(side, 0)
            self._store.usage.add(
                ctx.community, today, side, ctx.run.stream, calls[side.value]
            )
        return calls


def _nobody(_run_id: str) -> None:
    """Nobody to wake: the caller performs the run itself."""


def _unseen(_progress: Progress) -> None:
    """Nobody watches."""


def _never() -> bool:
    return False
