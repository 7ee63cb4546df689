from __future__ import annotations

import pytest

from worker import clock
from worker.domain.state import ContactLink

AMBIGUOUS = {
    "community": "demo",
    "stream": "members",
    "record": "member:42",
    "reason": "ambiguous_email",
    "fields": [],
    "detail": "",
    "attempts": 1,
    "state": "open",
    "resolution": None,
    "next_try_at": None,
    "waits_for": "person",
    "candidates": ["003000000000001AAA", "003000000000002AAA"],
    "run": None,
}
REFUSED = {
    "community": "demo",
    "stream": "members",
    "record": "member:43",
    "reason": "STRING_TOO_LONG",
    "fields": ["Rank__c"],
    "detail": "too long",
    "attempts": 1,
    "state": "open",
    "resolution": None,
    "next_try_at": "2030-01-01T00:00:00Z",
    "waits_for": "next_try",
    "candidates": [],
    "run": None,
}
TIMES = ("first_failed_at", "last_failed_at")


def without_times(failure):
    return {key: value for key, value in failure.items() if key not in TIMES}


def test_lists_the_open_failures_oldest_first(client, failures):
    ambiguous, refused = failures

    answer = client.get("/api/failures").json()

    assert {**answer, "failures": [without_times(f) for f in answer["failures"]]} == {
        "failures": [{"id": ambiguous, **AMBIGUOUS}, {"id": refused, **REFUSED}],
        "open": 2,
        "after": None,
    }


@pytest.mark.usefixtures("failures")
@pytest.mark.parametrize(
    ("wanted", "records"),
    [
        ({"reason": "STRING_TOO_LONG"}, ["member:43"]),
        ({"stream": "members"}, ["member:42", "member:43"]),
        ({"stream": "replies"}, []),
        ({"limit": 1}, ["member:42"]),
    ],
)
def test_filters_the_failures(client, wanted, records):
    answer = client.get("/api/failures", params=wanted).json()

    assert [failure["record"] for failure in answer["failures"]] == records


def test_pages_through_the_failures(client, failures):
    first = client.get("/api/failures", params={"limit": 1}).json()
    second = client.get(
        "/api/failures", params={"limit": 1, "after": first["after"]}
    ).json()
    third = client.get(
        "/api/failures", params={"limit": 1, "after": second["after"]}
    ).json()

    pages = [[f["id"] for f in page["failures"]] for page in (first, second, third)]
    assert pages == [[failures[0]], [failures[1]], []]
    assert third["after"] is None


def test_refuses_a_filter_it_does_not_know(client):
    answer = client.get("/api/failures", params={"reasons": "x"})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("reasons: ")


def test_has_a_failure_tried_again(client, store, failures):
    answer = client.post(f"/api/failures/{failures[1]}/retry")

    assert answer.status_code == 200
    assert answer.json()["waits_for"] == "next_try"
    due = store.failures.due("demo", "members", clock.now())
    assert [failure.record_key for failure in due] == ["member:43"]


def test_gives_a_failure_up_with_its_reason(client, store, failures):
    answer = client.post(
        f"/api/failures/{failures[0]}/discard", json={"why": "a test account"}
    )

    assert answer.status_code == 200
    assert without_times(answer.json()) == {
        "id": failures[0],
        **AMBIGUOUS,
        "state": "discarded",
        "resolution": "a test account",
        "waits_for": "nothing",
    }
    assert [f.id for f in store.failures.open("demo")] == [failures[1]]


def test_assigns_the_contact_a_person_chose(client, store, failures):
    answer = client.post(
        f"/api/failures/{failures[0]}/assign", json={"contact_id": "003000000000002"}
    )

    assert answer.status_code == 200
    link = store.members.by_ids("demo", [42])[42]
    assert (link.contact_id, link.contact_link) == (
        "003000000000002AAA",
        ContactLink.ASSIGNED,
    )


@pytest.mark.parametrize(
    "contact_id", ["001000000000002AAA", "003000000000002A", "00300000000000é"]
)
def test_refuses_what_is_no_contacts_id(client, store, failures, contact_id):
    answer = client.post(
        f"/api/failures/{failures[0]}/assign", json={"contact_id": contact_id}
    )

    assert answer.status_code == 422
    assert answer.json() == {
        "error": "invalid",
        "detail": "contact_id: give a Contact's id, 003… with 15 or 18 letters",
    }
    assert store.members.by_ids("demo", [42])[42].contact_id is None


@pytest.mark.parametrize("body", [None, {}, {"why": ""}, {"why": "  "}])
def test_gives_nothing_up_without_a_reason(client, store, failures, body):
    answer = client.post(f"/api/failures/{failures[0]}/discard", json=body)

    assert answer.status_code == 422
    assert len(store.failures.open("demo")) == 2


@pytest.mark.parametrize("act", ["retry", "discard", "assign"])
def test_says_when_there_is_no_such_failure(client, act):
    body = {
        "discard": {"why": "x"},
        "assign": {"contact_id": "003000000000002"},
    }.get(act)

    answer = client.post(f"/api/failures/77/{act}", json=body)

    assert answer.status_code == 404
    assert answer.json() == {"error": "not_found", "detail": "there is no failure 77"}


def test_acts_on_open_failures_only(client, failures):
    client.post(f"/api/failures/{failures[0]}/discard", json={"why": "gone"})

    answer = client.post(f"/api/failures/{failures[0]}/retry")

    assert answer.status_code == 404
    assert answer.json()["detail"] == f"failure {failures[0]} is discarded already"
