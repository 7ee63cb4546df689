"""The life of ingest and query jobs, and their results, through the sandbox."""

from datetime import timedelta

import pytest
from freezegun import freeze_time

from worker.domain.records import RowResult
from worker.errors import (
    ContractBroken,
    PermissionMissing,
    RateLimited,
    RecordGone,
    RemoteUnavailable,
    TokenRefused,
)
from worker.salesforce.bulk import (
    BulkIngest,
    JobInfo,
    Polling,
    job_failure,
    parse_error,
)
from worker.salesforce.csvfile import UNCHANGED, CsvFile

KEY = "Community_User_Key__c"
OBJECT = "Community_User__c"
COLUMNS = [KEY, "Community__c", "Name", "Biography__c", "Email__c"]
JOB = "750000000000001AAA"
# Newlines, quotes, separators, blanks inside, 4-byte characters, control marks.
BIOGRAPHY = 'one\ntwo\r\nthree\rfour "five", \u2028 👩‍👩‍👧 𠮷野家; =1+1\ttab'


def alive():
    """A heartbeat that nobody listens to."""


@pytest.fixture
def csv_file(tmp_path):
    """Write rows of Community Users to a job's file."""

    def write(*rows, columns=COLUMNS):
        with CsvFile(tmp_path / "job.csv", columns) as file:
            file.write_rows(rows)
        return file.path

    return write


def row(number, biography=None, email=None):
    return [f"acme:{number}", "acme", f"login{number}", biography, email]


@pytest.fixture
def run(served):
    """Take a file through a whole job."""

    def through(path, object_name=OBJECT, operation="upsert", key=KEY):
        ingest = served.client.ingest
        job_id = ingest.create(object_name, operation, key)
        ingest.upload(job_id, path)
        ingest.close(job_id)
        return ingest.wait(job_id, alive)

    return through


def test_creates_and_updates_rows_joined_on_the_key(served, csv_file, run):
    served.client.upsert(OBJECT, KEY, served.users(2))

    info = run(csv_file(*(row(n) for n in range(1, 501))))

    assert (info.state, info.processed, info.failed) == ("JobComplete", 500, 0)
    results = list(served.client.ingest.successful(info.id, KEY))
    # The sandbox answers in another order on purpose.
    assert [r.key for r in results] != [f"acme:{n}" for n in range(1, 501)]
    ids = {held[KEY]: held["Id"] for held in served.org.records(OBJECT)}
    assert {r.key: r.record_id for r in results} == ids
    assert {r.key for r in results if not r.created} == {"acme:1", "acme:2"}
    assert list(served.client.ingest.failed(info.id, KEY)) == []


@pytest.mark.parametrize("charset", ["declared", "left out"])
def test_brings_every_character_there_and_back(served, csv_file, run, charset):
    if charset == "left out":
        served.org.faults.add("csv_without_charset", times=None)
    path = csv_file(row(1, BIOGRAPHY), row("𠮷\n2", "plain"))

    info = run(path)

    held = {each[KEY]: each["Biography__c"] for each in served.org.records(OBJECT)}
    assert held == {"acme:1": BIOGRAPHY, "acme:𠮷\n2": "plain"}
    results = served.client.ingest.successful(info.id, KEY)
    assert {r.key for r in results} == {"acme:1", "acme:𠮷\n2"}


def test_tells_null_from_unchanged(served, csv_file, run):
    row_ = {KEY: "acme:1", "Biography__c": "long", "Email__c": "a@x.example"}
    served.client.upsert(OBJECT, KEY, [row_])

    run(csv_file(["acme:1", UNCHANGED, UNCHANGED, None, UNCHANGED]))

    (held,) = served.org.records(OBJECT)
    assert (held["Biography__c"], held["Email__c"]) == (None, "a@x.example")


def test_reports_refused_rows_and_saves_the_others(served, csv_file, run):
    info = run(csv_file(row(1), row(2, email="not an address: a,b"), row(3)))

    assert (info.processed, info.failed) == (3, 1)
    (failed,) = served.client.ingest.failed(info.id, KEY)
    assert failed == RowResult(
        "acme:2",
        None,
        created=False,
        code="INVALID_EMAIL_ADDRESS",
        fields=("Email__c",),
    )


