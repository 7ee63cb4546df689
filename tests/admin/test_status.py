from __future__ import annotations

from datetime import timedelta

import pytest

from worker import clock
from worker.domain.state import ConnectionStatus, RunState
from worker.sync import report

COUNTS = {"applied": 3, "unchanged": 2, "skipped": 0, "deferred": 0, "failed": 1}


def test_tells_a_fresh_installation_that_nothing_happened_yet(client):
    status = client.get("/api/status").json()

    community = status["communities"][0]
    stream = community["streams"][0]
    assert status["last_tick_at"] is None
    assert (community["connection"], community["usage"]["org"]) == ("not_active", None)
    assert {**stream, "next_sync_at": None} == {
        "stream": "members",
        "enabled": True,
        "interval_minutes": 60,
        "running": None,
        "last_run": None,
        "last_success_at": None,
        "last_full_at": None,
        "next_sync_at": None,
        "backlog": {"failures": 0, "failures_by_reason": {}, "slow_fields": 0},
        "members": {"known": 0, "by_state": {}, "linked": 0},
    }


@pytest.mark.usefixtures("failures", "spent")
def test_tells_the_backlog_the_members_and_the_calls(client):
    community = client.get("/api/status").json()["communities"][0]

    stream = community["streams"][0]
    assert stream["backlog"] == {
        "failures": 2,
        "failures_by_reason": {"ambiguous_email": 1, "STRING_TOO_LONG": 1},
        "slow_fields": 0,
    }
    assert stream["members"] == {
        "known": 3,
        "by_state": {"synced": 2, "failed": 1},
        "linked": 1,
    }
    assert community["usage"]["by_stream"] == [
        {"stream": "members", "calls": {"salesforce": 12, "aurora": 3}}
    ]


def test_tells_the_last_run_beside_the_one_at_work(client, finished, store):
    last = finished(counts=COUNTS)
    run = store.runs.request("demo", "members", "sync", "manual")

    stream = client.get("/api/status").json()["communities"][0]["streams"][0]

    assert (stream["running"]["run"], stream["running"]["state"]) == (run.id, "queued")
    assert (stream["last_run"]["run"], stream["last_run"]["counts"]) == (
        last.id,
        COUNTS,
    )
    assert stream["last_success_at"] is not None
    assert stream["last_full_at"] is not None


def test_tells_the_orgs_calls_as_the_last_run_saw_them(client, finished):
    run = finished(extra={"org_calls": {"used": 900, "allowed": 15000}})

    usage = client.get("/api/status").json()["communities"][0]["usage"]

    at = run.finished_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    assert usage["org"] == {"used": 900, "allowed": 15000, "seen_at": at}


def test_tells_why_a_community_was_halted(client, store):
    store.communities.set_status("demo", ConnectionStatus.HALTED, "token refused")

    community = client.get("/api/status").json()["communities"][0]

    assert (community["connection"], community["connection_reason"]) == (
        "halted",
        "token refused",
    )


@pytest.mark.usefixtures("failures")
@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (41, "In step: linked to the only Contact with its e-mail address."),
        (
            42,
            (
                "In step: several Contacts have its e-mail address; choose one with "
                "`aurora-sync failures assign`."
            ),
        ),
        (43, "Not in step: STRING_TOO_LONG (Rank__c); it is tried again by itself."),
        (44, "Not seen yet: no run has met this member."),
    ],
)
def test_explains_why_a_member_is_or_is_not_in_step(client, number, verdict):
    answer = client.get(f"/api/records/member:{number}")

    assert answer.status_code == 200
    assert answer.json()["verdict"] == verdict


@pytest.mark.usefixtures("members", "timeline")
def test_shows_a_records_link_failure_and_timeline(client):
    answer = client.get("/api/records/member:41")

    assert answer.json() == {
        "community": "demo",
        "record": "member:41",
        "verdict": "In step: linked to the only Contact with its e-mail address.",
        "link": {
            "member_id": 41,
            "community_user_id": "a00000000000041AAA",
            "contact_id": "003000000000001AAA",
            "contact_link": "linked",
            "state": "synced",
            "last_visit_at": None,
            "written": True,
            "slow_fields_wait": False,
        },
        "failure": None,
        "events": [
            {
                "at": "2026-01-02T03:04:05Z",
                "what": "member.linked",
                "run": None,
                "detail": {"by": "email"},
            }
        ],
    }


@pytest.mark.parametrize("key", ["41", "thread:41", "member:", "member:4x", "member:٤"])
def test_refuses_a_key_that_is_no_members(client, key):
    answer = client.get(f"/api/records/{key}")

    assert answer.status_code == 422
    assert answer.json() == {
        "error": "invalid",
        "detail": f"{key}: give a record as member:41, with the member's id",
    }


def test_counts_a_runs_seconds_while_it_is_at_work(store):
    run = store.runs.request("demo", "members", "sync", "manual")
    store.streams.acquire("demo", "members", run.id, "test", timedelta(seconds=30))
    started = store.runs.get(run.id)

    now = started.started_at + timedelta(seconds=90)
    view = report.run_view(started, now)

    assert (view.state, view.seconds) == (RunState.RUNNING, 90.0)


@pytest.mark.usefixtures("failures")
def test_the_status_of_the_endpoint_is_the_one_of_the_shell(client, store):
    over_http = client.get("/api/status").json()
    in_shell = report.status(store, clock.now()).as_json()

    over_http.pop("at")
    in_shell.pop("at")
    assert over_http == in_shell
