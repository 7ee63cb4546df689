from datetime import timedelta

import pytest
import requests


def test_answers_html_once(client, org):
    org.faults.add("status", status=503, times=1)

    first, second = client.get("limits"), client.get("limits")

    assert (first.status_code, first.text[:6]) == (503, "<html>")
    assert second.status_code == 200


def test_strikes_only_its_path_and_method(client, org):
    org.faults.add("status", path="/query", method="GET", body="empty", times=None)

    assert client.query("SELECT Id FROM Contact").content == b""
    assert client.get("limits").status_code == 200


def test_hangs_up_before_or_after_the_work(client, org):
    org.faults.add("drop_before_commit")
    with pytest.raises(requests.ConnectionError):
        client.post("sobjects/Contact", {"LastName": "before"})

    org.faults.add("drop_after_commit")
    with pytest.raises(requests.ConnectionError):
        client.post("sobjects/Contact", {"LastName": "after"})

    assert [c["LastName"] for c in org.records("Contact")] == ["after"]


def test_expires_sessions_once_and_refuses_for_ever(client, org, sandbox):
    org.faults.add("expire_sessions")
    expired = client.get("limits")
    fresh = sandbox.credentials(client.base_url)["access_token"]
    client.http.headers["Authorization"] = f"Bearer {fresh}"
    renewed = client.get("limits")
    org.faults.add("unauthorized_forever")
    refused = [client.get("limits").status_code for _ in range(3)]

    assert (expired.status_code, renewed.status_code) == (401, 200)
    assert refused == [401, 401, 401]


def test_refuses_when_the_allowance_is_gone(client, org):
    org.usage.allowed = 2

    answers = [client.get("limits") for _ in range(3)]

    assert [a.status_code for a in answers] == [200, 200, 403]
    assert answers[1].headers["Sforce-Limit-Info"] == "api-usage=2/2"
    assert answers[2].json() == [
        {
            "message": "TotalRequests Limit exceeded.",
            "errorCode": "REQUEST_LIMIT_EXCEEDED",
        }
    ]


def test_gives_the_allowance_back_after_a_day(client, org, sandbox):
    org.usage.allowed = 1
    sandbox.services.identity.idle_for = timedelta(days=9)
    client.get("limits")
    gone = client.get("limits").status_code

    org.clock.advance(timedelta(hours=25))

    assert (gone, client.get("limits").status_code) == (403, 200)


def test_hides_late_rows_from_queries(client, org):
    org.faults.add("late_rows", seconds=60)
    made = client.post("sobjects/Contact", {"LastName": "late"}).json()["id"]
    statement = "SELECT SystemModstamp FROM Contact"

    early = client.query(statement).json()
    org.clock.advance(timedelta(seconds=61))
    later = client.query(statement).json()

    assert early["totalSize"] == 0
    stamp = org.get("Contact", made)["SystemModstamp"]
    assert later["records"][0]["SystemModstamp"] == stamp


def test_shows_the_old_values_of_a_late_update(client, org):
    made = org.insert("Contact", LastName="old")
    org.faults.add("late_rows", seconds=60)

    client.patch(f"sobjects/Contact/{made}", {"LastName": "new"})

    found = client.query("SELECT LastName FROM Contact").json()["records"]
    assert [r["LastName"] for r in found] == ["old"]


def test_rejects_the_rows_it_is_told_to(client, org):
    org.faults.add(
        "reject_row", type="Contact", field="LastName", value="^bad", times=None
    )

    refused = client.post("sobjects/Contact", {"LastName": "bad one"})
    taken = client.post("sobjects/Contact", {"LastName": "good one"})

    assert refused.json()[0]["errorCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert taken.status_code == 201


def test_takes_faults_over_http(client):
    added = client.post("/_sandbox/faults", {"kind": "quota_gone", "times": 1})
    struck = client.get("limits")
    wrong = client.post("/_sandbox/faults", {"kind": "nope"})
    client.post("/_sandbox/faults", {"kind": "status"})
    cleared = client.delete("/_sandbox/faults")

    assert (added.status_code, struck.status_code) == (200, 403)
    assert (wrong.status_code, cleared.json()) == (400, [])
    assert client.get("limits").status_code == 200


def test_counts_calls_by_kind_and_method(client):
    client.get("limits")
    client.post("sobjects/Contact", {"LastName": "x"})
    client.get("/services/data")

    counted = client.get("/_sandbox/calls").json()

    assert counted["by_kind"] == {"limits": 1, "rows": 1}
    assert counted["by_method"] == {"GET limits": 1, "POST rows": 1}
    assert counted["total"] == 2


def test_takes_and_gives_records_unmetered(client, org):
    rows = [{"LastName": "a", "Email": "a@x.example"}, {"LastName": "b"}]

    client.post("/_sandbox/records/Contact", rows)
    lines = client.get("/_sandbox/records/Contact").text.splitlines()

    assert (len(lines), org.calls) == (2, {})


def test_resets_to_a_bare_org(client, sandbox):
    client.post("sobjects/Contact", {"LastName": "x"})

    client.post("/_sandbox/reset")

    assert sandbox.org.records("Contact") == []
    assert client.get("limits").status_code == 401


def test_sets_the_clock_over_http(client):
    moment = "2030-05-05T05:05:05+00:00"

    client.post("/_sandbox/clock", {"freeze": True, "now": moment})

    assert client.get("limits").headers["Date"] == "Sun, 05 May 2030 05:05:05 GMT"


def test_shows_a_page_to_people(client):
    page = client.get("/_sandbox", headers={"Accept": "text/html"})

    assert page.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "Salesforce sandbox" in page.text


def test_refuses_json_under_another_name(client):
    answer = client.call(
        "POST",
        "sobjects/Contact",
        data='{"LastName": "x"}',
        headers={"Content-Type": "text/xml"},
    )

    assert answer.status_code == 415


def test_ignores_the_content_type_of_a_get(client):
    headers = {"Content-Type": "text/xml"}

    assert client.get("limits", headers=headers).status_code == 200


def test_refuses_an_endless_url(client):
    assert client.query("SELECT Id FROM Contact" + " " * 17_000).status_code == 414


@pytest.mark.parametrize(
    ("method", "path", "feature"),
    [
        ("POST", "composite/graph", "Composite graph"),
        ("GET", "search/?q=FIND", "SOSL search"),
        ("GET", "tooling/sobjects/CustomField", "The Tooling API beyond"),
        ("GET", "/services/async/40.0/job", "Bulk API 1.0"),
        ("GET", "sobjects/Contact/describe/layouts", "Layout and quick action"),
    ],
)
def test_names_what_it_does_not_emulate(client, method, path, feature):
    answer = client.call(method, path)

    assert answer.status_code == 501
    (error,) = answer.json()
    assert error["errorCode"] == "NOT_IMPLEMENTED_BY_SANDBOX"
    assert error["message"].startswith(feature)


def test_refuses_a_method_that_an_address_does_not_know(client):
    answer = client.delete("limits")

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (
        405,
        "METHOD_NOT_ALLOWED",
    )
