import csv
import io

import pytest


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def results(client, job, kind):
    return rows_of(client.get(f"jobs/ingest/{job['id']}/{kind}"))


@pytest.fixture
def loaded(client, things):
    """Runs an upsert of things from CSV text and returns both results."""

    def load(text, **options):
        job = client.ingest("upsert", text, "Thing__c", key="Key__c", **options)
        return (
            job,
            results(client, job, "successfulResults"),
            results(client, job, "failedResults"),
        )

    load.org = things
    return load


def test_walks_through_the_states_of_a_job(client):
    body = {"object": "Contact", "operation": "insert"}
    job = client.post("jobs/ingest", body).json()
    path = f"jobs/ingest/{job['id']}"
    headers = {"Content-Type": "text/csv"}

    uploaded = client.call(
        "PUT", f"{path}/batches", data=b"LastName\nx\n", headers=headers
    )
    repeated = client.call(
        "PUT", f"{path}/batches", data=b"LastName\ny\n", headers=headers
    )
    closed = client.patch(path, {"state": "UploadComplete"}).json()
    done = client.wait(path)

    assert job["state"] == "Open"
    assert job["contentUrl"] == f"services/data/v62.0/{path}/batches"
    assert job["id"].startswith("750")
    assert (uploaded.status_code, uploaded.content) == (201, b"")
    assert repeated.json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert closed["state"] == "UploadComplete"
    assert (done["state"], done["numberRecordsProcessed"]) == ("JobComplete", 1)
    assert done["jobType"] == "V2Ingest"


def test_reports_successes_and_failures_apart(loaded):
    loaded.org.insert("Thing__c", Key__c="old")

    job, successes, failures = loaded("Key__c,Count__c\nold,1\nnew,2\nbad,lots\n")

    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 1)
    assert {r["Key__c"]: r["sf__Created"] for r in successes} == {
        "old": "false",
        "new": "true",
    }
    assert failures == [
        {
            "sf__Id": "",
            "sf__Error": (
                "INVALID_TYPE_ON_FIELD_IN_RECORD:Count: value not of required type: "
                "lots:Count__c --"
            ),
            "Key__c": "bad",
            "Count__c": "lots",
        }
    ]


def test_leaves_empty_cells_and_clears_with_na(loaded):
    loaded.org.insert("Thing__c", Key__c="k", Count__c=1, Colour__c="Blue")

    loaded("Key__c,Count__c,Colour__c\nk,#N/A,\n")

    (thing,) = loaded.org.records("Thing__c")
    assert (thing["Count__c"], thing["Colour__c"]) == (None, "Blue")


def test_keeps_newlines_quotes_and_all_letters(loaded):
    text = 'Key__c,Name\nk,"A\nB ""C"", Zoë 日本 😀"\n'

    _, successes, _ = loaded(text)

    name = 'A\nB "C", Zoë 日本 😀'
    assert loaded.org.records("Thing__c")[0]["Name"] == name
    assert successes[0]["Name"] == name


def test_quotes_every_cell_of_a_result(client):
    job = client.ingest("insert", "LastName,FirstName\nx,\n")

    text = client.get(f"jobs/ingest/{job['id']}/successfulResults").text

    assert text.startswith('"sf__Id","sf__Created","LastName","FirstName"\n"003')
    assert text.endswith('"true","x",""\n')


def test_links_parents_by_their_key(loaded):
    parent = loaded.org.insert("Contact", LastName="x", Email="p@x.example")

    _, _, failures = loaded(
        "Key__c,Contact__r.Email\na,p@x.example\nb,nobody@x.example\n"
    )

    assert [t["Contact__c"] for t in loaded.org.records("Thing__c")] == [parent]
    assert failures[0]["sf__Error"].startswith("INVALID_FIELD:Foreign key external ID")


def test_refuses_doubled_keys_of_one_chunk(loaded):
    _, successes, failures = loaded("Key__c\na\nb\na\n")

    assert [r["Key__c"] for r in successes] == ["b"]
    assert {r["sf__Error"] for r in failures} == {
        "DUPLICATE_VALUE:Duplicate external id specified: a:Key__c --"
    }


def test_does_not_keep_the_order_of_the_upload(loaded):
    _, successes, _ = loaded("Key__c\na\nb\nc\n")

    assert [r["Key__c"] for r in successes] == ["c", "b", "a"]


def test_tolerates_an_empty_id_column(loaded):
    job, _, _ = loaded("Id,Key__c\n,a\n")

    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 0)


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("Key__c,Nope\na,b\n", {}, "InvalidBatch : Field name not found : Nope"),
        ("Count__c\n1\n", {}, "InvalidBatch : Field name not found : Key__c"),
        (
            "Key__c\r\na\r\n",
            {},
            "ClientInputError : LineEnding is invalid on user data",
        ),
        ("Key__c\na\n", {"lineEnding": "CRLF"}, "ClientInputError : LineEnding is"),
        ("Key__c,Name\na\n", {}, "ClientInputError : A row has 1 columns"),
        ('Key__c,Name\na,"b" \n', {}, "ClientInputError : "),
        (b"Key__c\n\xff\n", {}, "InvalidBatch : The data is not UTF-8"),
        ("", {}, "InvalidBatch : The file has no header row"),
    ],
)
def test_fails_the_job_for_a_broken_file(client, things, text, options, reason):
    job = client.ingest("upsert", text, "Thing__c", key="Key__c", **options)

    assert job["state"] == "Failed"
    assert job["errorMessage"].startswith(reason)
    assert things.records("Thing__c") == []


