from __future__ import annotations

import pytest


@pytest.fixture
def database_url(sqlite_url):
    """One kind will do: nothing here is about the database."""
    return sqlite_url


@pytest.mark.usefixtures("ada")
def test_names_the_package_that_a_bare_org_lacks(run, org):
    ended = run("sync", "members", "--json")

    assert (ended.code, ended.json["state"]) == (4, "stopped")
    assert len(ended.err.splitlines()) == 1
    assert "Community_User__c" in ended.err
    assert "aurora-sync salesforce deploy" in ended.err
    assert [row["LastName"] for row in org.records("Contact")] == ["Lovelace"]


@pytest.mark.usefixtures("ada")
def test_goes_on_by_itself_once_the_package_is_there(run, org):
    run("sync", "members")
    run("salesforce", "deploy")

    ended = run("sync", "members", "--json")

    assert ended.code == 0, ended
    assert len(org.records("Community_User__c")) == 1
