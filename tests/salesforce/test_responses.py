import json
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from worker.domain.records import Usage
from worker.errors import (
    AmbiguousMatch,
    ContractBroken,
    PermissionMissing,
    QuotaExhausted,
    RateLimited,
    RecordGone,
    RecordRejected,
    RemoteUnavailable,
    RowLocked,
    StopRun,
    TokenRefused,
)
from worker.salesforce import responses

DAILY = "TotalRequests Limit exceeded."
AT_ONCE = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
LONG = "ConcurrentPerOrgLongTxn Limit exceeded."


@pytest.mark.parametrize(
    ("status", "code", "message", "family"),
    [
        (401, "INVALID_SESSION_ID", "", TokenRefused),
        (401, "", "", TokenRefused),
        (403, "REQUEST_LIMIT_EXCEEDED", DAILY, QuotaExhausted),
        (403, "REQUEST_LIMIT_EXCEEDED", "Limite atteinte", QuotaExhausted),
        (403, "REQUEST_LIMIT_EXCEEDED", AT_ONCE, RateLimited),
        (403, "REQUEST_LIMIT_EXCEEDED", LONG, RateLimited),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", "", PermissionMissing),
        (403, "INSUFFICIENT_ACCESS", "", PermissionMissing),
        (403, "API_DISABLED_FOR_ORG", "", PermissionMissing),
        (403, "API_CURRENTLY_DISABLED", "", PermissionMissing),
        (403, "STORAGE_LIMIT_EXCEEDED", "", StopRun),
        (403, "SOMETHING_NEW", "", PermissionMissing),
        (400, "INVALID_FIELD", "", PermissionMissing),
        (400, "INVALID_TYPE", "", PermissionMissing),
        (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "", PermissionMissing),
        (400, "MALFORMED_QUERY", "", ContractBroken),
        (400, "SOMETHING_NEW", "", ContractBroken),
        (400, "UNABLE_TO_LOCK_ROW", "", RowLocked),
        (400, "DUPLICATE_VALUE", "", RecordRejected),
        (400, "DUPLICATES_DETECTED", "", RecordRejected),
        (400, "DUPLICATE_EXTERNAL_ID", "", AmbiguousMatch),
        (400, "QUERY_TIMEOUT", "", RemoteUnavailable),
        (400, "INVALID_QUERY_LOCATOR", "", RemoteUnavailable),
        (400, "ExceededQuota", "", QuotaExhausted),
        (404, "ENTITY_IS_DELETED", "", RecordGone),
        (404, "NOT_FOUND", "", RecordGone),
        (300, "", "", AmbiguousMatch),
        (410, "UNSUPPORTED_API_VERSION", "", ContractBroken),
        (415, "UNSUPPORTED_MEDIA_TYPE", "", ContractBroken),
        (500, "UNKNOWN_EXCEPTION", "", RemoteUnavailable),
        (500, "SOMETHING_NEW", "", RemoteUnavailable),
        (503, "SERVER_UNAVAILABLE", "", RemoteUnavailable),
    ],
)
def test_maps_status_and_code_to_a_family(status, code, message, family):
    body = json.dumps([{"errorCode": code, "message": message}]).encode()

    error = responses.refusal(status, body, "query Contact")

    assert type(error) is family
    assert (error.service, error.operation) == ("salesforce", "query Contact")
    assert (error.status, error.code) == (status, code)


@pytest.mark.parametrize("body", [b"", b"<html><body>Down for maintenance</body>"])
@pytest.mark.parametrize(
    ("status", "family"),
    [
        (406, RemoteUnavailable),
        (408, RemoteUnavailable),
        (420, RateLimited),
        (429, RateLimited),
        (500, RemoteUnavailable),
        (502, RemoteUnavailable),
        (503, RemoteUnavailable),
        (504, RemoteUnavailable),
        (302, ContractBroken),
        (404, ContractBroken),
    ],
)
def test_maps_pages_and_silence_by_status(status, body, family):
    error = responses.refusal(status, body, "limits")

    assert type(error) is family
    assert "maintenance" not in str(error)


def test_names_the_path_of_an_unknown_error_shape():
    error = responses.refusal(400, b'{"error": "odd"}', "limits")

    assert type(error) is ContractBroken
    assert error.detail == "Expected `array`, got `object` - at `$`"


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("UNABLE_TO_LOCK_ROW", RowLocked),
        ("UNPROCESSED", RemoteUnavailable),
        ("ALL_OR_NONE_OPERATION_ROLLED_BACK", RemoteUnavailable),
        ("REQUEST_LIMIT_EXCEEDED", QuotaExhausted),
        ("INSUFFICIENT_ACCESS_OR_READONLY", PermissionMissing),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", PermissionMissing),
        ("STORAGE_LIMIT_EXCEEDED", StopRun),
        ("ENTITY_IS_DELETED", RecordGone),
        ("DUPLICATE_VALUE", RecordRejected),
        ("DUPLICATE_EXTERNAL_ID", AmbiguousMatch),
        # A parent that matches nothing concerns this row alone.
        ("INVALID_FIELD", RecordRejected),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", RecordRejected),
        ("SOME_CODE_OF_TOMORROW", RecordRejected),
    ],
)
def test_maps_a_row_code_to_a_family(code, family):
    assert responses.family_of(code) is family


def test_tells_the_limit_of_calls_at_one_time_from_the_daily_one():
    texts = (AT_ONCE, DAILY)

    families = [responses.family_of(responses.LIMIT, text) for text in texts]

    assert families == [RateLimited, QuotaExhausted]


def test_names_the_missing_field_and_object_of_a_query_without_its_values():
    message = (
        "\nSELECT Nope__c FROM Contact WHERE Email = 'ada@x.example'\n       ^\n"
        "ERROR at Row:1:Column:8\nNo such column 'Nope__c' on entity 'Contact'."
    )
    body = json.dumps([{"errorCode": "INVALID_FIELD", "message": message}]).encode()

    error = responses.refusal(400, body, "query Contact")

    assert error.fields == ("Nope__c", "Contact")
    assert "deploy the package" in error.detail
    assert "ada" not in str(error)


def test_names_the_object_that_a_path_did_not_find():
    body = b'[{"errorCode": "NOT_FOUND", "message": "It does not exist"}]'

    error = responses.refusal(404, body, "upsert", subject="Community_User__c")

    assert type(error) is PermissionMissing
    assert error.fields == ("Community_User__c",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("Sun, 22 Nov 2026 10:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("", None),
    ],
)
@freeze_time("2026-11-22T10:00:00Z")
def test_honours_retry_after_where_it_is_sent(value, expected):
    error = responses.refusal(503, b"", "limits", headers={"Retry-After": value})

    assert error.retry_after == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("api-usage=18/5000", Usage(18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=x)", Usage(25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("", None),
    ],
)
def test_reads_the_usage_from_the_header(header, expected):
    assert responses.usage({"Sforce-Limit-Info": header}) == expected


def test_reads_the_time_of_the_server_as_utc():
    moment = responses.server_time({"Date": "Sun, 22 Nov 2026 10:00:00 GMT"})

    assert moment == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert responses.server_time({}) is None
