"""
What an answer means: one table from HTTP status and vendor code to an error family,
and what either envelope holds. Knows no records.
"""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from worker import clock
from worker.errors import (
    ContractBroken,
    PermissionMissing,
    RateLimited,
    RecordGone,
    RemoteError,
    RemoteUnavailable,
    TokenRefused,
)

if TYPE_CHECKING:
    from requests import Response

SERVICE = "aurora"
REDIRECTED = "a redirect instead of an answer; check the base URL"
# Codes of ours where the vendor has none.
HT_ACCESS = "ht_access"
HTML_PAGE = "html_page"

OK = 200
MULTIPLE_CHOICES = 300
BAD_REQUEST = 400
# The text is all there is: the number of this error is not published.
_BAD_QUERY = "invalid query syntax"


class SearchRefused(ContractBroken):
    """The search itself is not understood: its syntax, a field, or its list form."""


# Codes of both API versions; a code says more than the status it arrives with, and v1
# sends every error with HTTP 200.
_BY_CODE: dict[int, type[RemoteError]] = {
    101: RecordGone,
    203: PermissionMissing,
    301: TokenRefused,
    302: PermissionMissing,
    401: TokenRefused,
    403: TokenRefused,
    429: RateLimited,
    501: ContractBroken,
}
_BY_STATUS: dict[int, type[RemoteError]] = {
    400: SearchRefused,
    401: TokenRefused,
    403: TokenRefused,
    408: RemoteUnavailable,
    429: RateLimited,
    500: RemoteUnavailable,
    502: RemoteUnavailable,
    503: RemoteUnavailable,
    504: RemoteUnavailable,
}
_DETAILS: dict[type[RemoteError], str] = {
    SearchRefused: "the search was not understood: syntax, a field, or its list form",
    PermissionMissing: "the API user may not {operation}",
    TokenRefused: "the token or session key is not accepted",
}


# Stands for a part that an answer does not have.
_ABSENT = msgspec.Raw()


class _Problem(msgspec.Struct):
    code: int | str | None = None


class _Envelope(msgspec.Struct):
    """Both envelopes at once: `response` wraps all of it in v1, and in v2 by choice."""

    status: str | int | None = None
    message: msgspec.Raw = _ABSENT
    http_code: int | None = None
    http_code_2: int | None = msgspec.field(default=None, name="httpCode")
    status_code: int | None = msgspec.field(default=None, name="statusCode")
    data: msgspec.Raw = _ABSENT
    error: _Problem | None = None
    response: msgspec.Raw = _ABSENT


class _Told(NamedTuple):
    status: int
    code: int | str | None
    message: str
    is_html: bool = False


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_PROBLEM = msgspec.json.Decoder(_Problem)
_TEXT = msgspec.json.Decoder(str)


def payload(response: Response, operation: str) -> msgspec.Raw:
    """
    Return what the answer's envelope holds, still encoded.

    For v2 that is `data`, wrapped or not; for v1 the object under `response`. Raises
    the family of whatever is not a success, also when it came with HTTP 200.
    """
    if MULTIPLE_CHOICES <= response.status_code < BAD_REQUEST:
        raise _broken(operation, response.status_code, REDIRECTED)
    if response.status_code < BAD_REQUEST and _first(response) != b"<":
        envelope, inner = _opened(response.content, operation)
        if _succeeded(envelope):
            return envelope.data if envelope.data is not _ABSENT else inner
        raise _error(_told(response.status_code, envelope), response, operation)
    raise _error(_failure(response), response, operation)


def decode_error(
    operation: str, error: msgspec.DecodeError, inside: str = "$"
) -> ContractBroken:
    """Name the path of what was not understood; msgspec tells types, never values."""
    detail = str(error).replace("`$", f"`{inside}")
    # msgspec leaves the path out where it is the whole.
    where = "" if " - at `" in detail else f" - at `{inside}`"
    return _broken(operation, OK, f"{detail}{where}")


def _opened(body: bytes, operation: str) -> tuple[_Envelope, msgspec.Raw]:
    try:
        envelope = _ENVELOPE.decode(body)
        if envelope.response is not _ABSENT:
            return _ENVELOPE.decode(envelope.response), envelope.response
    except msgspec.DecodeError as error:
        raise decode_error(operation, error) from error
    return envelope, msgspec.Raw(body)


def _succeeded(envelope: _Envelope) -> bool:
    stated = envelope.http_code or envelope.http_code_2 or envelope.status_code or OK
    return envelope.status == "success" and stated < BAD_REQUEST


def _failure(response: Response) -> _Told:
    if _first(response) != b"{":
        return _Told(response.status_code, None, "", _first(response) == b"<")
    try:
        envelope, _ = _opened(response.content, "")
    except ContractBroken:
        return _Told(response.status_code, None, "")
    return _told(response.status_code, envelope)


def _first(response: Response) -> bytes:
    return response.content[:64].lstrip()[:1]


def _told(status: int, envelope: _Envelope) -> _Told:
    stated = envelope.http_code or envelope.http_code_2 or envelope.status_code
    if status < BAD_REQUEST and stated:
        status = stated
    code = envelope.error.code if envelope.error else _code(envelope.data)
    return _Told(status, code, _text(envelope.message))


def _code(data: msgspec.Raw) -> int | str | None:
    try:
        return _PROBLEM.decode(data).code
    except msgspec.DecodeError:
        return None


def _text(message: msgspec.Raw) -> str:
    try:
        return _TEXT.decode(message)
    except msgspec.DecodeError:
        return ""


def _error(told: _Told, response: Response, operation: str) -> RemoteError:
    if told.status == 401 and "basic" in _challenge(response):
        return TokenRefused(
            SERVICE,
            operation,
            code=HT_ACCESS,
            status=401,
            detail="HT-access asks for its own user and password",
        )
    family = _family(told)
    detail = _DETAILS.get(family, "").format(operation=operation)
    if told.is_html and family is ContractBroken:
        detail = "an HTML page instead of JSON; check base URL and API prefix"
    code = HTML_PAGE if told.is_html else str(told.code or "")
    return family(
        SERVICE,
        operation,
        code=code,
        status=told.status,
        detail=detail,
        retry_after=_retry_after(response),
    )


def _family(told: _Told) -> type[RemoteError]:
    if told.status == 429:
        return RateLimited
    if told.message.strip().lower().startswith(_BAD_QUERY):
        return SearchRefused
    by_code = _BY_CODE.get(told.code) if isinstance(told.code, int) else None
    return by_code or _BY_STATUS.get(told.status, ContractBroken)


def _challenge(response: Response) -> str:
    return response.headers.get("WWW-Authenticate", "").lower()


def _retry_after(response: Response) -> timedelta | None:
    stated = response.headers.get("Retry-After", "").strip()
    if stated.isdigit():
        return timedelta(seconds=int(stated))
    try:
        until = parsedate_to_datetime(stated) - clock.now()
    except (ValueError, TypeError):
        return None
    return max(until, timedelta(0))


def _broken(operation: str, status: int, detail: str) -> ContractBroken:
    return ContractBroken(SERVICE, operation, status=status, detail=detail)
