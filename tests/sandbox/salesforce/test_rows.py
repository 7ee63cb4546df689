from datetime import UTC, datetime, timedelta

import pytest


def codes(answer):
    return [(e["errorCode"], e.get("fields")) for e in answer.json()]


@pytest.mark.parametrize(
    ("fields", "code", "names"),
    [
        ({}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"LastName": " "}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
        ({"LastName": "😀" * 41}, "STRING_TOO_LONG", ["LastName"]),
        ({"LastName": "x", "Email": "no"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({"LastName": "x", "Email": "ü@x.example"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({"LastName": "x", "AccountId": "nope"}, "MALFORMED_ID", ["AccountId"]),
        (
            {"LastName": "x", "AccountId": "0015g00000000zzAAA"},
            "INVALID_CROSS_REFERENCE_KEY",
            ["AccountId"],
        ),
        ({"LastName": "x", "Name": "y"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ({"LastName": "x", "Id": "y"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Id"]),
        ({"LastName": "x", "Nope": 1}, "INVALID_FIELD", None),
        (
            {"LastName": "x", "MailingLatitude": 1234},
            "NUMBER_OUTSIDE_VALID_RANGE",
            None,
        ),
        ({"LastName": 5}, "JSON_PARSER_ERROR", None),
        ({"LastName": "x", "Birthdate": "yesterday"}, "JSON_PARSER_ERROR", None),
        ({"LastName": "x", "MailingLatitude": "far"}, "JSON_PARSER_ERROR", None),
        (
            {"LastName": "x", "CleanStatus": "?", "MailingGeocodeAccuracy": "?"},
            "INVALID_FIELD",
            None,
        ),
        (
            {"LastName": "x", "MailingGeocodeAccuracy": "Galaxy"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            ["MailingGeocodeAccuracy"],
        ),
    ],
)
def test_refuses_a_contact(client, org, fields, code, names):
    answer = client.post("sobjects/Contact", fields)

    (error,) = answer.json()
    assert error["errorCode"] == code
    assert names is None or error["fields"] == names
    assert answer.status_code in (400, 404)
    assert org.records("Contact") == []


def test_counts_utf16_units_as_the_platform_does(client):
    assert client.post("sobjects/Contact", {"LastName": "😀" * 40}).status_code == 201


def test_gives_ids_of_18_letters_with_their_checksum(client, org):
    made = client.post("sobjects/Contact", {"LastName": "x"}).json()["id"]

    assert (len(made), made[:3]) == (18, "003")
    assert org.get("Contact", made[:15])["Id"] == made


def test_sets_null_and_leaves_the_omitted(client, org):
    made = org.insert("Contact", LastName="x", FirstName="f", Title="t")

    answer = client.patch(f"sobjects/Contact/{made}", {"FirstName": None})

    held = org.get("Contact", made)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (held["FirstName"], held["Title"], held["Name"]) == (None, "t", "x")


def test_refuses_to_empty_a_required_field(client, org):
    made = org.insert("Contact", LastName="x")

    answer = client.patch(f"sobjects/Contact/{made}", {"LastName": None})

    assert codes(answer) == [("REQUIRED_FIELD_MISSING", ["LastName"])]


def test_stamps_a_change_with_the_time_of_the_org(client, org):
    org.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    made = client.post("sobjects/Contact", {"LastName": "x"}).json()["id"]
    org.clock.advance(timedelta(minutes=1))

    client.patch(f"sobjects/Contact/{made}", {"LastName": "y"})

    held = org.get("Contact", made)
    assert held["CreatedDate"] == "2026-01-01T00:00:00.000+0000"
    assert held["LastModifiedDate"] == "2026-01-01T00:01:00.000+0000"
    assert held["SystemModstamp"] == "2026-01-01T00:01:00.000+0000"


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_says_what_became_of_a_deleted_row(client, org, method):
    made = org.insert("Contact", LastName="x")
    org.delete("Contact", made)

    answer = getattr(client, method)(f"sobjects/Contact/{made}")

    assert answer.status_code == 404
    assert answer.json()[0]["errorCode"] == "ENTITY_IS_DELETED"


@pytest.mark.parametrize("path", ["Contact/0035g00000000zzAAA", "Contact/x", "Nope/x"])
def test_answers_404_for_what_is_not_there(client, path):
    answer = client.get(f"sobjects/{path}")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_upserts_by_key_in_the_path(client, things):
    first = client.patch("sobjects/Thing__c/Key__c/a%2Fb", {"Count__c": 1})
    second = client.patch("sobjects/Thing__c/Key__c/a%2Fb", {"Count__c": 2})

    (thing,) = things.records("Thing__c")
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (second.status_code, second.json()["created"]) == (200, False)
    assert (thing["Key__c"], thing["Count__c"]) == ("a/b", 2.0)


def test_lists_the_paths_when_a_key_matches_several(client, org):
    ids = [org.insert("Contact", LastName="x", Email="a@x.example") for _ in range(2)]

    answer = client.patch("sobjects/Contact/Email/a@x.example", {"LastName": "y"})

    assert answer.status_code == 300
    assert answer.json() == [f"/services/data/v62.0/sobjects/Contact/{i}" for i in ids]


@pytest.mark.usefixtures("things")
def test_refuses_the_key_in_the_body_of_a_path_upsert(client):
    answer = client.patch("sobjects/Thing__c/Key__c/a", {"Key__c": "a"})

    assert codes(answer) == [("INVALID_FIELD", [])]


def test_refuses_a_field_that_is_no_key(client):
    answer = client.patch("sobjects/Contact/Title/x", {"LastName": "y"})

    assert codes(answer) == [("INVALID_FIELD", None)]


def test_refuses_a_taken_unique_value(client, things):
    held = things.insert("Thing__c", Key__c="k")

    answer = client.post("sobjects/Thing__c", {"Key__c": "k"})

    (error,) = answer.json()
    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert error["message"] == (
        "duplicate value found: Key__c duplicates value on record with id: " + held[:15]
    )


def test_minds_case_in_a_case_sensitive_key(client, things):
    things.insert("Thing__c", Key__c="k")

    assert client.post("sobjects/Thing__c", {"Key__c": "K"}).status_code == 201


def test_links_a_parent_by_its_key(client, things):
    parent = things.insert("Contact", LastName="x", Email="p@x.example")

    answer = client.post("sobjects/Thing__c", {"Contact__r": {"Email": "p@x.example"}})

    assert answer.status_code == 201
    assert things.records("Thing__c")[0]["Contact__c"] == parent


@pytest.mark.usefixtures("things")
def test_refuses_a_parent_that_is_not_there(client):
    answer = client.post("sobjects/Thing__c", {"Contact__r": {"Email": "no@x.example"}})

    (error,) = answer.json()
    assert error["errorCode"] == "INVALID_FIELD"
    assert error["message"] == (
        "Foreign key external ID: no@x.example not found for field Email in entity "
        "Contact"
    )


def test_rounds_a_number_to_its_scale_and_gives_defaults(client, things):
    client.post("sobjects/Thing__c", {"Count__c": 1.239})

    (thing,) = things.records("Thing__c")
    assert (thing["Count__c"], thing["Colour__c"]) == (1.24, "Red")
    assert thing["Name"] == thing["Id"]


def test_brings_instants_to_utc(client, things):
    client.post("sobjects/Thing__c", {"Seen__c": "2026-01-01T01:00:00.999+01:00"})

    assert things.records("Thing__c")[0]["Seen__c"] == "2026-01-01T00:00:00.000+0000"


def test_hides_what_no_permission_set_grants(client, thing_package):
    client.deploy(thing_package)

    described = client.get("sobjects/Thing__c/describe")
    queried = client.query("SELECT Id FROM Thing__c")
    written = client.post("sobjects/Thing__c", {"Key__c": "k"})

    assert described.status_code == 404
    assert queried.json()[0]["errorCode"] == "INVALID_TYPE"
    assert written.status_code == 404


def test_lists_what_was_updated_and_deleted(client, org):
    org.clock.freeze(datetime(2026, 1, 1, 12, 0, tzinfo=UTC))
    kept = org.insert("Contact", LastName="kept")
    gone = org.insert("Contact", LastName="gone")
    org.delete("Contact", gone)
    org.clock.advance(timedelta(minutes=5))
    span = {"start": "2026-01-01T11:59:00+00:00", "end": "2026-01-01T12:02:00+00:00"}

    updated = client.get("sobjects/Contact/updated/", params=span).json()
    deleted = client.get("sobjects/Contact/deleted/", params=span).json()

    assert updated == {
        "ids": [kept],
        "latestDateCovered": "2026-01-01T12:02:00.000+0000",
    }
    assert deleted["deletedRecords"] == [
        {"id": gone, "deletedDate": "2026-01-01T12:00:00.000+0000"}
    ]


def test_closes_a_case_by_its_status(client, org):
    contact = org.insert("Contact", LastName="x", Email="c@x.example")
    case = org.insert("Case", ContactId=contact)

    client.patch(f"sobjects/Case/{case}", {"Status": "Closed", "Comments": "done"})

    held = org.get("Case", case)
    (comment,) = org.records("CaseComment")
    assert (held["IsClosed"], held["ContactEmail"]) == (True, "c@x.example")
    assert held["ClosedDate"] is not None
    assert (comment["ParentId"], comment["CommentBody"]) == (case, "done")


def test_runs_the_assignment_rule_unless_told_not_to(client, org):
    (queue,) = org.records("Group")
    org.case_assignment = queue["Id"]

    client.post("sobjects/Case", {"Subject": "by rule"})
    client.post(
        "sobjects/Case", {"Subject": "kept"}, headers={"Sforce-Auto-Assign": "FALSE"}
    )

    owners = {case["Subject"]: case["OwnerId"] for case in org.records("Case")}
    assert owners == {"by rule": queue["Id"], "kept": org.admin_id}


def test_measures_a_comment_in_bytes(client, org):
    case = org.insert("Case")

    fits = client.post(
        "sobjects/CaseComment", {"ParentId": case, "CommentBody": "é" * 2000}
    )
    exceeds = client.post(
        "sobjects/CaseComment", {"ParentId": case, "CommentBody": "é" * 2001}
    )

    assert (fits.status_code, codes(exceeds)) == (
        201,
        [("STRING_TOO_LONG", ["CommentBody"])],
    )


def test_blocks_duplicates_unless_allowed(client, org):
    org.duplicate_rules = {"Contact": "Email"}
    held = org.insert("Contact", LastName="x", Email="d@x.example")
    body = {"LastName": "y", "Email": "d@x.example"}

    blocked = client.post("sobjects/Contact", body)
    allowed = client.post(
        "sobjects/Contact",
        body,
        headers={"Sforce-Duplicate-Rule-Header": "allowSave=true"},
    )

    (error,) = blocked.json()
    match = error["duplicateResult"]["matchResults"][0]["matchRecords"][0]
    assert (error["errorCode"], match["record"]["Id"]) == ("DUPLICATES_DETECTED", held)
    assert allowed.status_code == 201


def test_empties_lookups_to_a_deleted_parent(client, things):
    contact = things.insert("Contact", LastName="x")
    thing = things.insert("Thing__c", Contact__c=contact)

    client.delete(f"sobjects/Contact/{contact}")

    assert things.get("Thing__c", thing)["Contact__c"] is None


def test_keeps_a_contact_that_has_cases(client, org):
    contact = org.insert("Contact", LastName="x")
    org.insert("Case", ContactId=contact)

    answer = client.delete(f"sobjects/Contact/{contact}")

    assert codes(answer) == [("DELETE_FAILED", [])]


def test_merging_moves_children_and_names_the_master(things):
    master = things.insert("Contact", LastName="m")
    loser = things.insert("Contact", LastName="l")
    thing = things.insert("Thing__c", Contact__c=loser)

    things.merge("Contact", master, loser)

    (gone,) = things.records("Contact", deleted=True)
    assert (gone["Id"], gone["MasterRecordId"]) == (loser, master)
    assert things.get("Thing__c", thing)["Contact__c"] == master


def test_converting_a_lead_makes_a_contact(org):
    lead = org.insert("Lead", LastName="L", Company="Acme", Email="l@x.example")

    account, contact = org.convert_lead(lead)

    assert org.get("Contact", contact)["Email"] == "l@x.example"
    assert org.get("Lead", lead)["ConvertedAccountId"] == account


def test_assigns_a_permission_set_once(client, things):
    (held,) = things.find("PermissionSet", Name="Things")
    body = {"PermissionSetId": held["Id"], "AssigneeId": things.admin_id}

    answer = client.post("sobjects/PermissionSetAssignment", body)

    assert codes(answer) == [("DUPLICATE_VALUE", [])]
