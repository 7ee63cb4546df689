from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import httpx
import pytest
from freezegun import freeze_time
from prometheus_client.parser import text_string_to_metric_families

from worker import clock
from worker.admin.health import Readiness
from worker.sandbox.server import run_in_thread


async def answering(_scope, _receive, send):
    """A remote that refuses everything; it is there all the same."""
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def remote():
    with run_in_thread(answering) as base_url:
        yield base_url


@pytest.fixture
def bare(client):
    """A caller without a token."""
    with httpx.Client(base_url=client.base_url) as caller:
        yield caller


def test_says_that_the_process_answers(bare):
    answer = bare.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_is_not_ready_while_what_it_needs_is_away(bare):
    answer = bare.get("/readyz")

    checks = answer.json()["checks"]
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"
    assert checks == {
        "database": {"status": "ok", "detail": ""},
        "broker": {
            "status": "failing",
            "detail": "the embedded broker is not running",
        },
        "aurora": {
            "status": "failing",
            "detail": "aurora reach no answer (ConnectionError)",
        },
        "salesforce": {
            "status": "failing",
            "detail": "salesforce reach no answer (ConnectionError)",
        },
        "worker": {"status": "failing", "detail": "no worker has ticked yet"},
    }


def test_counts_a_remote_as_there_that_refuses(services, remote):
    services.settings.aurora.base_url = remote
    services.settings.salesforce.login_url = remote

    checks = Readiness(services).now().checks

    assert (checks["aurora"].status, checks["salesforce"].status) == ("ok", "ok")


def test_tells_how_long_ago_a_worker_ticked(services, ticked):
    ticked(timedelta(seconds=10))
    fresh = Readiness(services).now()
    ticked(timedelta(minutes=5))
    silent = Readiness(services).now()

    assert fresh.checks["worker"].status == "ok"
    assert fresh.last_tick_age_s == pytest.approx(10, abs=5)
    assert silent.checks["worker"].status == "failing"
    assert silent.checks["worker"].detail.startswith("the last tick was 30")


@pytest.fixture
def ticked(services):
    """Leave the sign of a tick that happened so long ago."""

    def tick(ago):
        with freeze_time(clock.now() - ago):
            services.store.communities.note_tick(services.community)

    return tick


def test_asks_again_only_when_the_answer_is_old(services):
    readiness = Readiness(services)

    first, second = readiness.now(), readiness.now()

    assert first is second


def test_notices_that_the_database_is_gone(services):
    closed = SimpleNamespace(
        settings=services.settings,
        database=type(services.database)("postgresql://nobody@127.0.0.1:9/none"),
    )

    checks = Readiness(closed).now().checks

    closed.database.close()
    assert checks["database"].model_dump() == {
        "status": "failing",
        "detail": "postgresql does not answer",
    }


def samples(text):
    return {
        (sample.name.removeprefix("aurora_sync_"), *sorted(sample.labels.values())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.usefixtures("failures", "spent")
def test_counts_everything_for_prometheus(bare, finished):
    finished(
        counts={"applied": 3, "failed": 1},
        extra={"org_calls": {"used": 900, "allowed": 15000}},
    )

    answer = bare.get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain")
    found = samples(answer.text)
    assert {
        key: value
        for key, value in found.items()
        if not key[0].endswith(("_seconds", "_age_seconds"))
    } == {
        ("connection_active", "demo"): 0,
        ("org_api_calls_used", "demo"): 900,
        ("org_api_calls_allowed", "demo"): 15000,
        ("calls_today", "demo", "members", "salesforce"): 12,
        ("calls_today", "aurora", "demo", "members"): 3,
        ("failures_open", "demo", "members"): 2,
        ("slow_fields_waiting", "demo", "members"): 0,
        ("members_linked", "demo", "members"): 1,
        ("members", "demo", "members", "synced"): 2,
        ("members", "demo", "failed", "members"): 1,
        ("running", "demo", "members"): 0,
        ("last_run_records", "applied", "demo", "members"): 3,
        ("last_run_records", "demo", "failed", "members"): 1,
        ("last_run_records", "demo", "members", "unchanged"): 0,
        ("last_run_records", "demo", "members", "skipped"): 0,
        ("last_run_records", "deferred", "demo", "members"): 0,
        ("last_run_succeeded", "demo", "members"): 1,
    }
    assert found["last_success_age_seconds", "demo", "members"] >= 0


def test_tells_the_age_of_a_run_at_work(bare, store):
    run = store.runs.request("demo", "members", "sync", "manual")
    store.streams.acquire("demo", "members", run.id, "test", timedelta(seconds=30))

    found = samples(bare.get("/metrics").text)

    assert found["running", "demo", "members"] == 1
    assert found["run_age_seconds", "demo", "members"] >= 0
