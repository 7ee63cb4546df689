from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from worker import clock
from worker.domain.state import RunKind, RunState, RunTrigger
from worker.errors import AlreadyRunning
from worker.store.runs import run_id

MINUTE = timedelta(minutes=1)


def ask(store, kind=RunKind.SYNC):
    return store.runs.request("demo", "members", kind, RunTrigger.MANUAL)


def test_refuses_a_second_run_while_one_is_queued(store, run):
    with pytest.raises(AlreadyRunning) as busy:
        ask(store, RunKind.RESET)

    assert busy.value.run_id == run.id


def test_refuses_a_second_run_while_one_is_running(store, run, acquire):
    acquire(run)

    with pytest.raises(AlreadyRunning) as busy:
        ask(store)

    assert busy.value.run_id == run.id


def test_takes_the_place_of_a_run_whose_worker_died(store, run, acquire, later):
    acquire(run)

    successor = ask(later(timedelta(minutes=2)))

    assert store.runs.get(run.id).state is RunState.INTERRUPTED
    assert store.runs.get(successor.id) == successor
    assert acquire(successor) > 1


def test_keeps_all_of_a_run(store, run, acquire):
    fence = acquire(run)
    store.runs.start(run.id, fence, full=True)
    store.runs.progress(run.id, 10, 20, {"applied": 10}, fence)

    store.runs.finish(
        run.id,
        RunState.FAILED,
        fence,
        counts={"applied": 11, "failed": 1},
        calls={"salesforce": 3, "aurora": 4},
        extra={"clipped": {"Rank__c": 1}},
        error_code="UNKNOWN",
        error_text="why",
    )

    ended = store.runs.get(run.id)
    assert ended == run._replace(
        state=RunState.FAILED,
        full=True,
        started_at=ended.started_at,
        heartbeat_at=ended.heartbeat_at,
        finished_at=ended.finished_at,
        counts={"applied": 11, "failed": 1},
        calls={"salesforce": 3, "aurora": 4},
        extra={"clipped": {"Rank__c": 1}},
        progress_done=10,
        progress_total=20,
        error_code="UNKNOWN",
        error_text="why",
        fence=fence,
    )


@pytest.mark.parametrize(
    ("kind", "full", "state", "expected"),
    [
        (RunKind.SYNC, False, RunState.SUCCEEDED, (True, False)),
        (RunKind.SYNC, True, RunState.SUCCEEDED, (True, True)),
        (RunKind.SYNC, True, RunState.FAILED, (False, False)),
        (RunKind.RESET, True, RunState.SUCCEEDED, (False, False)),
        (RunKind.DRY_RUN, True, RunState.SUCCEEDED, (False, False)),
    ],
)
def test_only_a_sync_that_succeeded_is_the_last_success(
    store, acquire, kind, full, state, expected
):
    run = ask(store, kind)
    fence = acquire(run)
    store.runs.start(run.id, fence, full=full)

    store.runs.finish(run.id, state, fence)

    status = store.streams.status("demo", "members")
    known = (status.last_success_at is not None, status.last_full_at is not None)
    assert known == expected
    assert not status.busy


def test_a_handed_over_run_goes_on_with_what_it_counted(store, run, acquire):
    fence = acquire(run)
    store.runs.progress(run.id, 10, 20, {"applied": 10}, fence)

    store.runs.requeue(run.id, fence)

    queued = store.runs.get(run.id)
    assert (queued.state, queued.progress_done, queued.counts) == (
        RunState.QUEUED,
        10,
        {"applied": 10},
    )
    assert acquire(run) == fence + 1
    assert store.runs.get(run.id).started_at == queued.started_at


def test_returns_runs_whose_message_may_be_lost_once_at_a_time(store, run):
    with freeze_time(clock.now() + MINUTE):
        first = store.runs.unsent(timedelta(seconds=30))
        second = store.runs.unsent(timedelta(seconds=30))
    with freeze_time(clock.now() + 2 * MINUTE):
        third = store.runs.unsent(timedelta(seconds=30))

    assert [[each.id for each in found] for found in (first, second, third)] == [
        [run.id],
        [],
        [run.id],
    ]


@pytest.mark.usefixtures("run")
def test_waits_before_it_sends_a_new_run_again(store):
    assert store.runs.unsent(timedelta(seconds=30)) == []


def test_a_running_run_is_never_sent_again(store, run, acquire):
    acquire(run)

    with freeze_time(clock.now() + MINUTE):
        assert store.runs.unsent(timedelta(seconds=30)) == []


def test_cancels_a_run_that_nobody_took(store, run):
    cancelled = store.runs.cancel(run.id, "interrupted")

    assert cancelled
    assert store.runs.get(run.id).state is RunState.STOPPED
    assert ask(store).id != run.id


def test_does_not_cancel_a_run_that_was_taken(store, run, acquire):
    acquire(run)

    assert not store.runs.cancel(run.id, "interrupted")


def test_pages_through_runs_from_the_latest(store, acquire):
    made = []
    for _ in range(5):
        run = ask(store)
        store.runs.finish(run.id, RunState.SUCCEEDED, acquire(run))
        made.insert(0, run.id)

    first = store.runs.recent("demo", "members", limit=2)
    rest = store.runs.recent("demo", limit=9, before=first[-1].id)

    assert [run.id for run in (*first, *rest)] == made


def test_knows_no_run_by_a_wrong_id(store):
    assert store.runs.get("none") is None


def test_ids_sort_by_the_time_of_the_request():
    early = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [run_id(early + timedelta(microseconds=step)) for step in range(3)]

    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {32}
