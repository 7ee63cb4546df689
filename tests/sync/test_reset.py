"""Reset removes what the stream wrote, resumes after a crash, and rebuilds."""

from __future__ import annotations

import pytest

from worker.domain.mapping import CONTACT_FIELDS


@pytest.fixture
def reset(services):
    def run(**options):
        asked = services.sync.request(
            "members", kind="reset", trigger="cli", options=options
        )
        return services.sync.perform(asked.id)

    return run


def shown(org, contact_id):
    contact = org.get("Contact", contact_id)
    return {contact[rule.field] for rule in CONTACT_FIELDS}


def test_removes_records_and_clears_contacts(community, org, sync, reset):
    contact_id = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    community.register(login="ada", email="ada@x.example", rank="Guru", posts=3)
    community.register(login="byron")
    sync()

    report = reset()

    assert report.counts["applied"] == 3
    assert report.counts["failed"] == 0
    assert org.records("Community_User__c") == []
    assert shown(org, contact_id) == {None}


def test_the_next_run_rebuilds_everything(community, org, users, sync, reset):
    contact_id = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    member_id = community.register(login="ada", email="ada@x.example", rank="Guru")
    sync()
    reset()

    report = sync()

    assert report.counts["applied"] == 1
    assert users()[member_id]["Contact__c"] == contact_id
    assert org.get("Contact", contact_id)["Community_Rank__c"] == "Guru"


def test_counts_first_and_touches_nothing(community, org, sync, reset):
    org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    community.register(login="ada", email="ada@x.example")
    sync()

    report = reset(dry_run=True)

    assert {name: report.extra[name] for name in report.extra if "_to_" in name} == {
        "records_to_delete": 1,
        "contacts_to_clear": 1,
        "contacts_to_delete": 0,
    }
    assert len(org.records("Community_User__c")) == 1


def test_keeps_created_contacts_unless_asked(
    community, org, change_settings, sync, reset
):
    change_settings(create_new_contact=True)
    community.register(login="ada", email="ada@x.example")
    sync()

    reset()

    assert [c["LastName"] for c in org.records("Contact")] == ["ada"]


def test_resumes_by_what_the_org_still_holds(community, org, services, sync, reset):
    for n in range(5):
        community.register(login=f"member-{n}")
    sync()
    org.faults.add(kind="drop_after_commit", method="DELETE")

    broken = reset()
    finished = reset()

    assert broken.state == "failed"
    assert finished.state == "succeeded"
    assert org.records("Community_User__c") == []
    assert services.store.members.count("demo") == {}


def test_leaves_another_communitys_records_alone(community, org, sync, reset):
    community.register(login="ada")
    other = org.insert(
        "Community_User__c", Community_User_Key__c="other:1", Community__c="other"
    )
    sync()

    reset()

    assert [row["Id"] for row in org.records("Community_User__c")] == [other]
