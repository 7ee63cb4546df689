from __future__ import annotations

from datetime import timedelta

import pytest

from worker import clock
from worker.domain.state import (
    ConnectionStatus,
    RunKind,
    RunState,
    RunTrigger,
)
from worker.errors import AlreadyRunning, LeaseLost
from worker.store.streams import LIVES

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_claims_a_due_stream_once_and_moves_its_due_time(store):
    before = store.streams.status("demo", "members")

    [claimed] = store.streams.claim_due()
    again = store.streams.claim_due()

    after = store.streams.status("demo", "members")
    assert (claimed.kind, claimed.trigger, claimed.state) == (
        RunKind.SYNC,
        RunTrigger.INTERVAL,
        RunState.QUEUED,
    )
    assert again == []
    assert after.run == claimed
    assert after.due_at == before.due_at + HOUR


@pytest.mark.usefixtures("store")
def test_does_not_make_up_for_missed_intervals(later):
    tomorrow = later(timedelta(days=1))
    [run] = tomorrow.streams.claim_due()
    fence = tomorrow.streams.acquire("demo", "members", run.id, "here", MINUTE)
    tomorrow.runs.finish(run.id, RunState.SUCCEEDED, fence)

    again = tomorrow.streams.claim_due()

    due_in = tomorrow.streams.status("demo", "members").due_at - clock.now()
    assert again == []
    assert timedelta(hours=24) < due_in <= timedelta(hours=25)


@pytest.mark.usefixtures("run")
def test_leaves_a_stream_due_while_a_run_is_under_way(store):
    claimed = store.streams.claim_due()

    assert claimed == []
    assert store.streams.status("demo", "members").due_at <= clock.now()


@pytest.mark.parametrize(
    "status", [ConnectionStatus.NOT_ACTIVE, ConnectionStatus.HALTED]
)
def test_claims_nothing_of_a_community_that_is_not_active(store, status):
    store.communities.set_status("demo", status, "token_refused")

    assert store.streams.claim_due() == []


def test_claims_no_disabled_stream(store):
    store.streams.set_enabled("demo", "members", enabled=False)

    assert store.streams.claim_due() == []


def test_an_existing_stream_keeps_its_schedule(store):
    store.streams.ensure("demo", "members", MINUTE)

    assert store.streams.status("demo", "members").interval == HOUR


def test_a_new_interval_counts_from_the_last_run(store):
    due_at = clock.now() + timedelta(minutes=50)
    store.streams.set_due("demo", "members", due_at)

    store.streams.set_interval("demo", "members", timedelta(minutes=30))

    status = store.streams.status("demo", "members")
    assert status.interval == timedelta(minutes=30)
    assert status.due_at == due_at - timedelta(minutes=30)


def test_a_new_interval_does_not_put_off_what_is_due(store):
    due_at = store.streams.status("demo", "members").due_at

    store.streams.set_interval("demo", "members", timedelta(days=1))

    assert store.streams.status("demo", "members").due_at == due_at


def test_a_stream_can_be_made_due_now(store):
    store.streams.set_due("demo", "members", clock.now() + HOUR)
    assert store.streams.claim_due() == []

    store.streams.set_due("demo", "members")

    assert len(store.streams.claim_due()) == 1


def test_names_an_unknown_stream(store):
    with pytest.raises(LookupError, match="replies"):
        store.streams.status("demo", "replies")


def test_the_second_to_take_a_stream_is_told_who_runs(run, acquire):
    acquire(run)

    with pytest.raises(AlreadyRunning) as busy:
        acquire(run)

    assert (busy.value.stream, busy.value.run_id) == ("members", run.id)


def test_a_message_that_comes_twice_starts_nothing(store, run, acquire):
    fence = acquire(run)
    store.runs.finish(run.id, RunState.SUCCEEDED, fence)

    with pytest.raises(LeaseLost):
        acquire(run)

    status = store.streams.status("demo", "members")
    assert (status.busy, status.fence) == (False, fence)


def test_a_taken_stream_shows_its_holder(store, run, acquire):
    fence = acquire(run)

    status = store.streams.status("demo", "members")

    assert (status.busy, status.lease_holder, status.fence) == (True, "here", fence)
    assert status.run.state is RunState.RUNNING
    assert status.run.started_at is not None


def test_a_lease_runs_out_unless_it_is_renewed(run, acquire, later):
    fence = acquire(run, MINUTE)
    in_a_while = later(timedelta(minutes=2))
    assert not in_a_while.streams.status("demo", "members").busy

    in_a_while.streams.renew("demo", "members", fence, MINUTE)

    assert in_a_while.streams.status("demo", "members").busy
    assert in_a_while.streams.expired() == []


