from __future__ import annotations

from datetime import timedelta

import pytest

from worker import clock
from worker.domain.state import (
    ContactLink,
    FailureState,
    MemberState,
    ParkedRecord,
    StagedMember,
)


def parked(number=41, **given):
    return ParkedRecord(
        "demo", "members", f"member:{number}", **{"reason": "X"} | given
    )


@pytest.fixture
def failures(store):
    return store.failures


def test_keeps_all_of_a_parked_record(failures):
    next_try_at = clock.now() + timedelta(minutes=1)
    row = parked(
        reason="ambiguous_email",
        detail="2 contacts",
        fields=("Email__c",),
        run_id="r1",
        next_try_at=next_try_at,
        candidates=("003A", "003B"),
    )

    failures.park([row])

    [failure] = failures.open("demo")
    known = {name: getattr(failure, name) for name in ParkedRecord._fields}
    assert ParkedRecord(**known) == row
    assert (failure.attempts, failure.state) == (1, FailureState.OPEN)
    assert failures.get(failure.id) == failure


def test_parking_again_counts_an_attempt_and_keeps_the_first_time(failures):
    failures.park([parked(reason="X")])
    [first] = failures.open("demo")

    failures.park([parked(reason="Y", fields=("Rank__c",))])

    [second] = failures.open("demo")
    assert second == first._replace(
        reason="Y",
        fields=("Rank__c",),
        attempts=2,
        last_failed_at=second.last_failed_at,
    )


def test_a_resolved_record_may_fail_anew(failures):
    failures.park([parked()])
    assert failures.resolve("demo", "members", ["member:41", "member:42"]) == 1

    failures.park([parked()])

    [failure] = failures.open("demo")
    assert failure.attempts == 1


def test_only_those_are_due_whose_time_has_come(failures):
    now = clock.now()
    second = timedelta(seconds=1)
    failures.park(
        [
            parked(1, next_try_at=now),
            parked(2, next_try_at=now + second),
            parked(3),
            parked(4, next_try_at=now - second),
        ]
    )

    due = failures.due("demo", "members", now)

    assert [failure.record_key for failure in due] == ["member:4", "member:1"]
    assert failures.next_try_at("demo", "members") == now - second


def test_lists_by_stream_and_reason_a_page_at_a_time(failures):
    failures.park([parked(1), parked(2, reason="Y"), parked(3), parked(4)])

    first = failures.open("demo", "members", reason="X", limit=2)
    rest = failures.open("demo", reason="X", after=first[-1].id)

    assert [failure.record_key for failure in (*first, *rest)] == [
        "member:1",
        "member:3",
        "member:4",
    ]
    assert failures.open("demo", "replies") == []
    assert failures.count("demo") == {"X": 3, "Y": 1}


def test_a_person_may_ask_for_a_retry(failures):
    failures.park([parked()])
    [failure] = failures.open("demo")

    assert failures.retry([failure.id]) == 1

    assert len(failures.due("demo", "members", clock.now())) == 1


def test_a_discarded_failure_is_closed_with_the_reason(failures):
    failures.park([parked()])
    [failure] = failures.open("demo")

    assert failures.discard([failure.id], "left the company") == 1
    assert failures.discard([failure.id], "twice") == 0

    assert failures.open("demo") == []
    assert failures.get(failure.id) == failure._replace(
        state=FailureState.DISCARDED, resolution="left the company"
    )


def test_remembers_the_contact_a_person_chose(store, failures):
    link = StagedMember(41, b"f" * 16, 1, contact_link=ContactLink.AMBIGUOUS)
    store.members.stage("demo", [link])
    store.members.settle("demo", 1)
    failures.park([parked(candidates=("003A", "003B"))])
    [failure] = failures.open("demo")

    assert failures.assign(failure.id, "003B")

    member = store.members.by_ids("demo", [41])[41]
    assert (member.contact_id, member.contact_link, member.fingerprint) == (
        "003B",
        ContactLink.ASSIGNED,
        None,
    )
    assert len(failures.due("demo", "members", clock.now())) == 1


def test_a_choice_may_come_before_the_member_was_ever_sent(store, failures):
    failures.park([parked()])
    [failure] = failures.open("demo")

    failures.assign(failure.id, "003B")

    member = store.members.by_ids("demo", [41])[41]
    assert (member.contact_id, member.state) == ("003B", MemberState.PENDING)


def test_assigns_nothing_but_members(failures):
    failures.park([parked()._replace(record_key="contact:003A")])
    [failure] = failures.open("demo")

    assert not failures.assign(failure.id, "003B")
    assert not failures.assign(failure.id + 1, "003B")


def test_members_written_since_are_healed(store, failures):
    failures.park(
        [
            parked(1),
            parked(2, reason="ambiguous_email"),
            parked(3),
            parked(4)._replace(record_key="contact:003A"),
        ]
    )
    rows = [
        StagedMember(1, b"f" * 16, 1),
        StagedMember(2, b"f" * 16, 1, contact_link=ContactLink.AMBIGUOUS),
        StagedMember(3, b"f" * 16, 1),
    ]
    store.members.stage("demo", rows)
    store.members.settle("demo", 1, failed=[3])

    healed = failures.resolve_healed("demo", "members")

    assert healed == 1
    assert [failure.record_key for failure in failures.open("demo")] == [
        "member:2",
        "member:3",
        "contact:003A",
    ]


def test_resolves_all_of_a_stream(failures):
    failures.park([parked(1), parked(2)])

    assert failures.resolve_all("demo", "members") == 2
    assert failures.count("demo") == {}


def test_takes_a_text_no_database_likes(failures):
    failures.park([parked(detail="a\0b")])

    [failure] = failures.open("demo")
    assert failure.detail == "ab"
