from __future__ import annotations

from datetime import timedelta

import pytest


@pytest.fixture
def database_url(sqlite_url):
    """One kind will do, but for the check of the database itself."""
    return sqlite_url


def wrong(ended):
    return {
        (found["side"], found["check"]): found
        for found in ended.json
        if not found["ok"]
    }


@pytest.mark.usefixtures("deployed", "ada")
def test_finds_nothing_to_cure(run):
    ended = run("doctor", "--json")

    assert (ended.code, wrong(ended)) == (0, {})
    assert {(found["side"], found["check"]) for found in ended.json} == {
        ("settings", "complete"),
        ("settings", "admin token"),
        ("database", "reach"),
        ("database", "migrations"),
        ("broker", "embedded"),
        ("community", "reach"),
        ("community", "clock"),
        ("community", "login"),
        ("community", "roles"),
        ("community", "e-mails"),
        ("community", "members"),
        ("org", "login"),
        ("org", "clock"),
        ("org", "quota"),
        ("org", "API version"),
        ("org", "Community_User__c"),
        ("org", "Community_User__c fields"),
        ("org", "Contact"),
        ("org", "Contact fields"),
    }
    assert run("doctor").out.splitlines()[-1] == "All is well."


@pytest.mark.usefixtures("ada")
def test_asks_for_the_package_in_a_bare_org(run):
    run("db", "upgrade")

    ended = run("doctor", "--json")

    found = wrong(ended)
    assert ended.code == 1
    assert found["org", "Community_User__c"] == {
        "side": "org",
        "check": "Community_User__c",
        "ok": False,
        "what": "not there, or not visible to the API user",
        "cure": "`aurora-sync salesforce deploy` puts it in and assigns the "
        "permission set",
        "refused": False,
    }
    assert found["org", "Contact.Community_Posts__c"]["what"] == (
        "not there or not visible"
    )
    assert "to cure." in run("doctor").out


def test_names_the_migrations_that_are_missing(run, tmp_path):
    ended = run("doctor", "--json", SYNC_DATABASE_URL=f"sqlite:///{tmp_path}/new.db")

    assert ended.code == 1
    assert wrong(ended)["database", "migrations"]["cure"] == "`aurora-sync db upgrade`"
    # Without tables there is no place for tokens: nobody was asked anything.
    assert {found["side"] for found in ended.json} == {"settings", "database", "broker"}


def test_says_when_the_database_does_not_answer(run):
    ended = run(
        "doctor", "--json", SYNC_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none"
    )

    assert ended.code == 1
    assert wrong(ended)["database", "reach"]["what"] == "postgresql does not answer"


@pytest.mark.usefixtures("ada")
def test_names_the_credentials_that_were_refused(run, forget_token):
    forget_token("aurora")
    forget_token("salesforce")

    ended = run(
        "doctor",
        "--json",
        SYNC_AURORA__PASSWORD="wrong",
        SYNC_SALESFORCE__CLIENT_SECRET="wrong",
    )

    found = wrong(ended)
    assert ended.code == 4
    assert found["community", "login"]["refused"] is True
    assert "SYNC_AURORA__AUTH" in found["community", "login"]["cure"]
    assert found["org", "login"]["refused"] is True
    assert "SYNC_SALESFORCE__AUTH" in found["org", "login"]["cure"]


def test_says_when_the_remotes_do_not_answer(run, forget_token):
    forget_token("aurora")
    forget_token("salesforce")
    nobody = "http://127.0.0.1:9"

    ended = run(
        "doctor",
        "--json",
        SYNC_AURORA__BASE_URL=nobody,
        SYNC_SALESFORCE__LOGIN_URL=nobody,
    )

    found = wrong(ended)
    assert ended.code == 4
    assert found["community", "reach"]["cure"].startswith("check SYNC_AURORA__BASE_URL")
    assert found["org", "login"]["cure"].startswith("check SYNC_SALESFORCE__LOGIN_URL")


@pytest.mark.usefixtures("deployed", "ada")
def test_names_a_version_that_the_org_does_not_offer(run):
    ended = run("doctor", "--json", SYNC_SALESFORCE__API_VERSION="99.0")

    found = wrong(ended)
    assert ended.code in {1, 4}
    assert any("99.0" in each["what"] or each["refused"] for each in found.values())


@pytest.mark.usefixtures("ada")
def test_notices_an_api_user_who_sees_no_emails(run, community, forget_token):
    community.register(login="plain", password="plain", email="plain@x.example")
    forget_token("aurora")

    ended = run(
        "doctor",
        "--json",
        SYNC_AURORA__USERNAME="plain",
        SYNC_AURORA__PASSWORD="plain",
    )

    found = wrong(ended)
    assert found["community", "e-mails"]["what"] == "other members' e-mails are hidden"
    assert "may view other members' e-mail" in found["community", "e-mails"]["cure"]


@pytest.mark.usefixtures("deployed", "ada")
@pytest.mark.parametrize("apart", [-3600, 3600])
def test_notices_a_clock_that_is_wrong(run, org, apart):
    org.clock.advance(timedelta(seconds=apart))

    ended = run("doctor", "--json")

    assert ended.code == 1
    found = wrong(ended)["org", "clock"]
    assert found["cure"] == "set this machine's clock by NTP"


@pytest.mark.usefixtures("deployed", "ada")
def test_notices_a_broker_that_is_away(run):
    ended = run("doctor", "--json", SYNC_BROKER_URL="redis://127.0.0.1:9/0")

    assert ended.code == 1
    assert wrong(ended)["broker", "reach"]["cure"] == "check SYNC_BROKER_URL"


@pytest.mark.usefixtures("deployed", "ada")
def test_knows_what_cannot_go_together_in_the_settings(run):
    ended = run("doctor", "--json", SYNC_AURORA__HT_USER="gate")

    assert ended.code in {1, 4}
    assert "HT_PASSWORD" in wrong(ended)["settings", "community"]["what"]