def test_reports_a_job_that_failed_by_half(served, csv_file, run):
    served.org.faults.add("half_failed_bulk", times=None)

    info = run(csv_file(*(row(n) for n in range(1, 451))))

    ingest = served.client.ingest
    failed = list(ingest.failed(info.id, KEY))
    good = list(ingest.successful(info.id, KEY))
    assert (info.processed, info.failed) == (450, len(failed))
    assert {r.code for r in failed} == {"FIELD_CUSTOM_VALIDATION_EXCEPTION"}
    assert len({r.key for r in [*failed, *good]}) == 450


def test_reports_locked_rows_by_code(served, csv_file, run):
    served.org.faults.add("row_lock", rows=1)

    info = run(csv_file(row(1), row(2)))

    (failed,) = served.client.ingest.failed(info.id, KEY)
    assert failed.code == "UNABLE_TO_LOCK_ROW"


def test_updates_and_deletes_by_record_id(served, csv_file, run):
    made = served.client.upsert(OBJECT, KEY, served.users(3))
    rows = [[r.record_id, "renamed"] for r in made]

    updated = run(csv_file(*rows, columns=["Id", "Name"]), OBJECT, "update", None)
    names = {each["Name"] for each in served.org.records(OBJECT)}
    deleted = run(
        csv_file(*([r[0]] for r in rows), columns=["Id"]), OBJECT, "delete", None
    )

    assert names == {"renamed"}
    keys = {r.key for r in served.client.ingest.successful(updated.id, "Id")}
    assert keys == {r.record_id for r in made}
    assert deleted.processed == 3
    assert served.org.records(OBJECT) == []


@pytest.mark.parametrize("call", ["create", "upload", "close", "wait", "results"])
def test_survives_a_session_that_ends_before_any_step(served, csv_file, call):
    ingest, path = served.client.ingest, csv_file(row(1), row(2))

    def end(step):
        if step == call:
            served.sandbox.services.identity.expire_all()

    served.client.ping()
    end("create")
    job_id = ingest.create(OBJECT, "upsert", KEY)
    end("upload")
    ingest.upload(job_id, path)
    end("close")
    ingest.close(job_id)
    end("wait")
    info = ingest.wait(job_id, alive)
    end("results")
    results = list(ingest.successful(job_id, KEY))

    assert info.state == "JobComplete"
    assert {r.key for r in results} == {"acme:1", "acme:2"}
    assert served.vault.renewals == 2


def test_stops_when_no_session_is_taken(served):
    served.client.ping()
    served.org.faults.add("unauthorized_forever")

    with pytest.raises(TokenRefused):
        served.client.ingest.create(OBJECT, "upsert", KEY)

    assert served.vault.renewals == 2


def test_takes_up_a_job_that_another_process_began(served, csv_file):
    job_id = served.client.ingest.create(OBJECT, "upsert", KEY)
    served.client.ingest.upload(job_id, csv_file(row(1)))
    served.client.ingest.close(job_id)

    with served.connect() as another:
        info = another.ingest.wait(job_id, alive)
        results = list(another.ingest.successful(job_id, KEY))

    assert info.state == "JobComplete"
    assert [r.key for r in results] == ["acme:1"]


def test_costs_three_calls_besides_polls_and_results(served, csv_file):
    served.client.ping()
    before = served.calls
    ingest = served.client.ingest

    job_id = ingest.create(OBJECT, "upsert", KEY)
    ingest.upload(job_id, csv_file(row(1)))
    ingest.close(job_id)

    assert served.calls - before == 3


def test_says_what_an_aborted_job_never_came_to(served, csv_file):
    ingest = served.client.ingest
    job_id = ingest.create(OBJECT, "upsert", KEY)
    ingest.upload(job_id, csv_file(row(1), row(2)))

    ingest.abort(job_id)

    info = ingest.wait(job_id, alive)
    assert (info.state, info.is_finished, info.processed) == ("Aborted", True, 0)


def test_reads_unprocessed_rows(script, scripted):
    script.say(200, f'{KEY},Name\n"acme:1","a\nb"\nacme:2,c\n'.encode())

    rows = list(scripted.ingest.unprocessed(JOB, KEY))

    assert rows == [
        RowResult(f"acme:{n}", None, created=False, code="UNPROCESSED") for n in (1, 2)
    ]


