from __future__ import annotations

import pytest

from worker.domain.state import RunState

COUNTS = {"applied": 3, "unchanged": 2, "skipped": 0, "deferred": 0, "failed": 1}


def test_queues_a_run_and_wakes_a_worker(client, store, sent):
    answer = client.post("/api/streams/members/runs")

    assert answer.status_code == 202
    run = store.runs.get(answer.json()["run"])
    assert answer.json() == {"run": run.id}
    assert sent == [run.id]
    assert (run.kind, run.trigger, run.state, run.full, run.options) == (
        "sync",
        "manual",
        "queued",
        False,
        {},
    )


@pytest.mark.parametrize(
    ("order", "kind", "full", "options"),
    [
        ({"full": True}, "sync", True, {}),
        ({"dry_run": True}, "dry_run", False, {}),
        ({"force": True, "full": True}, "sync", True, {"force": True}),
    ],
)
def test_takes_what_kind_of_run_is_wanted(client, store, order, kind, full, options):
    answer = client.post("/api/streams/members/runs", json=order)

    run = store.runs.get(answer.json()["run"])
    assert (run.kind, run.full, run.options) == (kind, full, options)


def test_names_the_run_that_holds_the_stream(client, sent):
    first = client.post("/api/streams/members/runs").json()["run"]

    answers = [
        client.post("/api/streams/members/runs"),
        client.post("/api/members/reset"),
    ]

    refused = {
        "error": "already_running",
        "detail": f"members is already running as run {first}",
        "run": first,
    }
    assert [(a.status_code, a.json()) for a in answers] == [(409, refused)] * 2
    assert sent == [first]


def test_knows_only_its_streams(client):
    answer = client.post("/api/streams/cases/runs")

    assert answer.status_code == 404
    assert answer.json() == {"error": "unknown_stream", "detail": "streams are members"}


@pytest.mark.parametrize(
    ("order", "detail"),
    [
        ({"ful": True}, "ful: Extra inputs are not permitted"),
        ({"full": "perhaps"}, "full: Input should be a valid boolean"),
    ],
)
def test_refuses_an_order_it_does_not_understand(client, order, detail):
    answer = client.post("/api/streams/members/runs", json=order)

    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid"
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize("contacts", [True, False])
def test_queues_a_reset(client, store, sent, contacts):
    answer = client.post("/api/members/reset", json={"contacts": contacts})

    assert answer.status_code == 202
    run = store.runs.get(answer.json()["run"])
    assert (run.kind, run.trigger, run.state) == ("reset", "reset", "queued")
    assert run.options == {"contacts": contacts, "dry_run": False}
    assert sent == [run.id]


def test_shows_a_run_with_its_counts_calls_and_error(client, finished):
    run = finished(
        RunState.STOPPED,
        counts=COUNTS,
        calls={"salesforce": 4, "aurora": 9},
        extra={"fitted": {"Rank__c": 1}},
        error_code="invalid_client",
        error_text="salesforce login 400 invalid_client",
    )

    answer = client.get(f"/api/runs/{run.id}")

    shown = answer.json()
    assert answer.status_code == 200
    assert shown.pop("seconds") >= 0
    for moment in ("requested_at", "started_at", "finished_at", "heartbeat_at"):
        assert shown.pop(moment).endswith("Z")
    assert shown == {
        "run": run.id,
        "community": "demo",
        "stream": "members",
        "kind": "sync",
        "trigger": "cli",
        "state": "stopped",
        "full": True,
        "progress": {"done": 0, "total": 0},
        "counts": COUNTS,
        "calls": {"salesforce": 4, "aurora": 9},
        "extra": {"fitted": {"Rank__c": 1}},
        "error_code": "invalid_client",
        "error": "salesforce login 400 invalid_client",
    }


def test_pages_through_the_runs_newest_first(client, finished):
    ids = [finished().id for _ in range(5)]

    seen, before = [], None
    while True:
        asked = {"limit": 2, **({"before": before} if before else {})}
        page = client.get("/api/runs", params=asked).json()
        seen += [run["run"] for run in page["runs"]]
        before = page["before"]
        if before is None:
            break

    assert seen == list(reversed(ids))


def test_says_when_there_is_no_such_run(client):
    answer = client.get("/api/runs/0")

    assert answer.status_code == 404
    assert answer.json() == {"error": "not_found", "detail": "there is no such run"}


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_refuses_a_page_size_out_of_range(client, limit):
    answer = client.get("/api/runs", params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("limit: ")
