"""The one table: what the community answers, and which family it is."""

from datetime import timedelta

import msgspec
import pytest
import requests
from freezegun import freeze_time

from worker.aurora.responses import SearchRefused, payload
from worker.errors import (
    ContractBroken,
    PermissionMissing,
    RateLimited,
    RecordGone,
    RemoteUnavailable,
    TokenRefused,
)


def answer(status, body, **headers):
    made = requests.Response()
    made.status_code = status
    made._content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    made.headers.update({k.replace("_", "-"): v for k, v in headers.items()})
    return made


def v2(code, message="", **fields):
    problem = {"type": "error_data", "code": code}
    return {"status": "error", "message": message, "data": problem, **fields}


def v1(code):
    return {"response": {"status": "error", "error": {"code": code, "message": "x"}}}


PAGE = b"  <html><head></head><body><h1>HTTP Status</h1></body></html>"


@pytest.mark.parametrize(
    ("status", "body", "family"),
    [
        (200, v2(203), PermissionMissing),
        (403, v2(203), PermissionMissing),
        (200, v2(301), TokenRefused),
        (200, v2(403), TokenRefused),
        (401, v2(301), TokenRefused),
        (403, b"", TokenRefused),
        (401, b"", TokenRefused),
        (200, v2(0, http_code=401), TokenRefused),
        (400, v2(604, "Invalid query syntax"), SearchRefused),
        (200, v2(604, "Invalid query syntax"), SearchRefused),
        (200, v2(9999), ContractBroken),
        (404, v2(101), RecordGone),
        (404, PAGE, ContractBroken),
        (429, b"", RateLimited),
        (429, {"statusCode": 429, "status": "error", "message": "slow"}, RateLimited),
        (200, v2(429), RateLimited),
        (408, b"", RemoteUnavailable),
        (500, PAGE, RemoteUnavailable),
        (502, PAGE, RemoteUnavailable),
        (503, b"", RemoteUnavailable),
        (503, b"{not json", RemoteUnavailable),
        (504, {"statusCode": 504, "status": 504, "message": "x"}, RemoteUnavailable),
        (501, v2(501), ContractBroken),
        (200, v1(301), TokenRefused),
        (200, v1(302), PermissionMissing),
        (200, v1(101), RecordGone),
        (200, v1(501), ContractBroken),
        (200, v1(7), ContractBroken),
        (200, PAGE, ContractBroken),
        (200, b"", ContractBroken),
        (200, b'{"status": "success", "da', ContractBroken),
        (200, [], ContractBroken),
        (200, {"statusCode": 200, "data": {}}, ContractBroken),
        (200, {"status": "success", "http_code": 503, "data": {}}, RemoteUnavailable),
        (302, b"", ContractBroken),
    ],
)
def test_knows_the_family(status, body, family):
    given = answer(status, body, Location="https://elsewhere.example")

    with pytest.raises(family) as caught:
        payload(given, "search users")

    assert type(caught.value) is family
    assert caught.value.service == "aurora"
    assert caught.value.operation == "search users"


@pytest.mark.parametrize(
    ("body", "inside"),
    [
        ({"status": "success", "http_code": 200, "data": {"a": 1}}, b'{"a":1}'),
        ({"status": "success", "data": [1]}, b"[1]"),
        (
            {"response": {"status": "success", "httpCode": 200, "data": {"a": 1}}},
            b'{"a":1}',
        ),
        (
            {"response": {"status": "success", "user": {"id": 1}}},
            b'{"status":"success","user":{"id":1}}',
        ),
    ],
)
def test_opens_both_envelopes(body, inside):
    assert bytes(payload(answer(200, body), "search users")) == inside


def test_tells_ht_access_from_a_refused_token():
    given = answer(401, PAGE, WWW_Authenticate='Basic realm="stage"')

    with pytest.raises(TokenRefused) as caught:
        payload(given, "search users")

    assert caught.value.code == "ht_access"


def test_names_what_may_not_be_read():
    with pytest.raises(PermissionMissing, match="the API user may not search users"):
        payload(answer(403, v2(203)), "search users")


@freeze_time("2026-03-01 12:00:00")
@pytest.mark.parametrize(
    ("stated", "waits"),
    [
        ("0", timedelta(0)),
        ("30", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("soon", None),
    ],
)
def test_reads_how_long_to_wait(stated, waits):
    with pytest.raises(RateLimited) as caught:
        payload(answer(429, b"", Retry_After=stated), "search users")

    assert caught.value.retry_after == waits


def test_never_repeats_what_the_answer_said():
    body = v2(604, "ada@x.example is no field", developer_message="ada@x.example")

    with pytest.raises(ContractBroken) as caught:
        payload(answer(400, body), "search users")

    assert "ada" not in str(caught.value)