def test_a_dead_workers_run_gets_a_successor(store, later):
    run = store.runs.request(
        "demo",
        "members",
        RunKind.RESET,
        RunTrigger.CLI,
        full=True,
        options={"force": True},
    )
    store.streams.acquire("demo", "members", run.id, "here", MINUTE)
    in_a_while = later(timedelta(minutes=2))

    [heir] = in_a_while.streams.expired()
    again = in_a_while.streams.expired()

    assert (heir.kind, heir.trigger, heir.full, heir.options, heir.state) == (
        RunKind.RESET,
        RunTrigger.CLI,
        True,
        {"force": True},
        RunState.QUEUED,
    )
    assert again == []
    assert store.runs.get(run.id).state is RunState.INTERRUPTED
    assert store.streams.status("demo", "members").run == heir


def test_a_live_run_is_left_alone(store, run, acquire):
    acquire(run)

    assert store.streams.expired() == []


def test_a_released_but_unfinished_run_counts_as_dead(store, run, acquire):
    fence = acquire(run)
    store.streams.release("demo", "members", fence)

    assert len(store.streams.expired()) == 1


def test_a_dead_dry_run_is_not_repeated(store, later):
    run = store.runs.request("demo", "members", RunKind.DRY_RUN, RunTrigger.CLI)
    store.streams.acquire("demo", "members", run.id, "here", MINUTE)

    heirs = later(timedelta(minutes=2)).streams.expired()

    assert heirs == []
    assert store.runs.get(run.id).state is RunState.INTERRUPTED


def test_gives_up_a_run_that_keeps_killing_its_worker(store, run, acquire, later):
    in_a_while = later(timedelta(minutes=2))
    for _ in range(LIVES - 1):
        acquire(run)
        [run] = in_a_while.streams.expired()
    acquire(run)

    heirs = in_a_while.streams.expired()

    ended = store.runs.get(run.id)
    assert heirs == []
    assert (ended.state, ended.error_code) == (RunState.FAILED, "died_too_often")


def test_progress_gives_a_run_its_lives_back(store, run, acquire, later):
    in_a_while = later(timedelta(minutes=2))
    acquire(run)
    [run] = in_a_while.streams.expired()
    store.runs.progress(run.id, 10, 20, {"applied": 10}, acquire(run))

    [heir] = in_a_while.streams.expired()

    assert heir.attempts == 1


def test_a_cursor_is_kept_as_it_was_saved(store, run, acquire):
    cursor = {"full": [[1, 500, 201]], "visited": "2026-01-01T00:00:00+00:00"}

    store.streams.save_cursor("demo", "members", cursor, acquire(run))

    assert store.streams.cursor("demo", "members") == cursor
    assert store.streams.status("demo", "members").cursor == cursor


@pytest.mark.parametrize(
    "write",
    [
        lambda store, _run, fence: store.streams.save_cursor(
            "demo", "members", {"stale": True}, fence
        ),
        lambda store, _run, fence: store.streams.renew(
            "demo", "members", fence, MINUTE
        ),
        lambda store, run, fence: store.runs.start(run.id, fence),
        lambda store, run, fence: store.runs.progress(run.id, 1, 2, {}, fence),
        lambda store, run, fence: store.runs.finish(run.id, RunState.FAILED, fence),
        lambda store, run, fence: store.runs.requeue(run.id, fence),
    ],
    ids=["save_cursor", "renew", "start", "progress", "finish", "requeue"],
)
def test_refuses_the_writes_of_a_worker_that_was_replaced(
    store, run, acquire, later, write
):
    stale = acquire(run)
    [heir] = later(timedelta(minutes=2)).streams.expired()
    acquire(heir)

    with pytest.raises(LeaseLost) as lost:
        write(store, run, stale)

    status = store.streams.status("demo", "members")
    assert lost.value.service == "store"
    assert (status.run.id, status.busy, status.cursor) == (heir.id, True, {})
    assert store.runs.get(run.id).state is RunState.INTERRUPTED


def test_releasing_late_takes_nothing_from_the_successor(store, run, acquire, later):
    stale = acquire(run)
    [heir] = later(timedelta(minutes=2)).streams.expired()
    acquire(heir)

    store.streams.release("demo", "members", stale)

    assert store.streams.status("demo", "members").busy
