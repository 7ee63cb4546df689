from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker import clock
from worker.domain.state import (
    ContactLink,
    MemberLink,
    MemberState,
    StagedMember,
    Winner,
)

SEEN_AT = datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC)
PRINT = bytes(range(16))
OTHER = bytes(range(1, 17))
KEY = b"k" * 16


def staged(member_id, **given):
    known = {"member_id": member_id, "sent_fingerprint": PRINT, "batch_id": 1}
    return StagedMember(**known | given)


@pytest.fixture
def members(store):
    return store.members


@pytest.fixture
def synced(members):
    """Stage and settle members, as a run that went well."""

    def go(*rows):
        members.stage("demo", list(rows))
        members.settle("demo", 1)

    return go


def test_a_staged_member_is_pending_with_all_that_was_sent(members):
    row = staged(
        41,
        contact_id="003A",
        contact_link=ContactLink.LINKED,
        email_key=KEY,
        last_visit_at=SEEN_AT,
        contact_values='{"rank":"Guru"}',
        slow_due_at=SEEN_AT,
    )

    members.stage("demo", [row])

    assert members.by_ids("demo", [41, 42]) == {
        41: MemberLink(
            member_id=41,
            community_user_id=None,
            contact_id="003A",
            contact_link=ContactLink.LINKED,
            email_key=KEY,
            fingerprint=None,
            sent_fingerprint=PRINT,
            batch_id=1,
            state=MemberState.PENDING,
            last_visit_at=SEEN_AT,
            contact_values='{"rank":"Guru"}',
            slow_due_at=SEEN_AT,
            slow_fingerprint=None,
            deleted=False,
        )
    }


def test_settling_says_what_the_crm_holds(members):
    members.stage("demo", [staged(1), staged(2), staged(3, deleted=True)])

    members.settle("demo", 1, failed={2}, created=[(1, "a01"), (3, "a03")])

    found = members.between("demo", 0, 3)
    assert [
        (link.community_user_id, link.state, link.fingerprint, link.batch_id)
        for link in (found[1], found[2], found[3])
    ] == [
        ("a01", MemberState.SYNCED, PRINT, None),
        (None, MemberState.FAILED, None, None),
        ("a03", MemberState.DELETED, PRINT, None),
    ]
    assert found[2].sent_fingerprint == PRINT


def test_settling_twice_changes_nothing(members):
    members.stage("demo", [staged(1), staged(2)])
    members.settle("demo", 1, failed={2}, created=[(1, "a01")])
    before = members.between("demo", 0, 9)

    members.settle("demo", 1, failed={1}, created=[(1, "a01")])

    assert members.between("demo", 0, 9) == before


def test_a_late_answer_leaves_a_newer_batch_alone(members):
    members.stage("demo", [staged(1)])
    members.stage("demo", [staged(1, sent_fingerprint=OTHER, batch_id=2)])

    members.settle("demo", 1, failed={1}, created=[(1, "a01")])

    link = members.by_ids("demo", [1])[1]
    assert (link.state, link.batch_id, link.sent_fingerprint) == (
        MemberState.PENDING,
        2,
        OTHER,
    )
    assert link.community_user_id == "a01"


def test_a_late_answer_does_not_overwrite_a_record_id(members):
    members.stage("demo", [staged(1, batch_id=2)])
    members.settle("demo", 2, created=[(1, "a-new")])

    members.settle("demo", 1, created=[(1, "a-old")])

    assert members.by_ids("demo", [1])[1].community_user_id == "a-new"


def test_created_members_are_settled_page_by_page(members):
    members.stage("demo", [staged(1), staged(2, deleted=True), staged(3)])

    members.note_created("demo", 1, [(1, "a01"), (2, "a02")])

    found = members.between("demo", 0, 3)
    assert [
        (link.community_user_id, link.state, link.fingerprint, link.batch_id)
        for link in (found[1], found[2], found[3])
    ] == [
        ("a01", MemberState.SYNCED, PRINT, None),
        ("a02", MemberState.DELETED, PRINT, None),
        (None, MemberState.PENDING, None, 1),
    ]


def test_staging_again_keeps_the_record_id_and_the_place_in_the_queue(members, synced):
    synced(staged(1, slow_due_at=SEEN_AT))
    members.note_created("demo", 1, [(1, "a01")])

    members.stage("demo", [staged(1, sent_fingerprint=OTHER)])

    link = members.by_ids("demo", [1])[1]
    assert (link.community_user_id, link.slow_due_at, link.fingerprint) == (
        "a01",
        SEEN_AT,
        None,
    )