def test_names_the_column_that_the_org_lacks(csv_file, run):
    info = run(csv_file(["acme:1", "x"], columns=[KEY, "Nope__c"]))

    error = job_failure(info)

    assert info.state == "Failed"
    assert type(error) is PermissionMissing
    assert error.fields == ("Nope__c",)


@pytest.mark.parametrize(
    ("state", "error", "family"),
    [
        ("Failed", "ClientInputError : LineEnding is invalid", ContractBroken),
        ("Failed", "", ContractBroken),
        ("Aborted", "", RemoteUnavailable),
    ],
)
def test_classifies_jobs_that_did_not_complete(state, error, family):
    info = JobInfo(JOB, state, processed=0, failed=0, error=error)

    assert type(job_failure(info)) is family


def test_names_the_object_that_a_job_did_not_find(served):
    with pytest.raises(PermissionMissing) as caught:
        served.client.ingest.create("Nothing__c", "upsert", "Key__c")

    assert caught.value.fields == ("Nothing__c",)


def test_says_that_a_job_is_forgotten(served):
    with pytest.raises(RecordGone):
        served.client.ingest.status(JOB)


def job(state, **more):
    return {"id": JOB, "state": state, "operation": "upsert", **more}


def test_polls_fast_at_first_and_slower_then(script, scripted):
    slept, beats = [], []
    polling = Polling(sleep=slept.append)
    for _ in range(7):
        script.say(200, job("InProgress"))
    script.say(200, job("JobComplete", numberRecordsProcessed=5))

    ingest = BulkIngest(scripted._wire.send, polling)
    info = ingest.wait(JOB, lambda: beats.append(len(slept)))

    assert info == JobInfo(JOB, "JobComplete", processed=5, failed=0, error="")
    assert slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert beats == list(range(7))


def test_gives_up_after_the_deadline_with_the_id_of_the_job(script, scripted):
    polling = Polling(deadline=timedelta(seconds=0.4))
    script.say(200, job("InProgress"))

    with pytest.raises(RemoteUnavailable, match=JOB):
        BulkIngest(scripted._wire.send, polling).wait(JOB, alive)


def test_counts_the_deadline_over_all_its_pauses(script, scripted):
    with freeze_time() as moment:
        polling = Polling(deadline=timedelta(seconds=3), sleep=moment.tick)
        for _ in range(3):
            script.say(200, job("InProgress"))

        with pytest.raises(RemoteUnavailable, match=JOB):
            BulkIngest(scripted._wire.send, polling).wait(JOB, alive)

    assert len(script.seen) == 3


def test_stops_waiting_when_the_heartbeat_says_so(script, scripted):
    script.say(200, job("InProgress"))

    def lost():
        raise RemoteUnavailable("salesforce", "abandoned")

    with pytest.raises(RemoteUnavailable, match="abandoned"):
        scripted.ingest.wait(JOB, lost)


def test_bears_two_broken_polls_but_not_three(script, scripted):
    script.say(429)
    script.say(429)
    script.say(200, job("InProgress"))
    script.say(429)
    script.say(200, job("JobComplete"))

    assert scripted.ingest.wait(JOB, alive).state == "JobComplete"

    for _ in range(3):
        script.say(429)
    with pytest.raises(RateLimited) as caught:
        scripted.ingest.wait(JOB, alive)
    assert caught.value.status == 429


RESULTS = (
    b'"sf__Id","sf__Created","Key__c"\n"a01","true","acme:1"\n"a02","false","acme:2"\n'
)


def test_repeats_a_download_that_was_cut_before_a_row_is_seen(script, scripted):
    script.say(200, RESULTS[:50], missing=len(RESULTS) - 50)
    script.say(200, RESULTS)

    results = list(scripted.ingest.successful(JOB, "Key__c"))

    assert results == [
        RowResult("acme:1", "a01", created=True),
        RowResult("acme:2", "a02", created=False),
    ]


