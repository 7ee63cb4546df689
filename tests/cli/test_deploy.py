from __future__ import annotations

import pytest

KEYS = [
    "id",
    "state",
    "created",
    "changed",
    "unchanged",
    "failures",
    "assigned",
]


@pytest.fixture
def database_url(sqlite_url):
    """One kind will do: nothing here is about the database."""
    return sqlite_url


def test_deploys_and_assigns_the_permission_set(run):
    first = run("salesforce", "deploy", "--json")
    second = run("salesforce", "deploy", "--json")

    assert (first.code, list(first.json)) == (0, KEYS)
    assert (first.json["state"], first.json["assigned"]) == ("Succeeded", True)
    assert first.json["created"] > 0
    assert (second.json["created"], second.json["changed"]) == (0, 0)
    assert (second.json["unchanged"], second.json["assigned"]) == (
        first.json["created"] + first.json["changed"] + first.json["unchanged"],
        False,
    )


def test_a_check_changes_nothing(run):
    ended = run("salesforce", "deploy", "--check-only")

    assert ended.code == 0
    assert ended.out.startswith("check ")
    assert run("salesforce", "deploy", "--json").json["created"] > 0


def test_tells_a_person_what_was_put_in(run):
    ended = run("salesforce", "deploy")

    assert ended.code == 0
    assert "permission set Aurora_Sync assigned" in ended.out


def test_names_what_to_check_when_the_org_refuses(run):
    ended = run("salesforce", "deploy", SYNC_SALESFORCE__CLIENT_SECRET="wrong")

    assert (ended.code, ended.out) == (4, "")
    assert "SYNC_SALESFORCE__AUTH" in ended.err
