"""Writing rows by Collections, alone and five to a call."""

import pytest

from worker.domain.records import RowResult
from worker.errors import (
    ContractBroken,
    PermissionMissing,
    QuotaExhausted,
    RemoteUnavailable,
    RowLocked,
)

KEY = "Community_User_Key__c"
OBJECT = "Community_User__c"


def part(number, status, body):
    return {"referenceId": f"part{number}", "httpStatusCode": status, "body": body}


def saved(count):
    good = {"id": "a00000000000001AAA", "success": True, "errors": [], "created": True}
    return [good] * count


def refused(code):
    return [{"errorCode": code, "message": "no"}]


def test_creates_then_updates_by_key(served):
    created = served.client.upsert(OBJECT, KEY, served.users(3))
    updated = served.client.upsert(OBJECT, KEY, served.users(3, Metric_Posts__c=7))

    ids = [result.record_id for result in created]
    assert created == [
        RowResult(f"acme:{n}", ids[n - 1], created=True) for n in (1, 2, 3)
    ]
    assert updated == [result._replace(created=False) for result in created]
    held = served.org.records(OBJECT)
    assert [row["Metric_Posts__c"] for row in held] == [7, 7, 7]


def test_writes_2300_rows_in_three_calls(served):
    served.client.ping()
    before = served.calls

    results = served.client.upsert(OBJECT, KEY, served.users(2300))

    assert served.calls - before == 3
    assert [result.key for result in results] == [f"acme:{n}" for n in range(1, 2301)]
    assert all(result.ok and result.created for result in results)
    held = {row[KEY]: row["Id"] for row in served.org.records(OBJECT)}
    assert all(held[result.key] == result.record_id for result in results)


def test_writes_nothing_for_no_rows(served):
    assert served.client.upsert(OBJECT, KEY, []) == []
    assert served.client.delete([]) == []
    assert served.calls == 0


def test_reports_each_refused_row_and_saves_the_others(served):
    rows = served.users(4)
    rows[1]["Email__c"] = "not an address of ada"
    rows[2]["Name"] = "x" * 81

    results = served.client.upsert(OBJECT, KEY, rows)

    assert [result.code for result in results] == [
        None,
        "INVALID_EMAIL_ADDRESS",
        "STRING_TOO_LONG",
        None,
    ]
    assert results[1].fields == ("Email__c",)
    # Their texts repeat what the member typed.
    assert (results[1].detail, results[2].detail) == ("", "")
    assert len(served.org.records(OBJECT)) == 2


def test_reports_locked_rows_by_code(served):
    served.org.faults.add("row_lock", rows=2)

    results = served.client.upsert(OBJECT, KEY, served.users(5))

    codes = [result.code for result in results]
    assert codes.count("UNABLE_TO_LOCK_ROW") == 2
    assert codes.count(None) == 3


def test_updates_by_record_id_and_creates_nothing(served):
    contact = served.org.insert("Contact", LastName="Byron")
    rows = [
        {"Id": contact, "FirstName": "Ada"},
        {"Id": "003000000000999AAA", "FirstName": "Nobody"},
    ]

    results = served.client.upsert("Contact", "Id", rows)

    assert results[0] == RowResult(contact, contact, created=False)
    assert (results[1].key, results[1].ok) == ("003000000000999AAA", False)
    assert [row["FirstName"] for row in served.org.records("Contact")] == ["Ada"]


@pytest.mark.parametrize(
    "rows",
    [
        [{KEY: "acme:1"}, {KEY: "acme:1"}],
        [{KEY: ""}],
        [{KEY: None}],
        [{"Name": "no key at all"}],
    ],
)
def test_refuses_rows_that_share_or_lack_a_key(served, rows):
    with pytest.raises(ValueError, match=KEY):
        served.client.upsert(OBJECT, KEY, rows)

    assert served.calls == 0


def test_links_a_parent_by_its_external_id(served):
    contact = served.org.insert(
        "Contact", LastName="Byron", Community_Member_Key__c="acme:1"
    )
    row = {KEY: "acme:1", "Contact__r": {"Community_Member_Key__c": "acme:1"}}
    orphan = {KEY: "acme:2", "Contact__r": {"Community_Member_Key__c": "acme:2"}}

    results = served.client.upsert(OBJECT, KEY, [row, orphan])

    assert [result.code for result in results] == [None, "INVALID_FIELD"]
    assert served.org.records(OBJECT)[0]["Contact__c"] == contact


def test_clears_a_field_by_null_and_leaves_what_is_not_sent(served):
    row = {KEY: "acme:1", "Name": "ada", "Biography__c": "long", "Metric_Posts__c": 3}
    served.client.upsert(OBJECT, KEY, [row])

    served.client.upsert(OBJECT, KEY, [{KEY: "acme:1", "Biography__c": None}])

    (held,) = served.org.records(OBJECT)
    assert (held["Name"], held["Biography__c"], held["Metric_Posts__c"]) == (
        "ada",
        None,
        3,
    )


def test_writes_what_looks_like_a_reference_of_a_composite_request(served):
    rows = served.users(600)
    rows[250]["Biography__c"] = "@{part0.id} and @{nonsense"
    served.client.ping()
    before = served.calls

    results = served.client.upsert(OBJECT, KEY, rows)

    assert all(result.ok for result in results)
    assert [result.key for result in results] == [row[KEY] for row in rows]
    biographies = {row[KEY]: row["Biography__c"] for row in served.org.records(OBJECT)}
    assert biographies["acme:251"] == "@{part0.id} and @{nonsense"
    assert served.calls - before == 3


