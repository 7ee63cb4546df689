"""What the tasks of one worker process share, and when it comes and goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from worker import bootstrap
from worker.tasks.process import WorkerProcess


@pytest.fixture
def built():
    return []


@pytest.fixture
def sent():
    return []


@pytest.fixture
def process(settings, built, sent):
    def build(send):
        built.append(bootstrap.build(settings, send=send))
        return built[-1]

    made = WorkerProcess(build, sent.append)
    yield made
    made.close()


def test_nothing_is_built_before_the_first_task(process, built):
    process.close()

    assert built == []


def test_all_threads_share_one_set_of_services(process, built):
    with ThreadPoolExecutor(8) as threads:
        found = {id(f.result()) for f in [threads.submit(process.services)] * 8}

    assert found == {id(built[0])}
    assert len(built) == 1


def test_a_forked_child_builds_its_own(process, built):
    process.services()
    process.stop()

    process.forked(sender="prefork")

    assert process.services() is built[1]
    assert not process.is_stopping()


def test_closed_services_are_built_again_when_they_are_needed(process, built):
    process.services()

    process.close(sender="worker")

    assert process.services() is built[1]


def test_runs_hear_that_the_process_ends(process):
    before = process.is_stopping()
    process.stop(sig="SIGTERM", how="Warm")

    assert (before, process.is_stopping()) == (False, True)


def test_what_an_ending_process_hands_over_is_sent_once_it_takes_nothing_in(
    process, sent
):
    process.send("run-1")
    process.stop()
    process.send("run-2")
    before = list(sent)

    process.close()
    process.close()

    assert (before, sent) == (["run-1"], ["run-1", "run-2"])