def test_of_two_rows_for_one_member_the_last_counts(members):
    members.stage("demo", [staged(1), staged(1, sent_fingerprint=OTHER)])

    assert members.by_ids("demo", [1])[1].sent_fingerprint == OTHER


def test_nothing_to_stage_is_fine(members):
    members.stage("demo", [])

    assert members.count("demo") == {}


def test_ranges_leave_out_the_low_end_and_keep_the_high(members, synced):
    synced(*[staged(number) for number in range(1, 6)])

    assert list(members.between("demo", 2, 4)) == [3, 4]


def test_finds_more_members_than_fit_one_statement(members, synced):
    synced(*[staged(number) for number in range(1, 1202)])

    assert len(members.by_ids("demo", range(1202))) == 1201


def test_keeps_communities_apart(members, synced):
    synced(staged(1))
    members.stage("other", [staged(1), staged(2)])

    members.settle("other", 1)
    members.wipe("other")

    assert members.count("demo") == {MemberState.SYNCED: 1}
    assert (members.max_id("demo"), members.max_id("other")) == (1, 0)


def test_counts_by_state_and_link(members):
    members.stage("demo", [staged(1, contact_id="003A"), staged(2), staged(3)])
    members.settle("demo", 1, failed=[3])

    assert members.count("demo") == {MemberState.SYNCED: 2, MemberState.FAILED: 1}
    assert members.linked_count("demo") == 1


def test_slow_fields_wait_in_the_order_they_came(members, synced):
    minute = timedelta(minutes=1)
    synced(
        staged(1, slow_due_at=SEEN_AT + minute),
        staged(2, slow_due_at=SEEN_AT),
        staged(3, slow_due_at=SEEN_AT),
        staged(4),
    )

    first = members.slow_due("demo", 2)
    members.slow_done("demo", [(2, PRINT)])

    assert first == [2, 3]
    assert members.slow_due("demo", 9) == [3, 1]
    assert members.slow_waiting("demo") == 2
    assert members.by_ids("demo", [2])[2].slow_fingerprint == PRINT


def test_a_merged_contacts_members_follow(members, synced):
    link = {"contact_id": "003A", "contact_link": ContactLink.ASSIGNED}
    synced(staged(1, **link), staged(2, **link), staged(3, contact_id="003B"))

    moved = members.relink("demo", "003A", "003B")

    found = members.linked_to("demo", ["003B"])
    assert moved == [1, 2]
    assert [(each.member_id, each.contact_link) for each in found] == [
        (1, ContactLink.ASSIGNED),
        (2, ContactLink.ASSIGNED),
        (3, ContactLink.NONE),
    ]


def test_a_gone_contacts_members_are_matched_anew(members, synced):
    synced(staged(1, contact_id="003A", contact_link=ContactLink.LINKED, email_key=KEY))

    members.relink("demo", "003A", None)

    [link] = members.unlinked_with_email("demo", [KEY])
    assert (link.member_id, link.contact_link) == (1, ContactLink.NONE)


def test_finds_unlinked_members_by_email_key_only(members, synced):
    synced(
        staged(1, email_key=KEY),
        staged(2, email_key=OTHER),
        staged(3, email_key=KEY, contact_id="003A"),
        staged(4),
    )

    found = members.unlinked_with_email("demo", [KEY])

    assert [link.member_id for link in found] == [1]


def test_the_most_recently_seen_member_wins_a_contact(members, synced):
    early, late = SEEN_AT, SEEN_AT + timedelta(microseconds=1)
    synced(
        staged(1, contact_id="003A", last_visit_at=late, contact_values="late"),
        staged(2, contact_id="003A", last_visit_at=early),
        staged(3, contact_id="003A"),
        staged(4, contact_id="003B", last_visit_at=early),
        staged(5, contact_id="003B", last_visit_at=early, contact_values="higher"),
        staged(6, contact_id="003C", last_visit_at=early, deleted=True),
        staged(7, contact_id="003D", contact_values="never seen"),
    )

    winners = members.winners("demo", ["003A", "003B", "003C", "003D", "003E"])

    assert winners == {
        "003A": Winner(1, "late"),
        "003B": Winner(5, "higher"),
        "003D": Winner(7, "never seen"),
    }


def test_instants_of_other_zones_are_kept_in_utc(members):
    zone = clock.now().astimezone().tzinfo
    members.stage("demo", [staged(1, last_visit_at=SEEN_AT.astimezone(zone))])

    assert members.by_ids("demo", [1])[1].last_visit_at == SEEN_AT
