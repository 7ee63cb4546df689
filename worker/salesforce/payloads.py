"""
Vendor JSON to and from our records. Knows the keys of Salesforce's answers and
bodies; knows nothing of HTTP, and of errors only that an unknown shape is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from worker.domain.records import (
    Contact,
    DescribedField,
    DescribedObject,
    RowResult,
    Usage,
)
from worker.errors import ContractBroken

SERVICE = "salesforce"
# What a row may hold: a scalar, or a parent named by its external id.
JsonValue = str | int | float | bool | None | Mapping[str, object]
Row = Mapping[str, JsonValue]

# Codes whose texts repeat the member's own value: the code and fields must do.
_TELLTALE = frozenset(
    {
        "STRING_TOO_LONG",
        "INVALID_EMAIL_ADDRESS",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "JSON_PARSER_ERROR",
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        "NUMBER_OUTSIDE_VALID_RANGE",
    }
)
_EMAIL = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]+")
_DETAIL_LENGTH = 255

T = TypeVar("T")


class ErrorItem(msgspec.Struct):
    """One entry of the error array; rows say `statusCode` where calls say the other."""

    message: str = ""
    errorCode: str = ""  # noqa: N815 -- the vendor's key
    statusCode: str = ""  # noqa: N815 -- the vendor's key
    fields: list[str] | None = None

    @property
    def code(self) -> str:
        return self.errorCode or self.statusCode


class OAuthError(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class TokenAnswer(msgspec.Struct):
    access_token: str
    instance_url: str
    # https://<login host>/id/<org id>/<user id>
    id: str = ""


class UserInfo(msgspec.Struct):
    user_id: str
    organization_id: str


class ContactRow(msgspec.Struct):
    Id: str
    Email: str | None = None
    IsDeleted: bool = False
    MasterRecordId: str | None = None

    def record(self) -> Contact:
        return Contact(self.Id, self.Email, self.IsDeleted, self.MasterRecordId)


class KeyedContactRow(msgspec.Struct):
    Id: str
    Community_Member_Key__c: str | None = None


class CommunityUserRow(msgspec.Struct):
    Id: str
    Community_User_Key__c: str
    Contact__c: str | None = None

    def record(self) -> CommunityUserRef:
        return CommunityUserRef(self.Id, self.Community_User_Key__c, self.Contact__c)


class CommunityUserRef(NamedTuple):
    """A Community User as the org has it: its record, its key, its Contact."""

    record_id: str
    key: str
    contact_id: str | None


class OrganizationRow(msgspec.Struct):
    Id: str


class Page(msgspec.Struct):
    """One page of a query; the records stay raw until their type is known."""

    done: bool
    records: msgspec.Raw
    totalSize: int  # noqa: N815 -- the vendor's key
    nextRecordsUrl: str | None = None  # noqa: N815 -- the vendor's key


class SaveResult(msgspec.Struct):
    success: bool
    errors: list[ErrorItem]
    id: str | None = None
    # Absent from the answers of create, update and delete.
    created: bool = False


class Part(msgspec.Struct):
    """The answer to one part of a composite request."""

    body: msgspec.Raw
    httpStatusCode: int  # noqa: N815 -- the vendor's key
    referenceId: str  # noqa: N815 -- the vendor's key


class CompositeAnswer(msgspec.Struct):
    compositeResponse: list[Part]  # noqa: N815 -- the vendor's key


class Allowance(msgspec.Struct):
    Max: int
    Remaining: int


class LimitsAnswer(msgspec.Struct):
    DailyApiRequests: Allowance

    def usage(self) -> Usage:
        daily = self.DailyApiRequests
        return Usage(used=daily.Max - daily.Remaining, allowed=daily.Max)


class ObjectCount(msgspec.Struct):
    name: str
    count: int


class RecordCounts(msgspec.Struct):
    sObjects: list[ObjectCount]  # noqa: N815 -- the vendor's key


class PicklistValue(msgspec.Struct):
    value: str
    active: bool = True


class FieldAnswer(msgspec.Struct, rename="camel"):
    name: str
    type: str
    length: int
    precision: int
    scale: int
    nillable: bool
    createable: bool
    updateable: bool
    unique: bool
    external_id: bool
    restricted_picklist: bool = False
    picklist_values: list[PicklistValue] | None = None

    def record(self) -> DescribedField:
        values = self.picklist_values or []
        return DescribedField(
            name=self.name,
            type=self.type,
            length=self.length,
            precision=self.precision,
            scale=self.scale,
            nillable=self.nillable,
            createable=self.createable,
            updateable=self.updateable,
            unique=self.unique,
            external_id=self.external_id,
            restricted_picklist=self.restricted_picklist,
            picklist=tuple(item.value for item in values if item.active),
        )


class DescribeAnswer(msgspec.Struct):
    name: str
    createable: bool
    updateable: bool
    deletable: bool
    queryable: bool
    fields: list[FieldAnswer]

    def record(self) -> DescribedObject:
        return DescribedObject(
            name=self.name,
            createable=self.createable,
            updateable=self.updateable,
            deletable=self.deletable,
            queryable=self.queryable,
            fields={item.name: item.record() for item in self.fields},
        )


class JobAnswer(msgspec.Struct, rename="camel"):
    """A Bulk job; the counts are absent until the org has begun."""

    id: str
    state: str
    operation: str = ""
    external_id_field_name: str | None = None
    number_records_processed: int = 0
    number_records_failed: int = 0
    error_message: str | None = None


def decode(kind: type[T], body: bytes | msgspec.Raw, operation: str) -> T:
    """Decode `body` as `kind`; an unknown shape is ContractBroken with its path."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ContractBroken(SERVICE, operation, detail=unknown(error)) from error


