"""The package in a bare org, from the first deploy to the second."""

from __future__ import annotations

import pytest

from worker.errors import PermissionMissing
from worker.salesforce.connection import Connection
from worker.salesforce.deploy import (
    METADATA_CURE,
    ComponentFailure,
    Patience,
    assign_permission_set,
    build_zip,
    deploy,
)
from worker.sandbox.salesforce import SalesforceSandbox
from worker.sandbox.server import run_in_thread

QUICK = Patience(first_s=0.01, factor=2, longest_s=0.05, deadline_s=20)
# 31 + 7 fields, 4 views, 1 summary, 1 object, 2 layouts, 1 tab, 3 permission sets.
COMPONENTS = 50


class Bench:
    """A bare org, whoever is logged in, and what that user sees of it."""

    def __init__(self, sandbox, base_url, session):
        self.sandbox = sandbox
        self.base_url = base_url
        self.session = session
        self.admin = sandbox.org.admin_id
        agents = sandbox.org.find("User", Alias="agent1")
        self.agent = agents[0]["Id"]

    def connection(self, user_id):
        token = self.sandbox.services.identity.open(user_id)
        return Connection(self.base_url, token, "62.0")

    def deploy(self, *, check_only=False, archive=None, user=None):
        return deploy(
            self.connection(user or self.admin),
            check_only=check_only,
            session=self.session,
            archive=archive,
            patience=QUICK,
        )

    def assign(self, name="Aurora_Sync", user=None):
        return assign_permission_set(
            self.connection(self.admin), self.session, name, user or self.admin
        )

    def fields(self, name, user=None):
        """Return the custom fields that the user sees; None without the object."""
        connection = self.connection(user or self.admin)
        answer = self.session.get(
            f"{self.base_url}/services/data/v62.0/sobjects/{name}/describe",
            headers={"Authorization": f"Bearer {connection.session_id}"},
        )
        if answer.status_code == 404:
            return None
        described = {field["name"]: field for field in answer.json()["fields"]}
        return {name: one for name, one in described.items() if name.endswith("__c")}


@pytest.fixture
def bench(session):
    sandbox = SalesforceSandbox(seed=7)
    with run_in_thread(sandbox.app) as base_url:
        yield Bench(sandbox, base_url, session)


def test_fields_are_seen_only_once_the_permission_set_is_assigned(bench):
    bare = bench.fields("Community_User__c")
    report = bench.deploy()
    before = bench.fields("Contact")
    assigned = bench.assign()
    after = bench.fields("Contact")

    assert bare is None
    assert (report.state, report.created, report.failures) == ("Succeeded", 50, ())
    assert before == {}
    assert assigned is True
    assert len(after) == 7
    assert len(bench.fields("Community_User__c")) == 31


def test_the_org_describes_the_fields_as_the_package_declares_them(bench):
    bench.deploy()
    bench.assign()

    fields = bench.fields("Community_User__c")

    described = {
        name: (one["type"], one["length"], one["precision"], one["scale"])
        for name, one in fields.items()
    }
    text, count, long_text = "string", ("double", 0, 18, 0), "textarea"
    assert described == dict.fromkeys(described, count) | {
        "Accepted_Solutions__c": count,
        "Administrative_Notes__c": (long_text, 32768, 0, 0),
        "Avatar_URL__c": (long_text, 2000, 0, 0),
        "Biography__c": (long_text, 32768, 0, 0),
        "Community_ID__c": (text, 255, 0, 0),
        "Community_User_Key__c": (text, 120, 0, 0),
        "Community_User_URL__c": ("url", 255, 0, 0),
        "Community__c": (text, 80, 0, 0),
        "Contact_Link__c": ("picklist", 255, 0, 0),
        "Contact__c": ("reference", 18, 0, 0),
        "Email__c": ("email", 80, 0, 0),
        "First_Name__c": (text, 255, 0, 0),
        "Is_Deleted__c": ("boolean", 0, 0, 0),
        "Khoros_SSO_ID__c": (text, 255, 0, 0),
        "Last_Name__c": (text, 255, 0, 0),
        "Last_Visit_Time__c": ("datetime", 0, 0, 0),
        "Location__c": (text, 255, 0, 0),
        "Metric_Average_Message_Rating__c": ("double", 0, 18, 4),
        "REST_URL__c": (long_text, 255, 0, 0),
        "Rank__c": (text, 255, 0, 0),
        "Registration_Time__c": ("datetime", 0, 0, 0),
        "Roles__c": (long_text, 32768, 0, 0),
    }
    keys = {
        name: (one["externalId"], one["unique"], one["caseSensitive"])
        for name, one in fields.items()
        if one["externalId"] or one["unique"]
    }
    assert keys == {
        "Community_User_Key__c": (True, True, True),
        "Khoros_SSO_ID__c": (True, True, False),
    }
    assert fields["Contact__c"]["referenceTo"] == ["Contact"]
    assert fields["Contact__c"]["relationshipName"] == "Contact__r"
    assert fields["Contact_Link__c"]["restrictedPicklist"] is True


def test_a_second_deploy_changes_nothing(bench):
    bench.deploy()

    again = bench.deploy()

    counts = (again.created, again.changed, again.unchanged)
    assert (again.state, counts) == ("Succeeded", (0, 0, COMPONENTS))


def test_a_deploy_repairs_what_somebody_changed(bench, spoiled):
    other = spoiled(
        "objects/Community_User__c/fields/Rank__c.field-meta.xml", "m:label", "Standing"
    )
    bench.deploy(archive=build_zip(other))

    report = bench.deploy()

    assert (report.created, report.changed, report.unchanged) == (0, 1, COMPONENTS - 1)


def test_check_only_says_what_it_would_do_and_does_nothing(bench):
    report = bench.deploy(check_only=True)

    assert (report.state, report.created, report.failures) == ("Succeeded", 50, ())
    assert bench.fields("Community_User__c") is None
    assert bench.sandbox.org.find("PermissionSet", Name="Aurora_Sync") == []


def test_one_broken_component_keeps_everything_out(bench, spoiled):
    broken = spoiled(
        "objects/Community_User__c/fields/Contact__c.field-meta.xml",
        "m:relationshipName",
        None,
    )

    report = bench.deploy(archive=build_zip(broken))

    named = {(one.component, one.kind) for one in report.failures}
    assert report.state == "Failed"
    assert ("Community_User__c.Contact__c", "CustomField") in named
    assert all(isinstance(one, ComponentFailure) for one in report.failures)
    assert bench.fields("Community_User__c") is None
    assert bench.fields("Contact") == {}


def test_a_user_without_the_right_is_told_which_one_is_missing(bench):
    with pytest.raises(PermissionMissing) as raised:
        bench.deploy(user=bench.agent)

    assert raised.value.detail == METADATA_CURE
    assert bench.fields("Community_User__c") is None


def test_assigning_twice_is_no_error(bench):
    bench.deploy()

    first, second = bench.assign(), bench.assign()

    assert (first, second) == (True, False)


def test_says_that_a_permission_set_comes_with_the_deploy(bench):
    with pytest.raises(PermissionMissing, match="deploy the package first"):
        bench.assign()


def test_a_reader_sees_everything_and_writes_nothing(bench):
    bench.deploy()
    bench.assign("Aurora_Sync_Reader", bench.agent)

    fields = bench.fields("Community_User__c", bench.agent)

    assert len(fields) == 31
    assert {one["updateable"] for one in fields.values()} == {False}