def test_deletes_in_fives_of_two_hundred(served):
    results = served.client.upsert(OBJECT, KEY, served.users(1100))
    ids = [result.record_id for result in results]
    before = served.calls

    deleted = served.client.delete(ids)

    assert [result.key for result in deleted] == ids
    assert all(result.ok for result in deleted)
    assert served.org.records(OBJECT) == []
    assert served.calls - before == 2


def test_reports_a_record_that_is_gone_already(served):
    (made,) = served.client.upsert(OBJECT, KEY, served.users(1))
    served.client.delete([made.record_id])

    (again,) = served.client.delete([made.record_id])

    assert (again.key, again.code) == (made.record_id, "ENTITY_IS_DELETED")


def test_lets_alert_only_duplicate_rules_through_for_contacts(served):
    served.org.duplicate_rules["Contact"] = "Email"
    served.org.insert("Contact", LastName="Byron", Email="b@x.example")
    rows = [
        {
            "Community_Member_Key__c": f"acme:{n}",
            "LastName": "Byron",
            "Email": "b@x.example" if n == 1 else f"b{n}@x.example",
        }
        for n in range(1, 402)
    ]

    results = served.client.upsert("Contact", "Community_Member_Key__c", rows)

    assert all(result.ok for result in results)


def test_survives_a_session_that_ends_before_a_write(served):
    served.client.ping()
    served.sandbox.services.identity.expire_all()

    results = served.client.upsert(OBJECT, KEY, served.users(450))

    assert all(result.ok for result in results)
    assert served.vault.renewals == 2


def test_may_be_repeated_after_a_lost_answer(served):
    served.client.ping()
    served.org.faults.add("drop_after_commit", method="POST")
    rows = served.users(400)

    with pytest.raises(RemoteUnavailable):
        served.client.upsert(OBJECT, KEY, rows)
    again = served.client.upsert(OBJECT, KEY, rows)

    assert {result.created for result in again} == {False}
    assert len(served.org.records(OBJECT)) == 400


def test_calls_a_page_of_html_unavailable(served):
    served.client.ping()
    served.org.faults.add("html_error")

    with pytest.raises(RemoteUnavailable) as caught:
        served.client.upsert(OBJECT, KEY, served.users(1))

    assert "maintenance" not in str(caught.value)


def test_names_the_field_that_the_org_lacks(served):
    with pytest.raises(PermissionMissing) as caught:
        served.client.upsert(OBJECT, KEY, [{KEY: "acme:1", "Nope__c": 1}])

    assert "Nope__c" in caught.value.fields
    assert "deploy the package" in caught.value.detail


def test_names_the_object_that_it_may_not_write(served):
    served.hide_our_object()

    with pytest.raises(PermissionMissing) as caught:
        served.client.upsert(OBJECT, KEY, served.users(1))

    assert OBJECT in caught.value.fields


@pytest.mark.parametrize("count", [1, 300])
def test_names_the_object_that_the_org_lacks(served, count):
    rows = [{"Key__c": f"acme:{n}"} for n in range(count)]

    with pytest.raises(PermissionMissing) as caught:
        served.client.upsert("Nothing__c", "Key__c", rows)

    assert "Nothing__c" in caught.value.fields


def test_gives_the_code_of_a_failed_part_to_its_rows(script, scripted):
    answer = [part(1, 400, refused("UNABLE_TO_LOCK_ROW")), part(0, 200, saved(200))]
    script.say(200, {"compositeResponse": answer})
    rows = [{KEY: f"acme:{n}"} for n in range(300)]

    results = scripted.upsert(OBJECT, KEY, rows)

    assert [result.key for result in results] == [row[KEY] for row in rows]
    assert {result.code for result in results[:200]} == {None}
    assert {result.code for result in results[200:]} == {"UNABLE_TO_LOCK_ROW"}


def test_raises_when_every_part_failed(script, scripted):
    answer = [part(n, 400, refused("UNABLE_TO_LOCK_ROW")) for n in range(2)]
    script.say(200, {"compositeResponse": answer})

    with pytest.raises(RowLocked):
        scripted.upsert(OBJECT, KEY, [{KEY: f"acme:{n}"} for n in range(300)])


def test_stops_when_one_part_says_that_nothing_can_succeed(script, scripted):
    answer = [part(0, 200, saved(200)), part(1, 403, refused("REQUEST_LIMIT_EXCEEDED"))]
    script.say(200, {"compositeResponse": answer})

    with pytest.raises(QuotaExhausted):
        scripted.upsert(OBJECT, KEY, [{KEY: f"acme:{n}"} for n in range(300)])


@pytest.mark.parametrize(
    "answer",
    [
        {"compositeResponse": [part(0, 200, saved(200))]},
        {"compositeResponse": [part(0, 200, saved(200)), part(1, 200, saved(99))]},
        {"compositeResponse": [part(0, 200, {"odd": 1}), part(1, 200, saved(100))]},
        {"odd": []},
    ],
)
def test_stops_at_results_that_do_not_fit_the_rows(script, scripted, answer):
    script.say(200, answer)

    with pytest.raises(ContractBroken, match=r"at `\$"):
        scripted.upsert(OBJECT, KEY, [{KEY: f"acme:{n}"} for n in range(300)])


def test_says_each_header_again_in_every_part(script, scripted):
    answer = [part(n, 200, saved(200 if n == 0 else 1)) for n in range(2)]
    script.say(200, {"compositeResponse": answer})

    scripted.upsert("Contact", KEY, [{KEY: f"acme:{n}"} for n in range(201)])

    (seen,) = script.seen
    parts = seen.json()["compositeRequest"]
    expected = {
        "Sforce-Auto-Assign": "FALSE",
        "Sforce-Duplicate-Rule-Header": (
            "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true"
        ),
    }
    assert [each["httpHeaders"] for each in parts] == [expected, expected]
    assert [each["body"]["allOrNone"] for each in parts] == [False, False]