def unknown(error: msgspec.DecodeError) -> str:
    """Say what was not understood, and where: types and places, never values."""
    text = str(error)
    return text if "`$" in text else f"{text} - at `$`"


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def rows_body(object_name: str, rows: Sequence[Row]) -> dict[str, object]:
    """Build the body of a Collections call; each good row is saved on its own."""
    kind = {"type": object_name}
    records = [{"attributes": kind, **row} for row in rows]
    return {"allOrNone": False, "records": records}


class Request(NamedTuple):
    """One part of a composite request; `body` is encoded already."""

    method: Literal["GET", "PATCH", "DELETE"]
    path: str
    body: msgspec.Raw | None = None


def composite_body(
    requests: Sequence[Request], root: str, headers: Mapping[str, str]
) -> bytes:
    """
    Build a composite request whose parts stand or fall alone.

    Parts inherit only Accept, Authorization and Content-Type from the whole: every
    other header has to be said again in each part.
    """
    parts = []
    for number, request in enumerate(requests):
        part: dict[str, object] = {
            "method": request.method,
            "url": f"{root}{request.path}",
            "referenceId": f"part{number}",
            "httpHeaders": headers,
        }
        if request.body is not None:
            part["body"] = request.body
        parts.append(part)
    return encode({"allOrNone": False, "compositeRequest": parts})


def query_path(query: str) -> str:
    return f"query?q={quote(query, safe='')}"


def job_body(object_name: str, operation: str, key_field: str | None) -> bytes:
    # CRLF, because csv.writer quotes a lone CR or LF inside a value only if the
    # character is part of its line end.
    body = {
        "object": object_name,
        "operation": operation,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "CRLF",
    }
    if key_field is not None:
        body["externalIdFieldName"] = key_field
    return encode(body)


def query_job_body(query: str) -> bytes:
    return encode({"operation": "query", "query": query})


def job_state_body(state: str) -> bytes:
    return encode({"state": state})


def row_results(
    keys: Iterable[str], body: bytes | msgspec.Raw, operation: str
) -> list[RowResult]:
    """Pair the answers of a Collections call with the keys, which are in its order."""
    answers = decode(list[SaveResult], body, operation)
    try:
        return [
            _row_result(key, answer) for key, answer in zip(keys, answers, strict=True)
        ]
    except ValueError as error:
        detail = f"{len(answers)} results do not match the rows - at `$`"
        raise ContractBroken(SERVICE, operation, detail=detail) from error


def _row_result(key: str, answer: SaveResult) -> RowResult:
    if answer.success:
        return RowResult(key, answer.id, answer.created)
    error = answer.errors[0] if answer.errors else ErrorItem(statusCode="UNKNOWN")
    return refused_row(key, error.code, error.message, error.fields or ())


def refused_row(
    key: str,
    code: str,
    message: str,
    fields: Sequence[str] = (),
    record_id: str | None = None,
) -> RowResult:
    return RowResult(
        key=key,
        record_id=record_id,
        created=False,
        code=code or "UNKNOWN",
        detail=safe_detail(code, message),
        fields=tuple(fields),
    )


def safe_detail(code: str, message: str) -> str:
    """Return the vendor's text where it can help, without what a member typed."""
    if code in _TELLTALE:
        return ""
    return _EMAIL.sub("<e-mail>", message)[:_DETAIL_LENGTH]


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def long_id(value: str) -> str:
    """Return the 18-character form of a record id; anything else is left alone."""
    if len(value) != 15:
        return value
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << i for i in range(5) if "A" <= value[start + i] <= "Z")
        suffix += _ALPHABET[bits]
    return value + suffix


def contact(cells: Sequence[str]) -> Contact:
    """Read a row of a query job: Id, Email."""
    return Contact(cells[0], cells[1] or None)


def community_user(cells: Sequence[str]) -> CommunityUserRef:
    """Read a row of a query job: Id, key, Contact."""
    return CommunityUserRef(cells[0], cells[1], cells[2] or None)
