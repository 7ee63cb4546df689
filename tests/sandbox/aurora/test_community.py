from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.sandbox.aurora import AuroraSandbox, Member
from worker.sandbox.aurora.clock import Zone, to_ms

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)
LATEST = "SELECT id FROM users ORDER BY last_visit_time DESC"


@pytest.fixture
def community():
    community = AuroraSandbox().community
    community.clock.set(NOON)
    return community


def test_registers_with_a_login_an_email_and_a_visit_of_its_own(community):
    member_id = community.register()

    assert community.members[member_id] == Member(
        id=1,
        login="member1",
        email="member1@members.example",
        registration_time=to_ms(NOON),
        last_visit_time=to_ms(NOON),
        rank_id=1,
    )


def test_leaves_out_an_email_that_is_none(community):
    assert community.members[community.register(email=None)].email is None


def test_gives_ids_behind_the_highest(community):
    community.register(id=41)

    assert community.register() == 42
    assert "42" in community.members
    assert community.members["42"].id == 42


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"nick": "x"}, "no field nick"), ({"id": 1}, "there already")],
)
def test_refuses_a_member_it_cannot_hold(community, fields, problem):
    community.register(id=1)

    with pytest.raises(ValueError, match=problem):
        community.register(**fields)


def test_only_a_visit_moves_the_last_visit(caller):
    community = caller.sandbox.community
    for number in range(3):
        community.register(last_visit_time=number)

    community.change(1, kudos_received=9, rank="Guru", last_name="New")
    after_change = caller.ids(LATEST)
    community.visit(1, at=NOON)

    assert after_change == ["3", "2", "1"]
    assert caller.ids(LATEST) == ["1", "3", "2"]
    assert community.members[1].logins == 1


def test_finds_a_member_by_the_new_login_after_a_change(caller):
    community = caller.sandbox.community
    community.register(login="old", email="old@x.example")
    caller.ids("SELECT id FROM users WHERE login = 'old'")

    community.change(1, login="new", email=None)

    assert caller.ids("SELECT id FROM users WHERE login = 'old'") == []
    assert caller.ids("SELECT id FROM users WHERE login = 'new'") == ["1"]
    assert caller.ids("SELECT id FROM users WHERE email = 'old@x.example'") == []


def test_many_changes_at_once_leave_the_orders_right(caller):
    community = caller.sandbox.community
    for number in range(600):
        community.register(last_visit_time=number)
    caller.ids(LATEST)

    community.change_many({n: {"last_visit_time": 10_000 - n} for n in range(1, 601)})

    assert caller.ids(f"{LATEST} LIMIT 3") == ["1", "2", "3"]


def test_a_closed_account_stays_to_be_found_and_a_purged_one_does_not(caller):
    community = caller.sandbox.community
    community.register()
    community.register()

    community.delete(1)
    community.delete(2, hard=True)

    items = caller.data("SELECT id, deleted FROM users")["items"]
    assert items == [{"type": "user", "id": "1", "deleted": True}]
    assert list(community.members) == [1]


def test_the_index_lags_behind_by_the_communitys_clock(caller):
    community = caller.sandbox.community
    community.clock.set(NOON)
    community.register(login="before")
    community.switches.change(index_lag_seconds=10)

    community.change(1, login="after")
    community.register(login="new")
    at_once = caller.ids("SELECT id FROM users WHERE login IN ('before', 'new')")
    community.clock.advance(10)

    assert at_once == ["1"]
    assert caller.ids("SELECT id FROM users WHERE login IN ('after', 'new')") == [
        "1",
        "2",
    ]


def test_the_index_catches_up_when_the_lag_is_switched_off(caller):
    community = caller.sandbox.community
    community.switches.change(index_lag_seconds=60)
    community.register()
    community.register()
    community.delete(1, hard=True)

    before = caller.ids("SELECT id FROM users")
    community.switches.change(index_lag_seconds=0)

    assert (before, caller.ids("SELECT id FROM users")) == ([], ["2"])


def test_the_community_has_no_member_of_its_own_when_none_is_generated(community):
    assert dict(community.members) == {}
    assert community.administrator.is_administrator


def test_a_generated_community_lists_its_administrator():
    community = AuroraSandbox(members=3).community

    assert list(community.members) == [1, 2, 3]
    assert community.administrator is community.members[1]
    assert community.members[1].is_administrator


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (NOON, Zone(), "2025-07-01T09:30:00.000-02:30"),
        (datetime(2025, 1, 1, tzinfo=UTC), Zone(), "2024-12-31T20:30:00.000-03:30"),
        (
            datetime(2025, 3, 9, 3, 30, tzinfo=UTC),
            Zone(),
            "2025-03-09T01:00:00.000-02:30",
        ),
        (NOON, Zone(345, daylight=False), "2025-07-01T17:45:00.000+05:45"),
        (NOON, Zone(0, daylight=False), "2025-07-01T12:00:00.000+00:00"),
    ],
)
def test_writes_times_in_the_communitys_zone(moment, zone, text):
    written = zone.text(to_ms(moment))

    assert written == text
    assert datetime.fromisoformat(written) == moment
