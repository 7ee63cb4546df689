"""A store on each kind of database, and eight processes to compete for it."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from worker import clock
from worker.database import Database
from worker.domain.state import ConnectionStatus, RunKind, RunTrigger
from worker.secrets import SecretBox
from worker.store import Store

PROCESSES = 8


@pytest.fixture(scope="session")
def box():
    return SecretBox([Fernet.generate_key()])


@pytest.fixture
def database(database_url):
    with closing(Database(database_url)) as opened:
        yield opened


@pytest.fixture
def store(database, box):
    """A store that knows the active community `demo` with a stream that is due."""
    made = Store(database, box)
    made.communities.ensure("demo", "https://demo.example", "demo", "")
    made.communities.set_status("demo", ConnectionStatus.ACTIVE)
    made.streams.ensure("demo", "members", timedelta(hours=1))
    return made


@pytest.fixture
def later(database_url, box):
    """Give the same store as it will be after some time, by the database's clock."""
    with ExitStack() as opened:

        def after(wait: timedelta) -> Store:
            ahead = Database(database_url, now=lambda: clock.now() + wait)
            return Store(opened.enter_context(closing(ahead)), box)

        yield after


@pytest.fixture
def run(store):
    return store.runs.request("demo", "members", RunKind.SYNC, RunTrigger.MANUAL)


@pytest.fixture
def acquire(store):
    def take(run, ttl=timedelta(minutes=1)):
        return store.streams.acquire("demo", "members", run.id, "here", ttl)

    return take


@pytest.fixture(scope="session")
def processes():
    """Run a function in eight processes at once; give its results."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        list(pool.map(_idle, range(PROCESSES)))

        def together(function, *given):
            at = time.monotonic() + 0.3
            tasks = [
                pool.submit(_at, at, function, number, *given)
                for number in range(PROCESSES)
            ]
            return [task.result(timeout=60) for task in tasks]

        yield together


def _idle(number):
    time.sleep(0.2)  # so that each process gets one
    return number


def _at(moment, function, *given):
    while time.monotonic() < moment:
        pass
    return function(*given)
