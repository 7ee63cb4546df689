"""What every call does, whatever it asks: retries, headers, usage, errors."""

import traceback
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.records import Usage
from worker.errors import (
    ContractBroken,
    RateLimited,
    RemoteUnavailable,
    WorkerError,
)
from worker.salesforce.client import SalesforceClient

ADDRESS = "ada@x.example"
LIMITS = {"DailyApiRequests": {"Max": 100, "Remaining": 58}}


def test_repeats_a_read_that_the_edge_refused(script, scripted):
    script.say(503)
    script.say(502, b"<html>Bad gateway</html>")
    script.say(200, LIMITS)

    assert scripted.limits() == (42, 100)

    assert [seen.method for seen in script.seen] == ["GET"] * 3


def test_never_repeats_a_post_in_transport(script, scripted):
    script.say(503, b"<html>Down</html>", Retry_After="30")

    with pytest.raises(RemoteUnavailable) as caught:
        scripted.describe("Contact")

    assert len(script.seen) == 1
    assert caught.value.retry_after == timedelta(seconds=30)


def test_never_repeats_a_write_whose_answer_was_lost(script, scripted):
    script.say(200, b"[", missing=10)

    with pytest.raises(RemoteUnavailable):
        scripted.upsert("Contact", "Key__c", [{"Key__c": "acme:1"}])

    assert [seen.method for seen in script.seen] == ["PATCH"]


def test_waits_no_longer_than_the_settings_say(script, settings_for, scripted):
    settings = settings_for(script.base_url, read_timeout=timedelta(seconds=0.05))
    # Promised and never sent: the answer hangs.
    script.say(200, b"", missing=1)
    script.say(200, b"", missing=1)

    with (
        SalesforceClient(scripted.vault, lambda _: None, settings) as client,
        pytest.raises(RemoteUnavailable),
    ):
        client.ingest.close("750000000000001AAA")


def test_counts_every_call(script, settings_for, scripted):
    calls = []
    settings = settings_for(script.base_url)
    script.say(200, LIMITS)

    with SalesforceClient(
        scripted.vault, lambda _: None, settings, on_call=lambda: calls.append(1)
    ) as client:
        client.ping()

    assert len(calls) == 1


def test_names_itself_and_asks_for_no_blanks(script, scripted):
    script.say(200, LIMITS)

    scripted.ping()

    headers = script.seen[0].headers
    assert headers["sforce-call-options"] == "client=aurora-sync"
    assert headers["user-agent"] == "aurora-sync"
    assert "gzip" in headers["accept-encoding"]
    assert "x-prettyprint" not in headers


def test_keeps_usage_and_time_of_the_newest_answer(script, scripted):
    script.say(
        200,
        LIMITS,
        Sforce_Limit_Info="api-usage=42/100",
        Date="Sun, 22 Nov 2026 10:00:00 GMT",
    )
    script.say(200, LIMITS)
    scripted.ping()

    # The second answer says nothing of usage.
    scripted.ping()

    assert scripted.usage == Usage(42, 100)
    assert scripted.server_time is not None


def test_reads_usage_and_time_from_refusals_too(script, scripted):
    script.say(
        429,
        b"",
        Sforce_Limit_Info="api-usage=100/100",
        Date="Sun, 22 Nov 2026 10:00:00 GMT",
    )

    with pytest.raises(RateLimited):
        scripted.ping()

    assert scripted.usage == Usage(100, 100)
    assert scripted.server_time == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_says_before_the_first_answer_that_it_knows_nothing(scripted):
    assert (scripted.usage, scripted.server_time) == (None, None)


def test_follows_no_redirect(script, scripted):
    script.say(302, b"", Location="https://elsewhere.example/")

    with pytest.raises(ContractBroken) as caught:
        scripted.ping()

    assert caught.value.status == 302


def test_names_the_path_of_what_it_does_not_understand(script, scripted):
    script.say(200, {"DailyApiRequests": {"Max": "many", "Remaining": 1}})

    with pytest.raises(ContractBroken) as caught:
        scripted.limits()

    assert (
        caught.value.detail == "Expected `int`, got `str` - at `$.DailyApiRequests.Max`"
    )


def test_takes_a_page_of_html_for_no_answer(script, scripted):
    script.say(200, b"<html>Maintenance of ada@x.example</html>")

    with pytest.raises(ContractBroken) as caught:
        scripted.limits()

    assert "ada" not in str(caught.value)


def test_keeps_the_request_id_for_the_vendor(script, scripted):
    script.say(400, [{"errorCode": "ODD", "message": ""}], X_SFDC_Request_Id="r-17")

    with pytest.raises(ContractBroken, match="request=r-17"):
        scripted.limits()


@pytest.mark.parametrize("code", ["INVALID_FIELD", "MALFORMED_QUERY", "ODD"])
@pytest.mark.parametrize(
    "message",
    [
        f"\nSELECT Id FROM Contact WHERE Email IN ('{ADDRESS}')\nERROR at Row:1",
        f"invalid email address: {ADDRESS}",
    ],
)
def test_tells_no_secret_and_no_address_in_an_error(script, scripted, code, message):
    script.say(400, [{"errorCode": code, "message": message}])

    with pytest.raises(WorkerError) as caught:
        list(scripted.contacts_by_email([ADDRESS]))

    text = "".join(traceback.format_exception(caught.value))
    assert code in text
    assert ADDRESS not in text
    assert "session-1" not in text


def test_tells_no_query_when_the_line_is_dead(scripted, settings_for):
    dead = "http://127.0.0.1:1"
    scripted.vault.token = scripted.vault.token._replace(instance_url=dead)

    with (
        SalesforceClient(scripted.vault, lambda _: None, settings_for(dead)) as client,
        pytest.raises(WorkerError) as caught,
    ):
        list(client.contacts_created_by("acme", "005000000000001AAA"))

    text = "".join(traceback.format_exception(caught.value))
    assert type(caught.value) is RemoteUnavailable
    assert "SELECT" not in text
    assert "/query" not in text


def test_puts_no_address_into_a_url(script, scripted):
    script.say(
        200,
        {
            "compositeResponse": [
                {
                    "body": {"totalSize": 0, "done": True, "records": []},
                    "httpStatusCode": 200,
                    "referenceId": "part0",
                }
            ]
        },
    )

    list(scripted.contacts_by_email(["ada@x.example"]))

    (seen,) = script.seen
    assert (seen.method, seen.path, seen.query) == (
        "POST",
        "/services/data/v62.0/composite",
        "",
    )