def test_gives_up_on_downloads_that_are_cut_again_and_again(script, scripted):
    for _ in range(3):
        script.say(200, RESULTS[:50], missing=9)

    with pytest.raises(RemoteUnavailable):
        list(scripted.ingest.successful(JOB, "Key__c"))

    assert len(script.seen) == 3


def test_takes_an_empty_result_file_for_no_rows(script, scripted):
    script.say(200, b"")

    assert list(scripted.ingest.failed(JOB, "Key__c")) == []


def test_may_be_left_in_the_middle_of_results(script, scripted):
    script.say(200, RESULTS)
    results = scripted.ingest.successful(JOB, "Key__c")

    first = next(results)
    results.close()

    assert first.key == "acme:1"


def test_stops_at_results_without_the_key(script, scripted):
    script.say(200, b"sf__Id,sf__Created\na01,true\n")

    with pytest.raises(ContractBroken, match="no column Key__c"):
        list(scripted.ingest.successful(JOB, "Key__c"))


@pytest.mark.parametrize(
    "body",
    [
        b'"sf__Id","sf__Created","Key__c"\n"a01"\n',
        b'"sf__Id","sf__Created","Key__c"\n"a01","true","acme:1\n',
        b'"sf__Id","sf__Created","Key__c"\n"a01","true","ada \xff"\n',
    ],
)
def test_stops_at_results_that_are_no_csv(script, scripted, body):
    script.say(200, body)

    with pytest.raises(ContractBroken) as caught:
        list(scripted.ingest.successful(JOB, "Key__c"))

    assert "ada" not in str(caught.value)


def test_misses_rows_that_a_query_job_promised(script, scripted):
    script.say(200, job("UploadComplete"))
    script.say(200, job("JobComplete"))
    body = b'"Id","Email"\n"003000000000001AAA","a@x.example"\n'
    script.say(200, body, Sforce_NumberOfRecords="2", Sforce_Locator="null")

    with pytest.raises(RemoteUnavailable, match="rows are missing"):
        list(scripted.all_contacts())


def test_stops_when_a_locator_comes_twice(script, scripted):
    script.say(200, job("UploadComplete"))
    script.say(200, job("JobComplete"))
    for _ in range(2):
        script.say(200, b'"Id","Email"\n', Sforce_Locator="MTAw")

    with pytest.raises(ContractBroken, match="twice"):
        list(scripted.all_contacts())


def test_reads_no_row_from_an_empty_query_job(script, scripted):
    script.say(200, job("UploadComplete"))
    script.say(200, job("JobComplete"))
    script.say(200, b"", Sforce_NumberOfRecords="0", Sforce_Locator="null")

    assert list(scripted.all_contacts()) == []


@pytest.mark.parametrize("state", ["Failed", "Aborted"])
def test_calls_a_query_job_that_ended_early_unavailable(script, scripted, state):
    script.say(200, job("UploadComplete"))
    script.say(200, job(state))

    with pytest.raises(RemoteUnavailable, match=state):
        list(scripted.all_contacts())


def test_stops_at_columns_that_nobody_asked_for(script, scripted):
    script.say(200, job("UploadComplete"))
    script.say(200, job("JobComplete"))
    script.say(200, b'"Id","Name"\n')

    with pytest.raises(ContractBroken, match="unknown columns"):
        list(scripted.all_contacts())


def test_reads_a_query_job_without_its_headers(script, scripted):
    script.say(200, job("UploadComplete"))
    script.say(200, job("JobComplete"))
    script.say(200, b'"Id","Email"\n"003000000000001AAA",""\n')

    (only,) = scripted.all_contacts()

    assert only == ("003000000000001AAA", None, False, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "REQUIRED_FIELD_MISSING:They are missing: [LastName]:LastName --",
            (
                "REQUIRED_FIELD_MISSING",
                "They are missing: [LastName]",
                ("LastName",),
            ),
        ),
        (
            "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access: 003:--",
            ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access: 003", ()),
        ),
        ("A_CODE:text:One__c,Two__c --", ("A_CODE", "text", ("One__c", "Two__c"))),
        ("A_CODE:text", ("A_CODE", "text", ())),
        ("A_CODE", ("A_CODE", "", ())),
        ("", ("", "", ())),
    ],
)
def test_takes_the_error_of_a_row_apart(text, expected):
    assert parse_error(text) == expected
