"""Questions to a whole org, through the sandbox."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from worker.domain.records import Contact
from worker.errors import ContractBroken, PermissionMissing, QuotaExhausted
from worker.salesforce import client as client_module
from worker.salesforce.client import Identity, SalesforceClient, api_calls_for
from worker.salesforce.payloads import CommunityUserRef

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_knows_who_it_is_by_long_ids(served):
    identity = served.client.identity()

    known = served.sandbox.credentials(served.base_url)
    assert identity == Identity(served.org.admin_id, known["org_id"])
    assert (len(identity.user_id), len(identity.org_id)) == (18, 18)


def test_knows_who_it_is_without_the_openid_scope(script, scripted):
    scripted.vault.token = scripted.vault.token._replace(subject="005000000000001AAA")
    script.say(403, b"Bad_OAuth_Token")
    page = {"totalSize": 1, "done": True, "records": [{"Id": "00D000000000001"}]}
    script.say(200, page)

    identity = scripted.identity()

    assert identity == Identity("005000000000001AAA", "00D000000000001EAA")


def test_says_so_when_nobody_names_the_user(script, scripted):
    script.say(403, b"Bad_OAuth_Token")
    page = {"totalSize": 1, "done": True, "records": [{"Id": "00D000000000001"}]}
    script.say(200, page)

    with pytest.raises(ContractBroken, match="names the user"):
        scripted.identity()


def test_raises_what_a_part_of_a_question_was_refused_for(script, scripted):
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests"}]
    part = {"referenceId": "part0", "httpStatusCode": 403, "body": body}
    script.say(200, {"compositeResponse": [part]})

    with pytest.raises(QuotaExhausted):
        scripted.describe("Contact")


def test_reads_the_limits(served):
    usage = served.client.limits()

    assert usage == served.client.usage
    assert usage.used == served.calls


def test_tells_the_time_of_the_org(served):
    served.org.clock.freeze(START)

    served.client.ping()

    assert served.client.server_time == START


def test_describes_objects_in_one_call_and_remembers_them(served):
    before = served.calls

    first = served.client.describe("Contact", "Community_User__c", "Nothing__c")
    second = served.client.describe("Community_User__c", "Contact")

    assert sorted(first) == ["Community_User__c", "Contact"]
    assert first == second
    assert served.calls - before == 1
    key = first["Community_User__c"].fields["Community_User_Key__c"]
    assert (key.type, key.length, key.external_id, key.unique) == (
        "string",
        120,
        True,
        True,
    )
    assert first["Contact"].fields["LastName"].nillable is False
    assert "Mr." in first["Contact"].fields["Salutation"].picklist


def test_asks_again_for_what_was_not_there(served):
    served.client.describe("Nothing__c")
    before = served.calls

    served.client.describe("Nothing__c")

    assert served.calls - before == 1


@pytest.mark.parametrize(
    ("later", "fresh", "calls"),
    [
        (timedelta(minutes=59), False, 0),
        (timedelta(minutes=61), False, 1),
        (timedelta(minutes=1), True, 1),
    ],
)
def test_forgets_descriptions_after_an_hour(served, later, fresh, calls):
    with freeze_time() as moment:
        served.client.describe("Contact")
        before = served.calls
        moment.tick(later)
        served.client.describe("Contact", fresh=fresh)

    assert served.calls - before == calls


def test_reads_changed_contacts_oldest_change_first(served):
    org = served.org
    org.clock.freeze(START)
    first = org.insert("Contact", LastName="Byron", Email="b@x.example")
    org.clock.advance(timedelta(minutes=1))
    second = org.insert("Contact", LastName="Lovelace", Email="a@x.example")
    org.clock.advance(timedelta(minutes=1))
    org.update("Contact", first, Email="b2@x.example")

    changed = served.client.contacts_changed_since(
        START, START + timedelta(hours=1), not_by=None
    )

    assert list(changed) == [
        Contact(second, "a@x.example"),
        Contact(first, "b2@x.example"),
    ]


def test_leaves_out_changes_at_and_after_the_bound_and_our_own(served):
    org = served.org
    org.clock.freeze(START)
    org.insert("Contact", LastName="Byron")

    def read(until, not_by):
        changed = served.client.contacts_changed_since(None, until, not_by=not_by)
        return [contact.contact_id for contact in changed]

    assert read(START, None) == []
    assert read(START + timedelta(seconds=1), org.admin_id) == []
    assert len(read(START + timedelta(seconds=1), None)) == 1


def test_reads_deleted_contacts_and_the_master_of_a_merge(served):
    org = served.org
    org.clock.freeze(START)
    master = org.insert("Contact", LastName="Byron", Email="b@x.example")
    loser = org.insert("Contact", LastName="Byron", Email="c@x.example")
    gone = org.insert("Contact", LastName="Lovelace", Email="a@x.example")
    org.clock.advance(timedelta(minutes=1))
    org.merge("Contact", master, loser)
    org.delete("Contact", gone)

    changed = served.client.contacts_changed_since(
        START, START + timedelta(hours=1), not_by=None
    )

    found = {contact.contact_id: contact for contact in changed}
    assert found[loser] == Contact(
        loser, "c@x.example", is_deleted=True, master_id=master
    )
    assert found[gone] == Contact(gone, "a@x.example", is_deleted=True)


def test_follows_pages_and_survives_a_session_that_ends_between_them(served):
    served.org.insert_many(
        "Contact",
        [{"LastName": "Doe", "Email": f"m{n}@x.example"} for n in range(4500)],
    )
    until = served.org.clock.now() + timedelta(hours=1)
    changed = served.client.contacts_changed_since(None, until, not_by=None)
    first = next(changed)

    served.sandbox.services.identity.expire_all()
    rest = list(changed)

    assert len({first.contact_id, *(c.contact_id for c in rest)}) == 4500
    assert served.vault.renewals == 2


def test_stops_when_a_page_comes_twice(script, scripted):
    page = {"totalSize": 2, "done": False, "records": []}
    following = "/services/data/v62.0/query/01g-2000"
    script.say(200, {**page, "nextRecordsUrl": following})
    script.say(200, {**page, "nextRecordsUrl": following})

    with pytest.raises(ContractBroken, match="nextRecordsUrl"):
        list(scripted.contacts_created_by("acme", "005000000000001AAA"))


def test_finds_contacts_by_address_without_regard_to_case(served):
    org = served.org
    ada = org.insert("Contact", LastName="Lovelace", Email="Ada@X.example")
    twin = org.insert("Contact", LastName="Byron", Email="ada@x.example")
    org.insert("Contact", LastName="Other", Email="other@x.example")
    quote = org.insert("Contact", LastName="O'Brien", Email="o'brien@x.example")

    found = served.client.contacts_by_email(["ada@x.example", "o'brien@x.example"])

    assert {contact.contact_id for contact in found} == {ada, twin, quote}


def test_asks_for_fifteen_hundred_addresses_in_one_call(served):
    emails = [f"member{number}@x.example" for number in range(1500)]
    served.org.insert_many(
        "Contact", [{"LastName": "Doe", "Email": email} for email in emails]
    )
    served.client.ping()
    before = served.calls

    found = list(served.client.contacts_by_email(emails))

    assert {contact.email for contact in found} == set(emails)
    assert served.calls - before == 1


def test_asks_nothing_for_no_address(served):
    assert list(served.client.contacts_by_email([])) == []
    assert served.calls == 0


def test_reads_all_contacts_that_have_an_address(served):
    served.org.insert("Contact", LastName="Byron")
    served.org.insert_many(
        "Contact",
        [{"LastName": "Zoë 𠮷", "Email": f"m{n}@x.example"} for n in range(3000)],
    )

    found = list(served.client.all_contacts())

    assert len(found) == 3000
    held = {row["Id"]: row["Email"] for row in served.org.records("Contact")}
    assert all(held[contact.contact_id] == contact.email for contact in found)


def test_follows_the_locators_of_a_query_job(served, monkeypatch):
    monkeypatch.setattr("worker.salesforce.bulk.RESULT_ROWS", 400)
    served.org.insert_many(
        "Contact",
        [{"LastName": "Doe", "Email": f"m{n}@x.example"} for n in range(1000)],
    )

    found = [contact.email for contact in served.client.all_contacts()]

    assert sorted(found) == sorted(f"m{n}@x.example" for n in range(1000))


def test_reads_no_contact_from_an_empty_org(served):
    assert list(served.client.all_contacts()) == []


@pytest.mark.parametrize("paged", [10, 1000])
def test_reads_the_users_of_one_community_by_pages_or_by_job(
    served, monkeypatch, paged
):
    monkeypatch.setattr(client_module, "PAGED_ROWS", paged)
    contact = served.org.insert("Contact", LastName="Byron")
    served.org.insert_many("Community_User__c", served.users(20))
    served.org.insert_many("Community_User__c", served.users(3, "other"))
    ids = {
        row["Community_User_Key__c"]: row["Id"]
        for row in served.org.records("Community_User__c")
    }
    served.org.update("Community_User__c", ids["acme:7"], Contact__c=contact)

    found = set(served.client.community_users("acme"))

    assert found == {
        CommunityUserRef(ids[f"acme:{n}"], f"acme:{n}", contact if n == 7 else None)
        for n in range(1, 21)
    }


def test_finds_contacts_that_only_the_worker_wrote(served):
    org = served.org
    ours, other_user = org.admin_id, org.find("User")[-1]["Id"]
    mine = org.insert("Contact", LastName="A", Community_Member_Key__c="acme:1")
    org.insert("Contact", LastName="B", Community_Member_Key__c="ACME:2")
    org.insert("Contact", LastName="C", Community_Member_Key__c="other:3")
    org.insert("Contact", LastName="D")

    found = list(served.client.contacts_created_by("acme", ours))

    assert found == [mine]
    assert list(served.client.contacts_created_by("acme", other_user)) == []


def test_counts_records(served):
    served.org.insert_many("Community_User__c", served.users(5))

    assert served.client.record_count("Community_User__c") == 5
    assert served.client.record_count("Nothing__c") == 0


@pytest.mark.parametrize("how", ["missing", "hidden"])
def test_names_the_object_that_it_may_not_read(served, how):
    if how == "hidden":
        served.hide_our_object()
    else:
        served.org.drop_type("Community_User__c")

    with pytest.raises(PermissionMissing) as caught:
        list(served.client.community_users("acme"))

    assert caught.value.fields == ("Community_User__c",)
    assert "deploy the package" in caught.value.detail


def test_stops_when_the_daily_calls_are_gone(served):
    served.org.usage.allowed = 0

    with pytest.raises(QuotaExhausted):
        served.client.ping()

    assert served.client.usage == (0, 0)


def test_makes_no_call_when_it_is_built(settings_for):
    with SalesforceClient(None, None, settings_for("http://127.0.0.1:1")) as client:
        assert client.usage is None


@pytest.mark.parametrize(
    ("rows", "calls"),
    [(0, 0), (1, 1), (1000, 1), (1001, 2), (1999, 2), (2000, 10), (100_000, 20)],
)
def test_estimates_the_calls_of_a_push(rows, calls):
    assert api_calls_for(rows, bulk_from_rows=2000, bulk_job_rows=50_000) == calls
