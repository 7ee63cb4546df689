"""
What an answer of the org means: one table from status and vendor code to the error
families, and what every answer's headers tell. Knows nothing of single endpoints.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from worker import clock
from worker.domain.records import Usage
from worker.errors import (
    AmbiguousMatch,
    ContractBroken,
    PermissionMissing,
    QuotaExhausted,
    RateLimited,
    RecordGone,
    RecordRejected,
    RemoteError,
    RemoteUnavailable,
    RetryLater,
    RowLocked,
    SkipRecord,
    StopRun,
    TokenRefused,
)
from worker.salesforce.payloads import SERVICE, ErrorItem, safe_detail, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

Family = type[RetryLater] | type[SkipRecord] | type[StopRun]

# The code that we give to rows of a Bulk job which the org never took up.
UNPROCESSED = "UNPROCESSED"
LIMIT = "REQUEST_LIMIT_EXCEEDED"
NOT_FOUND = "NOT_FOUND"


class Meaning(NamedTuple):
    """A family and, where a person can do something about it, the cure."""

    family: Family
    cure: str = ""


_PACKAGE = (
    "deploy the package (aurora-sync salesforce deploy) and assign the permission "
    "set Aurora_Sync to the API user"
)
_RIGHTS = "assign the permission set Aurora_Sync to the API user"
_API = "enable the API for the org and for the API user's profile"

# A whole call refused, by vendor code. The code decides; the status only where the
# code is unknown to this table.
# https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
CALLS: dict[str, Meaning] = {
    "INVALID_SESSION_ID": Meaning(TokenRefused, "check the API user's sign-in"),
    "INVALID_AUTH_HEADER": Meaning(TokenRefused, "check the API user's sign-in"),
    "SERVER_UNAVAILABLE": Meaning(RemoteUnavailable),
    "UNKNOWN_EXCEPTION": Meaning(RemoteUnavailable),
    "QUERY_TIMEOUT": Meaning(RemoteUnavailable),
    "REQUEST_RUNNING_TOO_LONG": Meaning(RemoteUnavailable),
    # The cursor of a query died: the query is simply asked again.
    "INVALID_QUERY_LOCATOR": Meaning(RemoteUnavailable),
    "PROCESSING_HALTED": Meaning(RemoteUnavailable),
    "TRANSACTION_HALTED": Meaning(RemoteUnavailable),
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Meaning(RemoteUnavailable),
    UNPROCESSED: Meaning(RemoteUnavailable),
    "UNABLE_TO_LOCK_ROW": Meaning(RowLocked),
    "ENTITY_IS_DELETED": Meaning(RecordGone),
    NOT_FOUND: Meaning(RecordGone),
    "DUPLICATE_VALUE": Meaning(RecordRejected),
    "DUPLICATES_DETECTED": Meaning(RecordRejected),
    "DUPLICATE_EXTERNAL_ID": Meaning(AmbiguousMatch),
    "INVALID_FIELD": Meaning(PermissionMissing, _PACKAGE),
    "INVALID_TYPE": Meaning(PermissionMissing, _PACKAGE),
    "INVALIDENTITY": Meaning(PermissionMissing, _PACKAGE),
    # A Bulk job on an object, or by a key field, that the org does not show us.
    "INVALIDJOB": Meaning(PermissionMissing, _PACKAGE),
    "INVALID_FIELD_FOR_INSERT_UPDATE": Meaning(PermissionMissing, _RIGHTS),
    "INSUFFICIENT_ACCESS": Meaning(PermissionMissing, _RIGHTS),
    "INSUFFICIENT_ACCESS_OR_READONLY": Meaning(PermissionMissing, _RIGHTS),
    "FUNCTIONALITY_NOT_ENABLED": Meaning(PermissionMissing, _API),
    "FEATURENOTENABLED": Meaning(PermissionMissing, _API),
    "API_DISABLED_FOR_ORG": Meaning(PermissionMissing, _API),
    "API_CURRENTLY_DISABLED": Meaning(PermissionMissing, _API),
    "STORAGE_LIMIT_EXCEEDED": Meaning(StopRun, "free or buy data storage in the org"),
    "LIMIT_EXCEEDED": Meaning(QuotaExhausted, "wait until the 24 hours have rolled on"),
    "EXCEEDEDQUOTA": Meaning(QuotaExhausted, "wait until the 24 hours have rolled on"),
    "UNSUPPORTED_API_VERSION": Meaning(
        ContractBroken, "set SYNC_SALESFORCE__API_VERSION to a version the org serves"
    ),
}
# Rows differ from calls in these alone; a row code in neither table is a refusal of
# that record (validation rules, triggers and hundreds of other codes).
ROWS: dict[str, Meaning] = {
    # In a row this is a parent's external id that matches nothing; a field that the
    # org lacks fails the whole call or job.
    "INVALID_FIELD": Meaning(RecordRejected),
    "INVALID_TYPE": Meaning(RecordRejected),
    "LIMIT_EXCEEDED": Meaning(RecordRejected),
}
STATUSES: dict[int, Meaning] = {
    300: Meaning(AmbiguousMatch),
    401: Meaning(TokenRefused, "check the API user's sign-in"),
    403: Meaning(PermissionMissing, _RIGHTS),
    406: Meaning(RemoteUnavailable),
    408: Meaning(RemoteUnavailable),
    410: CALLS["UNSUPPORTED_API_VERSION"],
    420: Meaning(RateLimited),
    429: Meaning(RateLimited),
}
_DAILY = Meaning(QuotaExhausted, "wait until the 24 hours have rolled on")


def family_of(code: str, detail: str = "") -> Family:
    """Return the family of a row's code; `detail` only tells the two limits apart."""
    if code == LIMIT:
        return _limit(detail).family
    known = ROWS.get(code) or CALLS.get(code)
    return known.family if known else RecordRejected


