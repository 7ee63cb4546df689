from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("deployed")


@pytest.fixture
def synced(run, ada):
    assert run("sync", "members").code == 0
    return ada


def test_shows_the_counts_and_removes_nothing(run, synced, org):
    assert synced

    ended = run("reset", "members", "--dry-run", "--json")

    assert ended.code == 0
    assert {key: ended.json[key] for key in list(ended.json)[-3:]} == {
        "records_to_delete": 1,
        "contacts_to_clear": 1,
        "contacts_to_delete": 0,
    }
    assert len(org.records("Community_User__c")) == 1


def test_removes_the_records_and_keeps_the_contacts(run, synced, org):
    ended = run("reset", "members", "--yes")

    contact = org.get("Contact", synced[1])
    assert ended.code == 0, ended
    assert org.records("Community_User__c") == []
    assert (contact["LastName"], contact["Community_Posts__c"]) == ("Lovelace", None)
    assert ended.out.splitlines()[0].split(None, 1) == [
        "1",
        "Community User records will be deleted",
    ]


def test_the_next_run_builds_everything_again(run, synced, org):
    run("reset", "members", "--yes")

    ended = run("sync", "members", "--json")

    assert (ended.code, ended.json["counts"]["applied"]) == (0, 1)
    [record] = org.records("Community_User__c")
    assert record["Contact__c"] == synced[1]


def test_removes_contacts_of_ours_only_when_asked(run, org, community):
    run("settings", "set", "create_new_contact", "on")
    community.register(login="new", email="new@x.example", last_name="New")
    run("sync", "members")

    ended = run("reset", "members", "--yes", "--contacts", "--json")

    assert ended.code == 0, ended
    assert (ended.json["records_to_delete"], ended.json["contacts_to_delete"]) == (1, 1)
    assert [row for row in org.records("Contact") if row["LastName"] == "New"] == []


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_removes_nothing_unasked(run, synced, org, arguments):
    assert synced

    ended = run("reset", "members", *arguments)

    assert ended.code == 2
    assert "add --yes" in ended.err
    assert len(org.records("Community_User__c")) == 1


def test_is_refused_while_a_run_is_active(run, store):
    busy = store.runs.request("demo", "members", "sync", "manual")

    ended = run("reset", "members", "--yes")

    assert ended.code == 3
    assert busy.id in ended.err
