from __future__ import annotations

from datetime import timedelta

import pytest

from worker import clock
from worker.domain.state import ContactDue, StagedMember

ADA, BOB = b"a" * 16, b"b" * 16
DIGEST = b"d" * 16


@pytest.fixture
def contacts(store):
    return store.contacts


@pytest.fixture
def refreshed(contacts):
    """Read all Contacts of the org, as a refresh does."""

    def go(*rows):
        generation = contacts.begin_refresh("demo")
        contacts.add("demo", generation, rows)
        return contacts.finish_refresh("demo", generation)

    return go


def test_finds_contacts_by_email_key(contacts, refreshed):
    refreshed(("003B", ADA), ("003A", ADA), ("003C", BOB), ("003D", None))

    found = contacts.by_email("demo", [ADA, BOB, b"x" * 16])

    assert found == {ADA: ["003A", "003B"], BOB: ["003C"]}


def test_a_refresh_forgets_what_it_did_not_see(store, contacts, refreshed):
    refreshed(("003A", ADA), ("003B", BOB), ("003C", BOB))
    linked = StagedMember(1, DIGEST, 1, contact_id="003B")
    store.members.stage("demo", [linked])

    gone = refreshed(("003A", ADA))

    assert gone == ["003B"]
    assert contacts.by_email("demo", [ADA, BOB]) == {ADA: ["003A"]}


def test_tells_what_would_be_forgotten(store, contacts, refreshed):
    refreshed(("003A", ADA), ("003B", BOB))
    store.members.stage("demo", [StagedMember(1, DIGEST, 1, contact_id="003B")])
    generation = contacts.begin_refresh("demo")
    contacts.add("demo", generation, [("003A", ADA)])

    assert contacts.linked_unseen("demo", generation) == ["003B"]
    assert contacts.by_email("demo", [BOB]) == {BOB: ["003B"]}


def test_a_refresh_that_broke_off_forgets_nothing(contacts, refreshed):
    refreshed(("003A", ADA))

    contacts.begin_refresh("demo")

    assert contacts.by_email("demo", [ADA]) == {ADA: ["003A"]}


def test_a_contact_that_came_during_a_refresh_stays(contacts):
    generation = contacts.begin_refresh("demo")
    contacts.add("demo", None, [("003N", ADA)], created_by_us=True)

    contacts.finish_refresh("demo", generation)

    assert contacts.by_email("demo", [ADA]) == {ADA: ["003N"]}
    assert contacts.created_by_us("demo") == ["003N"]


def test_a_refresh_keeps_what_we_know_of_our_fields(contacts, refreshed):
    contacts.add("demo", None, [("003A", ADA)], created_by_us=True)
    contacts.mark_due("demo", ["003A"])
    contacts.written("demo", [("003A", DIGEST)])
    contacts.mark_due("demo", ["003A"])

    refreshed(("003A", BOB))

    assert contacts.due("demo") == [ContactDue("003A", DIGEST)]
    assert contacts.created_by_us("demo") == ["003A"]
    assert contacts.by_email("demo", [ADA, BOB]) == {BOB: ["003A"]}


def test_pages_through_what_is_due(contacts):
    contacts.mark_due("demo", ["003C", "003A", "003B"])

    first = contacts.due("demo", limit=2)
    rest = contacts.due("demo", after_id=first[-1].contact_id)

    assert [each.contact_id for each in (*first, *rest)] == ["003A", "003B", "003C"]


def test_what_is_written_waits_no_longer(contacts):
    contacts.mark_due("demo", ["003A", "003B"])

    contacts.written("demo", [("003A", DIGEST)])

    assert contacts.due("demo") == [ContactDue("003B", None)]


def test_a_mark_made_while_writing_stays(contacts):
    contacts.mark_due("demo", ["003A"])

    contacts.written("demo", [("003A", DIGEST)], as_of=clock.now() - timedelta(1))

    assert contacts.due("demo") == [ContactDue("003A", DIGEST)]


def test_removed_contacts_are_found_no_more(contacts, refreshed):
    refreshed(("003A", ADA), ("003B", ADA))

    contacts.remove("demo", ["003A"])

    assert contacts.by_email("demo", [ADA]) == {ADA: ["003B"]}


def test_clearing_leaves_other_communities_alone(store, contacts, refreshed):
    store.communities.ensure("other", "https://other.example", "other", "")
    contacts.add("other", None, [("003A", ADA)])
    refreshed(("003A", ADA))

    contacts.clear("demo")

    assert contacts.by_email("demo", [ADA]) == {}
    assert contacts.by_email("other", [ADA]) == {ADA: ["003A"]}
