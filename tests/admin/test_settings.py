from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

DEFAULTS = {
    "user_synchronization": True,
    "sync_interval_minutes": 60,
    "full_sync_interval_hours": 24,
    "create_new_contact": False,
    "link_contacts": True,
    "contact_fields": True,
    "api_budget_percent": 80,
    "breaker_percent": 25,
}


def test_shows_every_setting(client):
    answer = client.get("/api/settings")

    assert answer.json() == {"settings": DEFAULTS}


def test_changes_some_and_keeps_the_rest(client):
    changes = {"create_new_contact": True, "api_budget_percent": 50}

    answer = client.put("/api/settings", json=changes)

    assert answer.status_code == 200
    assert answer.json() == {"settings": {**DEFAULTS, **changes}}
    assert client.get("/api/settings").json() == answer.json()


def test_a_new_interval_counts_at_once(client, store):
    due_at = datetime(2040, 1, 1, 12, tzinfo=UTC)
    store.streams.set_due("demo", "members", due_at)

    client.put("/api/settings", json={"sync_interval_minutes": 5})

    status = store.streams.status("demo", "members")
    assert (status.interval, status.due_at) == (
        timedelta(minutes=5),
        due_at - timedelta(minutes=55),
    )


def test_switching_the_stream_off_keeps_it_from_being_claimed(client, store):
    client.put("/api/settings", json={"user_synchronization": False})
    off = store.streams.status("demo", "members").enabled

    client.put("/api/settings", json={"user_synchronization": True})
    on = store.streams.status("demo", "members").enabled

    assert (off, on) == (False, True)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        (
            {"api_budget_percent": 101},
            "api_budget_percent: give a whole number from 1 to 100",
        ),
        (
            {"sync_interval_minutes": 0, "link_contacts": 7},
            (
                "sync_interval_minutes: give a whole number from 1 to 10080; "
                "link_contacts: give on or off"
            ),
        ),
        ({"colour": True}, "colour: unknown; known are " + ", ".join(DEFAULTS)),
    ],
)
def test_names_each_wrong_key_and_what_is_allowed(client, changes, detail):
    answer = client.put("/api/settings", json={"create_new_contact": True, **changes})

    assert answer.status_code == 422
    assert answer.json() == {"error": "invalid", "detail": detail}
    assert client.get("/api/settings").json() == {"settings": DEFAULTS}


@pytest.mark.parametrize("body", ['{"api_budget_percent": 50.5}', "[]", "{", "null"])
def test_refuses_what_is_no_object_of_settings(client, body):
    answer = client.put(
        "/api/settings", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid"