def test_reads_other_delimiters_and_line_endings(loaded):
    job, successes, _ = loaded(
        "Key__c|Count__c\r\na|1\r\n", columnDelimiter="PIPE", lineEnding="CRLF"
    )

    assert job["state"] == "JobComplete"
    assert list(successes[0]) != []
    assert loaded.org.records("Thing__c")[0]["Count__c"] == 1.0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"object": "Nope", "operation": "insert"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "explode"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "hardDelete"}, "FEATURENOTENABLED"),
        ({"object": "Contact", "operation": "upsert"}, "INVALIDJOB"),
        (
            {
                "object": "Contact",
                "operation": "upsert",
                "externalIdFieldName": "Title",
            },
            "INVALIDJOB",
        ),
        (
            {"object": "Contact", "operation": "insert", "columnDelimiter": "DOT"},
            "INVALIDJOB",
        ),
    ],
)
def test_refuses_a_job_that_cannot_run(client, body, code):
    answer = client.post("jobs/ingest", body)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_updates_and_deletes_by_id(client, org):
    kept = org.insert("Contact", LastName="x")
    gone = org.insert("Contact", LastName="y")

    client.ingest("update", f"Id,LastName\n{kept[:15]},z\n")
    job = client.ingest("delete", f"Id\n{gone}\n{gone}\n")

    assert [c["LastName"] for c in org.records("Contact")] == ["z"]
    (failure,) = results(client, job, "failedResults")
    assert failure["sf__Error"] == "ENTITY_IS_DELETED:entity is deleted: --"


def test_aborting_leaves_the_upload_unprocessed(client):
    job = client.post(
        "jobs/ingest", {"object": "Contact", "operation": "insert"}
    ).json()

    aborted = client.patch(f"jobs/ingest/{job['id']}", {"state": "Aborted"}).json()
    deleted = client.delete(f"jobs/ingest/{job['id']}")
    asked = client.get(f"jobs/ingest/{job['id']}")

    assert aborted["state"] == "Aborted"
    assert (deleted.status_code, deleted.content, asked.status_code) == (204, b"", 404)


def test_fails_every_second_row_on_request(client, org):
    org.faults.add("half_failed_bulk")

    job = client.ingest("insert", "LastName\na\nb\nc\nd\n")

    assert job["state"] == "JobComplete"
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (4, 2)


def test_leaves_out_the_charset_on_request(client, org):
    job = client.ingest("insert", "LastName\na\n")
    org.faults.add("csv_without_charset", times=1)
    path = f"jobs/ingest/{job['id']}/successfulResults"

    bare, named = client.get(path), client.get(path)

    assert bare.headers["Content-Type"] == "text/csv"
    assert named.headers["Content-Type"] == "text/csv; charset=UTF-8"


def test_answers_other_calls_while_a_job_runs(client):
    text = "LastName\n" + "x\n" * 20_000
    job = client.post(
        "jobs/ingest", {"object": "Contact", "operation": "insert"}
    ).json()
    path = f"jobs/ingest/{job['id']}"
    client.call(
        "PUT", f"{path}/batches", data=text, headers={"Content-Type": "text/csv"}
    )
    client.patch(path, {"state": "UploadComplete"})

    seen = client.get(path).json()

    assert seen["state"] == "InProgress"
    assert seen["numberRecordsProcessed"] < 20_000
    assert client.wait(path)["numberRecordsProcessed"] == 20_000


def test_exports_in_pages(client, org):
    for n in range(5):
        org.insert("Contact", LastName=f"Zoë {n}", AccountId=None)
    statement = "SELECT LastName, Account.Name FROM Contact ORDER BY LastName"
    job = client.post("jobs/query", {"operation": "query", "query": statement}).json()
    path = f"jobs/query/{job['id']}"
    done = client.wait(path)

    pages, locator = [], ""
    while locator != "null":
        params = {"maxRecords": 2, "locator": locator}
        pages.append(client.get(f"{path}/results", params=params))
        locator = pages[-1].headers["Sforce-Locator"]

    assert done["numberRecordsProcessed"] == 5
    assert [p.headers["Sforce-NumberOfRecords"] for p in pages] == ["2", "2", "1"]
    assert pages[0].content.decode() == (
        '"LastName","Account.Name"\n"Zoë 0",""\n"Zoë 1",""\n'
    )
    assert [r["LastName"] for p in pages for r in rows_of(p)] == [
        f"Zoë {n}" for n in range(5)
    ]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT COUNT(Id) FROM Contact", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Cases) FROM Contact", "API_ERROR"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELEC", "MALFORMED_QUERY"),
    ],
)
def test_refuses_what_bulk_cannot_query(client, statement, code):
    body = {"operation": "query", "query": statement}

    answer = client.post("jobs/query", body)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
