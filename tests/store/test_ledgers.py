"""Communities, batches, events and usage: the shelves that mostly keep and give."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from worker.domain.records import Side
from worker.domain.state import (
    Batch,
    BatchPurpose,
    BatchState,
    CallCount,
    Community,
    ConnectionStatus,
    Event,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_ensuring_a_community_again_moves_its_address_only(store):
    store.communities.change_settings("demo", {"contact_fields": False})

    store.communities.ensure("demo", "https://new.example", "tenant", "/t5")

    assert store.communities.all() == [
        Community(
            community="demo",
            base_url="https://new.example",
            tenant="tenant",
            api_prefix="/t5",
            connection_status=ConnectionStatus.ACTIVE,
            status_reason="",
            feature_settings={"contact_fields": False},
        )
    ]


def test_settings_change_one_by_one(store):
    store.communities.change_settings("demo", {"a": 1, "b": 2})
    store.communities.change_settings("demo", {"b": 3})

    assert store.communities.settings("demo") == {"a": 1, "b": 3}
    assert store.communities.settings("unknown") == {}


def test_a_status_says_why(store):
    store.communities.set_status("demo", ConnectionStatus.HALTED, "token refused")

    known = store.communities.get("demo")
    assert (known.connection_status, known.status_reason) == (
        ConnectionStatus.HALTED,
        "token refused",
    )


def open_batch(store, rows=3):
    return store.batches.open(
        "demo", "members", "r1", BatchPurpose.MEMBERS, "Community_User__c", rows
    )


def test_a_batch_is_known_before_it_is_sent(store):
    number = open_batch(store)

    [batch] = store.batches.unfinished("demo", "members")
    assert batch == Batch(
        id=number,
        community="demo",
        stream="members",
        run_id="r1",
        purpose=BatchPurpose.MEMBERS,
        object="Community_User__c",
        rows=3,
        job_id=None,
        state=BatchState.OPEN,
        created_at=batch.created_at,
        finished_at=None,
    )


def test_unfinished_batches_are_found_in_their_order(store):
    done, aborted, uploaded, opened = (open_batch(store) for _ in range(4))

    store.batches.done(done)
    store.batches.aborted(aborted)
    store.batches.uploaded(uploaded, "750")

    found = store.batches.unfinished("demo", "members")
    assert [(batch.id, batch.state, batch.job_id) for batch in found] == [
        (uploaded, BatchState.UPLOADED, "750"),
        (opened, BatchState.OPEN, None),
    ]
    assert store.batches.get(done).state is BatchState.DONE


def test_a_timeline_shows_the_latest_first(store):
    events = [
        Event("demo", "member:1", NOON + timedelta(hours=hour), "member.applied", "r1")
        for hour in range(3)
    ]
    store.events.add([*events, Event("demo", "member:2", NOON, "member.parked")])

    assert store.events.of("demo", "member:1", limit=2) == [events[2], events[1]]


def test_old_events_go_a_part_at_a_time(store):
    store.events.add(
        [Event("demo", "member:1", NOON, "member.applied")] * 3
        + [Event("demo", "member:1", NOON + timedelta(1), "member.parked", None, {})]
    )

    gone = [store.events.prune(NOON + timedelta(hours=1), limit=2) for _ in range(3)]

    assert gone == [2, 1, 0]
    [kept] = store.events.of("demo", "member:1")
    assert (kept.what, kept.detail) == ("member.parked", {})


def test_calls_add_up_by_day_remote_and_stream(store):
    today, tomorrow = date(2026, 1, 1), date(2026, 1, 2)

    store.usage.add("demo", today, Side.SALESFORCE, "members", 3)
    store.usage.add("demo", today, Side.SALESFORCE, "members", 4)
    store.usage.add("demo", today, Side.AURORA, "members", 5)
    store.usage.add("demo", today, Side.AURORA, "replies", 0)
    store.usage.add("demo", tomorrow, Side.AURORA, "members", 6)

    assert store.usage.of_day("demo", today) == [
        CallCount(Side.AURORA, "members", 5),
        CallCount(Side.SALESFORCE, "members", 7),
    ]
