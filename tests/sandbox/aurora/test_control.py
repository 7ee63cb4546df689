from __future__ import annotations

import json
from datetime import UTC, datetime

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


def lines(caller):
    return [json.loads(line) for line in caller.get("/_sandbox/members").iter_lines()]


def test_shows_a_page_and_its_state(caller):
    page = caller.get("/_sandbox/")
    state = caller.get("/_sandbox", headers={"Accept": "application/json"}).json()

    assert "Aurora sandbox" in page.text
    assert (state["tenant"], state["members"], state["faults"]) == ("demo", 0, [])
    assert state["switches"]["in_operator"] is True


def test_lists_the_true_members(caller):
    caller.sandbox.community.switches.change(index_lag_seconds=60)
    caller.sandbox.community.register(
        id=41,
        login="Ada",
        email=None,
        roles=["Moderator"],
        registration_time=NOON,
        last_visit_time=None,
        c_uuid="u",
        kudos_received=7,
    )

    [line] = lines(caller)

    assert caller.ids("SELECT id FROM users") == []
    expected = {
        "id": "41",
        "login": "Ada",
        "email": None,
        "rank": "New Member",
        "roles": ["Moderator"],
        "registration_time": "2025-07-01T12:00:00.000+00:00",
        "last_visit_time": None,
        "kudos_received": 7,
        "href": "/users/41",
        "view_href": "https://community.example/t5/user/viewprofilepage/user-id/41",
        "c_uuid": "u",
    }
    assert {key: line[key] for key in expected} == expected


def test_registers_by_count_or_by_fields(caller):
    by_count = caller.post("/_sandbox/members/register", json={"count": 2}).json()
    by_fields = caller.post(
        "/_sandbox/members",
        json=[{"login": "ada", "last_visit_time": "2025-07-01T12:00:00Z"}],
    ).json()

    assert (by_count, by_fields) == ({"ids": ["1", "2"]}, {"ids": ["3"]})
    assert caller.sandbox.community.members[3].last_visit_time == 1751371200000


def test_lets_some_members_visit_and_change(serve):
    caller = serve(members=50)
    caller.sign_in()
    caller.sandbox.community.clock.set(NOON.replace(year=2026))
    before = {line["id"]: line for line in lines(caller)}

    ids = caller.post("/_sandbox/members/change", json={"count": 10}).json()["ids"]

    changed = {line["id"] for line in lines(caller) if line != before[line["id"]]}
    latest = caller.ids("SELECT id FROM users ORDER BY last_visit_time DESC LIMIT 10")
    assert len(ids) == 10
    assert changed == set(ids) == set(latest)


def test_edits_one_member_without_a_visit(caller):
    caller.sandbox.community.register(last_visit_time=5)

    caller.post("/_sandbox/members/change", json={"id": "1", "last_name": "New"})

    member = caller.sandbox.community.members[1]
    assert (member.last_name, member.last_visit_time) == ("New", 5)


def test_deletes_by_count_or_by_id(serve):
    caller = serve(members=30)
    deleted = sum(line["deleted"] for line in lines(caller))

    caller.post("/_sandbox/members/delete", json={"count": 3})
    caller.post("/_sandbox/members/delete", json={"ids": ["1"], "hard": True})

    left = lines(caller)
    assert sum(line["deleted"] for line in left) == deleted + 3
    assert (len(left), left[0]["id"] != "1") == (29, True)


def test_sets_the_clock(caller):
    set_to = caller.post("/_sandbox/clock", json={"set": NOON.isoformat()}).json()
    advanced = caller.post("/_sandbox/clock", json={"advance": 60}).json()
    running = caller.post("/_sandbox/clock", json={"run": True}).json()

    assert set_to == {"now": "2025-07-01T12:00:00+00:00"}
    assert advanced == {"now": "2025-07-01T12:01:00+00:00"}
    assert running["now"] != advanced["now"]


def test_resets_to_the_first_day(serve):
    caller = serve(members=5, page_size=2)
    caller.sign_in()
    first = lines(caller)
    caller.sandbox.community.register()
    caller.sandbox.community.change(1, login="x")
    caller.post("/_sandbox/faults", json={"kind": "status", "times": None})
    caller.post("/_sandbox/switches", json={"page_size": None})

    state = caller.post("/_sandbox/reset").json()

    assert lines(caller) == first
    assert state["switches"]["page_size"] == 2
    assert (state["faults"], state["calls"]["total"]) == ([], 0)
    assert caller.ask("SELECT id FROM users").status_code == 401


def test_a_wrong_order_is_told_in_words(caller):
    answers = [
        caller.post("/_sandbox/members", json={"nick": "x"}),
        caller.post("/_sandbox/members/change", json={"id": "99", "login": "x"}),
        caller.post("/_sandbox/clock", data="{"),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert answers[0].json() == {"error": "a member has no field nick"}
