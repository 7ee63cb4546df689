"""What must hold between processes, shown with eight real ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from base64 import urlsafe_b64encode
from collections import Counter
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest

from worker.database import Database
from worker.domain.records import Side
from worker.domain.state import RunKind, RunState, RunTrigger
from worker.domain.tokens import Token
from worker.errors import AlreadyRunning, LeaseLost
from worker.secrets import SecretBox
from worker.store import Store

TTL = timedelta(minutes=1)
# The same in every process.
KEY = urlsafe_b64encode(bytes(32))


@contextmanager
def opened(url):
    with closing(Database(url)) as database:
        yield Store(database, SecretBox([KEY]))


@pytest.mark.usefixtures("store")
def test_one_process_gets_the_stream(run, processes, database_url):
    outcomes = processes(acquire, database_url, run.id)

    assert Counter(outcomes) == {1: 1, f"busy with {run.id}": 7}


def acquire(number, url, run_id):
    with opened(url) as store:
        try:
            return store.streams.acquire("demo", "members", run_id, str(number), TTL)
        except AlreadyRunning as busy:
            return f"busy with {busy.run_id}"


def test_one_process_queues_what_is_due(store, processes, database_url):
    claimed = processes(claim, database_url)

    assert sorted(claimed) == [0] * 7 + [1]
    assert len(store.runs.recent("demo")) == 1


def claim(_number, url):
    with opened(url) as store:
        return len(store.streams.claim_due())


@pytest.mark.usefixtures("store")
def test_one_of_eight_requests_is_taken(processes, database_url):
    taken = processes(request, database_url)

    assert Counter(taken) == {"taken": 1, "busy": 7}


def request(_number, url):
    with opened(url) as store:
        try:
            store.runs.request("demo", "members", RunKind.SYNC, RunTrigger.CLI)
        except AlreadyRunning:
            return "busy"
        return "taken"


def test_a_request_and_a_tick_at_once_make_one_run(store, processes, database_url):
    processes(request_or_claim, database_url)

    assert len(store.runs.recent("demo")) == 1


def request_or_claim(number, url):
    return request(number, url) if number % 2 else claim(number, url)


def test_a_dead_run_gets_one_successor(store, run, processes, database_url):
    store.streams.acquire("demo", "members", run.id, "gone", -TTL)

    heirs = processes(take_over, database_url)

    assert sorted(heirs) == [0] * 7 + [1]


def take_over(_number, url):
    with opened(url) as store:
        return len(store.streams.expired())


def test_fences_never_repeat_and_stale_ones_are_refused(store, processes, database_url):
    fences = [fence for part in processes(compete, database_url) for fence in part]

    assert len(fences) == len(set(fences)) > 0
    assert store.streams.cursor("demo", "members") == {"fence": max(fences)}


def compete(number, url):
    """Take the stream over and over, now and then stalling past the lease."""
    held = []
    until = time.monotonic() + 1.5
    with opened(url) as store:
        while time.monotonic() < until:
            try:
                store.streams.expired()
                run = store.runs.request(
                    "demo", "members", RunKind.SYNC, RunTrigger.CLI
                )
            except AlreadyRunning as busy:
                run = store.runs.get(busy.run_id)
            try:
                # Already over for one of three: somebody else may take it at once.
                ttl = -TTL if number % 3 == 0 else TTL
                fence = store.streams.acquire(
                    "demo", "members", run.id, str(number), ttl
                )
                store.streams.save_cursor("demo", "members", {"fence": fence}, fence)
                held.append(fence)
                store.runs.finish(run.id, RunState.SUCCEEDED, fence)
            except (AlreadyRunning, LeaseLost):
                continue
    return held


@pytest.mark.usefixtures("store")
def test_eight_processes_renew_a_token_once(processes, database_url, tmp_path):
    asked = tmp_path / "asked"

    tokens = processes(renew, database_url, str(asked))

    assert len(set(tokens)) == 1
    assert len(asked.read_text().split()) == 1


def renew(number, url, asked):
    def obtain(_known):
        with open(asked, "a") as file:  # noqa: PTH123 -- appends are whole
            file.write(f"{number}\n")
        time.sleep(0.2)  # a slow remote: the others have to wait
        return Token(f"access of {number}")

    with opened(url) as store:
        return store.vault("demo", Side.SALESFORCE).renew(None, obtain)


def test_a_killed_holder_is_replaced_and_its_work_refused(
    store, run, database_url, later
):
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    child = context.Process(target=hold, args=(database_url, run.id, theirs))
    child.start()
    fence = mine.recv()

    os.kill(child.pid, signal.SIGKILL)
    child.join()

    child.close()
    mine.close()
    theirs.close()
    assert store.streams.expired() == []
    in_a_while = later(2 * TTL)
    [heir] = in_a_while.streams.expired()
    newer = in_a_while.streams.acquire("demo", "members", heir.id, "new", TTL)
    assert newer > fence
    assert store.streams.cursor("demo", "members") == {"half": "done"}


def hold(url, run_id, pipe):
    with opened(url) as store:
        fence = store.streams.acquire("demo", "members", run_id, "child", TTL)
        store.streams.save_cursor("demo", "members", {"half": "done"}, fence)
        with store.database.write() as connection:
            # Killed inside a transaction as well.
            connection.exec_driver_sql("UPDATE streams SET cursor = '{}'")
            pipe.send(fence)
            time.sleep(60)
