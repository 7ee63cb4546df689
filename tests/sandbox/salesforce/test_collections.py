import pytest


def outcomes(answer):
    return [
        "ok" if row["success"] else row["errors"][0]["statusCode"]
        for row in answer.json()
    ]


def test_answers_one_result_per_row_in_order(client, org):
    rows = [{"LastName": "a"}, {"FirstName": "b"}, {"LastName": "c"}]

    answer = client.collections("POST", "", rows)

    assert answer.status_code == 200
    assert outcomes(answer) == ["ok", "REQUIRED_FIELD_MISSING", "ok"]
    assert "created" not in answer.json()[0]
    assert answer.json()[1] == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [LastName]",
                "fields": ["LastName"],
            }
        ],
    }
    assert [c["LastName"] for c in org.records("Contact")] == ["a", "c"]


def test_rolls_back_all_when_one_fails(client, org):
    held = org.insert("Contact", LastName="before")
    rows = [{"Id": held, "LastName": "after"}, {"Id": held, "LastName": "x" * 81}]

    answer = client.collections("PATCH", "", rows, allOrNone=True)

    assert answer.status_code == 200
    assert outcomes(answer) == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "STRING_TOO_LONG",
    ]
    assert org.get("Contact", held)["LastName"] == "before"


def test_upserts_by_key_and_says_what_is_new(client, things):
    things.insert("Thing__c", Key__c="a", Count__c=1)
    rows = [{"Key__c": "a", "Count__c": 2}, {"Key__c": "b", "Count__c": 3}]

    answer = client.collections("PATCH", "/Thing__c/Key__c", rows, "Thing__c")

    assert [row["created"] for row in answer.json()] == [False, True]
    assert {t["Key__c"]: t["Count__c"] for t in things.records("Thing__c")} == {
        "a": 2.0,
        "b": 3.0,
    }


@pytest.mark.usefixtures("things")
def test_refuses_every_row_of_a_doubled_key(client):
    rows = [{"Key__c": k} for k in ("a", "b", "a")]

    answer = client.collections("PATCH", "/Thing__c/Key__c", rows, "Thing__c")

    assert outcomes(answer) == ["DUPLICATE_VALUE", "ok", "DUPLICATE_VALUE"]
    assert answer.json()[0]["errors"][0]["message"] == (
        "Duplicate external id specified: a"
    )


def test_refuses_a_key_that_several_rows_have(client, org):
    for name in "xy":
        org.insert("Contact", LastName=name, Email="a@x.example")

    answer = client.collections(
        "PATCH", "/Contact/Email", [{"Email": "a@x.example", "LastName": "z"}]
    )

    assert outcomes(answer) == ["DUPLICATE_EXTERNAL_ID"]


def test_upserts_by_id_with_and_without_one(client, org):
    held = org.insert("Contact", LastName="x")
    rows = [{"Id": held, "LastName": "y"}, {"Id": None, "LastName": "z"}]

    answer = client.collections("PATCH", "/Contact/Id", rows)

    assert [row["created"] for row in answer.json()] == [False, True]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("bad", "MALFORMED_ID"),
        ("0035g00000000zzAAA", "INVALID_CROSS_REFERENCE_KEY"),
        ("deleted", "ENTITY_IS_DELETED"),
    ],
)
def test_says_why_a_row_cannot_be_updated_or_deleted(client, org, given, code):
    if given == "deleted":
        given = org.insert("Contact", LastName="x")
        org.delete("Contact", given)

    updated = client.collections("PATCH", "", [{"Id": given, "LastName": "y"}])
    deleted = client.delete("composite/sobjects", params={"ids": given})

    assert outcomes(updated) == outcomes(deleted) == [code]


def test_reads_many_rows_with_null_for_the_missing(client, org):
    held = org.insert("Contact", LastName="x")
    body = {"ids": [held, "0035g00000000zzAAA"], "fields": ["LastName"]}

    answer = client.post("composite/sobjects/Contact", body).json()

    assert answer[0]["LastName"] == "x"
    assert answer[1] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"records": [{"attributes": {"type": "Contact"}}] * 201}, "EXCEEDED_ID_LIMIT"),
        ({"records": [{"LastName": "x"}]}, "INVALID_TYPE"),
        ({"records": [{"attributes": {"type": "Nope"}}]}, "INVALID_TYPE"),
        ({"records": "x"}, "JSON_PARSER_ERROR"),
        (
            {"records": [{"attributes": {"type": t}} for t in ("Contact", "Lead") * 6]},
            "TOO_MANY_CHUNKS",
        ),
        (
            {"records": [{"attributes": {"type": "Contact"}, "Nope": 1}]},
            "INVALID_FIELD",
        ),
    ],
)
def test_refuses_the_whole_request(client, body, code):
    answer = client.post("composite/sobjects", body)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_counts_as_one_call(client, org):
    client.collections("POST", "", [{"LastName": str(n)} for n in range(200)])

    assert org.calls == {"collections": 1}


def test_locks_as_many_rows_as_the_fault_says(client, org):
    org.faults.add("row_lock", rows=1)
    rows = [{"LastName": "a"}, {"LastName": "b"}]

    first = client.collections("POST", "", rows)
    second = client.collections("POST", "", rows)

    assert outcomes(first) == ["UNABLE_TO_LOCK_ROW", "ok"]
    assert outcomes(second) == ["ok", "ok"]


def test_composite_passes_references_on(client, org):
    parts = [
        {
            "method": "POST",
            "url": "/services/data/v62.0/sobjects/Account",
            "referenceId": "acme",
            "body": {"Name": "Acme"},
        },
        {
            "method": "POST",
            "url": "/services/data/v62.0/sobjects/Contact",
            "referenceId": "ada",
            "body": {"LastName": "Ada", "AccountId": "@{acme.id}"},
        },
        {
            "method": "GET",
            "url": "/services/data/v62.0/sobjects/Nope/1",
            "referenceId": "nope",
        },
    ]

    answer = client.post("composite", {"compositeRequest": parts})

    shown = answer.json()["compositeResponse"]
    assert [p["httpStatusCode"] for p in shown] == [201, 201, 404]
    assert shown[2]["body"] == [
        {
            "message": "The requested resource does not exist",
            "errorCode": "NOT_FOUND",
        }
    ]
    assert org.records("Contact")[0]["AccountId"] == shown[0]["body"]["id"]
    assert org.calls == {"composite": 1}


def test_composite_rolls_back_its_siblings(client, org):
    parts = [
        {"method": "POST", "url": "/services/data/v62.0/sobjects/Contact", **part}
        for part in (
            {"referenceId": "a", "body": {"LastName": "a"}},
            {"referenceId": "b", "body": {}},
            {"referenceId": "c", "body": {"LastName": "c"}},
        )
    ]

    answer = client.post("composite", {"compositeRequest": parts, "allOrNone": True})

    shown = {p["referenceId"]: p for p in answer.json()["compositeResponse"]}
    assert shown["a"]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert shown["b"]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert shown["c"]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert org.records("Contact") == []


def test_batch_counts_every_part(client, org):
    parts = [{"method": "GET", "url": "v62.0/limits"}] * 3

    answer = client.post("composite/batch", {"batchRequests": parts}).json()

    assert answer["hasErrors"] is False
    assert [r["statusCode"] for r in answer["results"]] == [200, 200, 200]
    assert sum(org.calls.values()) == 3
