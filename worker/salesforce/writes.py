"""
Writing many records in few calls: Collections of 200 rows, five of them in one
composite request. Knows how their answers are told apart; decides no retry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from worker.errors import ContractBroken, RemoteError, StopRun
from worker.salesforce import payloads
from worker.salesforce.payloads import SERVICE, Request
from worker.salesforce.responses import refusal
from worker.salesforce.wire import Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.domain.records import RowResult
    from worker.salesforce.payloads import Part, Row
    from worker.salesforce.wire import Wire

# https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections.html
ROWS = 200
PARTS = 5
# A composite request counts as one call of the daily allowance.
ROWS_PER_CALL = ROWS * PARTS
# The default runs the org's assignment rules on each write, which changes owners.
_NO_ASSIGNMENT = {"Sforce-Auto-Assign": "FALSE"}
# An alert-only duplicate rule fails a save through the API; for Contacts our own
# matching has decided already, so what only alerts is let through. Rules that block
# still block.
_SAVE_DUPLICATES = {
    "Sforce-Duplicate-Rule-Header": (
        "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true"
    )
}
# The mark of a reference to another part. The org looks for it in every text of a
# composite request, so a member who typed it would break the call.
_REFERENCE = b"@{"


class Batch(NamedTuple):
    """Up to 200 rows as one request, and their keys in its order."""

    keys: Sequence[str]
    request: Request


def write_headers(object_name: str) -> dict[str, str]:
    extra = _SAVE_DUPLICATES if object_name == "Contact" else {}
    return {**_NO_ASSIGNMENT, **extra}


def upsert(
    wire: Wire, object_name: str, key_field: str, rows: Sequence[Row]
) -> list[RowResult]:
    keys = [_key(row, key_field) for row in rows]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a {key_field} comes twice among the rows")
    batches = [
        Batch(
            keys[start : start + ROWS],
            _save(object_name, key_field, rows[start : start + ROWS]),
        )
        for start in range(0, len(rows), ROWS)
    ]
    headers = write_headers(object_name)
    return _write(wire, batches, headers, f"upsert {object_name}", object_name)


def delete(wire: Wire, ids: Sequence[str]) -> list[RowResult]:
    batches = []
    for start in range(0, len(ids), ROWS):
        chunk = ids[start : start + ROWS]
        path = f"composite/sobjects?ids={','.join(chunk)}&allOrNone=false"
        batches.append(Batch(chunk, Request("DELETE", path)))
    return _write(wire, batches, _NO_ASSIGNMENT, "delete", "")


def _key(row: Row, key_field: str) -> str:
    key = row.get(key_field)
    if not isinstance(key, str) or not key:
        raise ValueError(f"a row has no {key_field}")
    return key


def _save(object_name: str, key_field: str, rows: Sequence[Row]) -> Request:
    # By record id an update, as documented: the upsert by `Id`, which was seen to
    # work too, would create a record where the id is missing.
    path = "composite/sobjects"
    if key_field != "Id":
        path += f"/{object_name}/{key_field}"
    body = payloads.encode(payloads.rows_body(object_name, rows))
    return Request("PATCH", path, msgspec.Raw(body))


def _write(
    wire: Wire,
    batches: Sequence[Batch],
    headers: Mapping[str, str],
    operation: str,
    subject: str,
) -> list[RowResult]:
    results: list[RowResult] = []
    for group in _groups(batches):
        if len(group) == 1:
            only = group[0]
            body = _direct(wire, only.request, headers, operation, subject)
            results += payloads.row_results(only.keys, body, operation)
            continue
        requests = [batch.request for batch in group]
        parts = composite(wire, requests, operation, headers)
        results += _settled(group, parts, operation, subject)
    return results


def _groups(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Put up to five batches into one call; what could be misread goes alone."""
    group: list[Batch] = []
    for batch in batches:
        body = batch.request.body
        if body is not None and _REFERENCE in bytes(body):
            if group:
                yield group
            yield [batch]
            group = []
            continue
        group.append(batch)
        if len(group) == PARTS:
            yield group
            group = []
    if group:
        yield group


def _direct(
    wire: Wire,
    request: Request,
    headers: Mapping[str, str],
    operation: str,
    subject: str,
) -> bytes:
    body = bytes(request.body) if request.body is not None else None
    call = Call(request.method, request.path, operation, body, headers, subject)
    return wire.send(call).content


def _settled(
    group: Sequence[Batch], parts: Sequence[Part], operation: str, subject: str
) -> list[RowResult]:
    """
    Return the rows' results; a part that failed as a whole gives its code to its rows.

    Raises where nothing further can succeed, and where every part failed.
    """
    results: list[RowResult] = []
    failed: list[RemoteError] = []
    for batch, part in zip(group, parts, strict=True):
        if part.httpStatusCode < 300:
            results += payloads.row_results(batch.keys, part.body, operation)
            continue
        error = refusal(
            part.httpStatusCode, bytes(part.body), operation, subject=subject
        )
        if isinstance(error, StopRun):
            raise error
        failed.append(error)
        code = error.code or f"HTTP_{part.httpStatusCode}"
        results += [
            payloads.refused_row(key, code, error.detail, error.fields)
            for key in batch.keys
        ]
    if len(failed) == len(group):
        raise failed[0]
    return results


def composite(
    wire: Wire,
    requests: Sequence[Request],
    operation: str,
    headers: Mapping[str, str],
) -> list[Part]:
    """Send parts in one call and return their answers in the order of `requests`."""
    body = payloads.composite_body(requests, wire.root, headers)
    answer = wire.send(Call("POST", "composite", operation, body, headers))
    parts = payloads.decode(payloads.CompositeAnswer, answer.content, operation)
    by_name = {part.referenceId: part for part in parts.compositeResponse}
    try:
        return [by_name[f"part{number}"] for number in range(len(requests))]
    except KeyError as missing:
        detail = f"no answer to {missing.args[0]} - at `$.compositeResponse`"
        raise ContractBroken(SERVICE, operation, detail=detail) from missing
