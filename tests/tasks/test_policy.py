"""The policy every task shares, by tasks called as functions."""

from __future__ import annotations

import logging

import pytest
import structlog

from worker.app import SyncApp
from worker.errors import (
    AlreadyRunning,
    QuotaExhausted,
    RemoteUnavailable,
    RetryLater,
    StopRun,
    TokenRefused,
)
from worker.tasks.base import SyncTask


@pytest.fixture
def task_of(settings):
    def make(body, **options):
        app = SyncApp("test", config_source="celeryconfig", set_as_current=False)
        app.use(settings)
        return app.task(name="test.task", base=SyncTask, **options)(body)

    return make


@pytest.mark.parametrize("family", [RetryLater, RemoteUnavailable])
def test_leaves_a_later_try_to_the_database(task_of, log_lines, family):
    def body(_run_id: str) -> None:
        raise family(service="aurora", operation="search", status=503)

    answer = task_of(body)("run-1")

    assert answer is None
    assert log_lines == [
        {
            "event": "task.deferred",
            "reason": "aurora search 503",
            "task": "test.task",
            "task_id": None,
            "run_id": "run-1",
            "log_level": "warning",
        }
    ]


@pytest.mark.parametrize("family", [StopRun, TokenRefused, QuotaExhausted])
def test_does_not_try_again_what_nothing_can_help(task_of, log_lines, family):
    def body(_run_id: str) -> None:
        raise family(service="salesforce", operation="login", code="INVALID_LOGIN")

    answer = task_of(body)("run-1")

    assert answer is None
    assert [(e["event"], e["log_level"]) for e in log_lines] == [
        ("task.stopped", "error")
    ]


@pytest.mark.parametrize("bug", [ZeroDivisionError, AlreadyRunning])
def test_says_which_run_met_a_bug_and_lets_it_through(task_of, log_lines, bug):
    error = bug("members", "run-2")

    def body(_run_id: str) -> None:
        raise error

    with pytest.raises(bug):
        task_of(body)("run-1")

    assert [(e["event"], e["error"], e["run_id"]) for e in log_lines] == [
        ("task.crashed", bug.__name__, "run-1")
    ]


def test_what_it_tells_the_log_ends_with_the_task(task_of):
    during = {}

    def body(_run_id: str) -> None:
        during.update(structlog.contextvars.get_contextvars())

    task_of(body)("run-1")

    assert during == {"task": "test.task", "task_id": None, "run_id": "run-1"}
    assert structlog.contextvars.get_contextvars() == {}


def test_is_acknowledged_late_and_given_back_when_its_worker_is_lost(task_of):
    def body() -> None: ...

    task = task_of(body)

    assert (
        task.acks_late,
        task.reject_on_worker_lost,
        task.acks_on_failure,
        task.ignore_result,
        task.max_retries,
        task.serializer,
    ) == (True, True, True, True, 0, "json")


def test_keeps_the_trace_out_of_a_stop(task_of, caplog):
    def body() -> None:
        raise TokenRefused(service="aurora", operation="login")

    with caplog.at_level(logging.DEBUG):
        task_of(body)()

    assert "Traceback" not in caplog.text