def meaning_of(status: int, code: str = "", message: str = "") -> Meaning:
    """Return what a refused call means: by code, else by status."""
    if code == LIMIT:
        return _limit(message)
    if code.upper() in CALLS:
        return CALLS[code.upper()]
    if status in STATUSES:
        return STATUSES[status]
    return Meaning(RemoteUnavailable if status >= 500 else ContractBroken)


def _limit(message: str) -> Meaning:
    # The one place where the vendor's text is read: the daily allowance and the
    # limit of calls at one time share code and status, and only the untranslated
    # name of the limit tells them apart ("ConcurrentRequests …",
    # "ConcurrentPerOrgLongTxn …", "TotalRequests …"). In doubt it is the daily one,
    # which stops instead of hammering.
    concurrent = message.lstrip().startswith("Concurrent")
    return Meaning(RateLimited) if concurrent else _DAILY


def refusal(
    status: int,
    body: bytes,
    operation: str,
    *,
    headers: Mapping[str, str] | None = None,
    subject: str = "",
) -> RemoteError:
    """
    Return the error that a refused call or part of a call means.

    `subject` is the object that the path named: where it is not found, it is missing
    or hidden from the API user, which a person can cure.
    """
    headers = headers or {}
    try:
        items = _items(body)
    except msgspec.ValidationError as error:
        items = []
        if status < 500 and status not in STATUSES:
            return ContractBroken(
                SERVICE, operation, status=status, detail=unknown(error)
            )
    item = items[0] if items else ErrorItem()
    meaning = meaning_of(status, item.code, item.message)
    fields = tuple(item.fields or _named(item.message))
    if item.code == NOT_FOUND and subject:
        meaning = Meaning(PermissionMissing, _PACKAGE)
    if meaning.family is PermissionMissing and not fields and subject:
        fields = (subject,)
    return meaning.family(
        SERVICE,
        operation,
        code=item.code,
        status=status,
        request_id=_request_id(headers),
        detail=meaning.cure or safe_detail(item.code, _short(item.message)),
        fields=fields,
        retry_after=retry_after(headers),
    )


def package_missing(operation: str, code: str, name: str) -> PermissionMissing:
    """Return the error for a field or object that the org lacks or hides."""
    return PermissionMissing(
        SERVICE, operation, code=code, detail=_PACKAGE, fields=(name,)
    )


def unreachable(operation: str, error: Exception) -> RemoteUnavailable:
    """Return the error for a call without an answer; only the error's kind is kept."""
    return RemoteUnavailable(SERVICE, operation, detail=type(error).__name__)


def _items(body: bytes) -> list[ErrorItem]:
    """Parse the error array; pages of HTML and empty bodies are no error items."""
    try:
        return msgspec.json.decode(body, type=list[ErrorItem])
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return []


# Names that the vendor quotes after these words: never a literal of the query.
_NAMES = re.compile(
    r"(?:[Cc]olumn|entity|sObject type|sobject of type|sObject) '([A-Za-z]\w{0,79})'"
)


def _named(message: str) -> list[str]:
    return list(dict.fromkeys(_NAMES.findall(message)))


def _short(message: str) -> str:
    # A query's error text begins with the statement itself, and so with its values.
    return "" if "\n" in message else message


def _request_id(headers: Mapping[str, str]) -> str:
    for name in ("X-SFDC-Request-Id", "X-Request-Id"):
        if value := headers.get(name):
            return value[:80]
    return ""


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After, in seconds or as a date; the org rarely sends it."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return timedelta(seconds=int(value))
    moment = _moment(value)
    return max(moment - clock.now(), timedelta(0)) if moment else None


_USAGE = re.compile(r"(?:^|[;,\s])api-usage=(\d+)/(\d+)")


def usage(headers: Mapping[str, str]) -> Usage | None:
    """Read the org's use of its daily calls; None where the answer does not say."""
    found = _USAGE.search(headers.get("Sforce-Limit-Info", ""))
    return Usage(int(found[1]), int(found[2])) if found else None


def server_time(headers: Mapping[str, str]) -> datetime | None:
    return _moment(headers.get("Date", ""))


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
