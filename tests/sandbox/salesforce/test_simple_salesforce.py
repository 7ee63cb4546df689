"""simple-salesforce as a judge that we did not write."""

import io

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
)
from simple_salesforce.format import format_external_id, format_soql


def test_pages_through_a_query(simple, org):
    org.insert_many("Contact", [{"LastName": f"L{n:04d}"} for n in range(450)])
    headers = {"Sforce-Query-Options": "batchSize=200"}

    found = simple.query(
        "SELECT LastName FROM Contact ORDER BY LastName", headers=headers
    )
    names = [record["LastName"] for record in found["records"]]
    while not found["done"]:
        found = simple.query_more(found["nextRecordsUrl"], identifier_is_url=True)
        names += [record["LastName"] for record in found["records"]]

    assert names == [f"L{n:04d}" for n in range(450)]


def test_creates_reads_updates_and_deletes_a_row(simple, org):
    made = simple.Contact.create({"LastName": "Lovelace", "Email": "ada@x.example"})
    updated = simple.Contact.update(made["id"], {"FirstName": "Ada"})
    read = simple.Contact.get(made["id"])
    deleted = simple.Contact.delete(made["id"])

    assert made == {"id": made["id"], "success": True, "errors": []}
    assert (updated, read["Name"], deleted) == (204, "Ada Lovelace", 204)
    assert org.records("Contact") == []


def test_names_the_missing_field(simple):
    with pytest.raises(SalesforceMalformedRequest) as refused:
        simple.Contact.create({"FirstName": "Ada"})

    assert refused.value.content == [
        {
            "message": "Required fields are missing: [LastName]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["LastName"],
        }
    ]


def test_upserts_by_a_key_with_awkward_letters(simple, things):
    key = "a/b c?d%é"
    path = format_external_id("Key__c", key)

    first = simple.Thing__c.upsert(path, {"Count__c": 1})
    second = simple.Thing__c.upsert(path, {"Count__c": 2})

    (thing,) = things.records("Thing__c")
    assert (first, second, thing["Key__c"], thing["Count__c"]) == (201, 200, key, 2.0)


def test_finds_what_format_soql_quotes(simple, org):
    name = "O'Re\\il\"ly\n"
    org.insert("Contact", LastName=name)

    found = simple.query(
        format_soql("SELECT Id FROM Contact WHERE LastName = {}", name)
    )

    assert found["totalSize"] == 1


def test_loads_rows_through_bulk2(simple, things):
    rows = [{"Key__c": f"k{n}", "Count__c": str(n)} for n in range(450)]
    rows.append({"Key__c": "x" * 21, "Count__c": "1"})

    (job,) = simple.bulk2.Thing__c.upsert(
        records=rows, external_id_field="Key__c", wait=0.01
    )

    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (451, 1)
    assert {t["Key__c"] for t in things.records("Thing__c")} == {
        f"k{n}" for n in range(450)
    }
    failed = simple.bulk2.Thing__c.get_failed_records(job["job_id"])
    assert '"STRING_TOO_LONG:' in failed


def test_reads_rows_through_bulk2(simple, org):
    org.insert_many("Contact", [{"LastName": f"Zoë {n}"} for n in range(5)])

    pages = list(
        simple.bulk2.Contact.query(
            "SELECT LastName FROM Contact", max_records=2, wait=0.01
        )
    )

    assert len(pages) == 3
    assert "Zoë 4" in "".join(pages)


def test_deploys_through_its_own_envelope(simple, org, thing_package):
    started, state = simple.mdapi.deploy(io.BytesIO(thing_package), sandbox=True)
    status = simple.mdapi.check_deploy_status(started)
    while status[0] in ("Pending", "InProgress"):
        status = simple.mdapi.check_deploy_status(started)

    assert state == "Queued"
    assert status[0] == "Succeeded"
    assert status[2] == {
        "total_count": "7",
        "failed_count": "0",
        "deployed_count": "7",
        "errors": [],
    }
    assert "thing__c" in org.types


def test_logs_in_by_soap(sandbox, base_url, to_sandbox):
    known = sandbox.credentials(base_url)

    client = Salesforce(
        username=known["username"],
        password=known["password"],
        security_token=known["security_token"],
        session=to_sandbox,
        version="59.0",
    )

    assert client.query("SELECT COUNT() FROM User")["totalSize"] == 4


def test_refuses_a_wrong_password_by_soap(sandbox, base_url, to_sandbox):
    known = sandbox.credentials(base_url)

    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(
            username=known["username"],
            password="wrong",
            security_token="wrong",
            session=to_sandbox,
        )

    assert refused.value.code == "INVALID_LOGIN"


@pytest.mark.parametrize("grant", ["password", "client_credentials", "jwt"])
def test_logs_in_by_oauth(sandbox, base_url, to_sandbox, grant):
    known = sandbox.credentials(base_url)
    ways = {
        "password": {
            "username": known["username"],
            "password": known["password"] + known["security_token"],
            "consumer_key": known["client_id"],
            "consumer_secret": known["client_secret"],
        },
        "client_credentials": {
            "consumer_key": known["client_id"],
            "consumer_secret": known["client_secret"],
            "domain": "mine.my",
        },
        "jwt": {
            "username": known["username"],
            "consumer_key": known["client_id"],
            "privatekey": known["private_key"].encode(),
        },
    }

    client = Salesforce(session=to_sandbox, version="62.0", **ways[grant])

    assert client.query("SELECT COUNT() FROM User")["totalSize"] == 4


def test_sees_an_expired_session(simple, sandbox):
    sandbox.services.identity.expire_all()

    with pytest.raises(SalesforceExpiredSession):
        simple.query("SELECT Id FROM Contact")
