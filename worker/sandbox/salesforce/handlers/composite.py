"""Composite and batch: several calls in one, with references between them."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from worker.sandbox.salesforce.errors import Refused, RequestRefused
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.transactions import Transaction

Part = dict[str, object]

_LIMIT = 25
_HEAVY_LIMIT = 5
_HEAVY = frozenset({"query", "collections"})
_REFERENCE = re.compile(r"@\{([^}]*)\}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_HALTED = [
    {
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the "
        "same transaction failed.",
    }
]


def composite(call: Call) -> Answer:
    """Answer all parts in order; with allOrNone one failure undoes the others."""
    body = call.json_object()
    parts = _parts(body, "compositeRequest")
    _check(parts)
    all_or_none = body.get("allOrNone") is True
    answers: dict[str, Answer] = {}
    with Transaction(call.services.org) as whole:
        for part in parts:
            name = str(part["referenceId"])
            answers[name] = _run(call, part, answers)
            if all_or_none and answers[name].status >= 400:
                whole.call_off()
                _halt(parts, answers, name)
                break
    return Answer(
        200, {"compositeResponse": [_shown(n, a) for n, a in answers.items()]}
    )


def _parts(body: Part, name: str) -> list[Part]:
    parts = body.get(name)
    if not isinstance(parts, list) or not parts:
        raise RequestRefused("JSON_PARSER_ERROR", f"{name} must be a list of requests")
    if len(parts) > _LIMIT:
        raise RequestRefused(
            "INVALID_BATCH_REQUEST",
            f"The number of subrequests exceeds the limit of {_LIMIT}",
        )
    return parts


def _check(parts: list[Part]) -> None:
    names = [part.get("referenceId") for part in parts]
    if not all(isinstance(name, str) and name for name in names):
        raise RequestRefused(
            "JSON_PARSER_ERROR", "referenceId is required for each subrequest"
        )
    if len(set(map(str, names))) != len(names):
        raise RequestRefused("INVALID_INPUT", "Duplicate referenceId provided")
    heavy = sum(1 for part in parts if _kind(str(part.get("url"))) in _HEAVY)
    if heavy > _HEAVY_LIMIT:
        raise RequestRefused(
            "INVALID_INPUT",
            "At most 5 subrequests may be queries or sObject Collections",
        )


def _kind(url: str) -> str:
    path = urlsplit(url).path
    if re.search(r"/composite/sobjects(/|$)", path):
        return "collections"
    return "query" if re.search(r"/query(All)?(/|$)", path) else "other"


def _run(call: Call, part: Part, answers: Mapping[str, Answer]) -> Answer:
    try:
        filled = _fill(part, answers)
    except Refused as refused:
        return Answer(refused.status, refused.rest_body())
    body = filled.get("body") if isinstance(filled, dict) else None
    return _dispatch(call, filled, body=body)


def _dispatch(call: Call, part: object, *, body: object) -> Answer:
    """Answer one part as if it had come alone, under the session of the whole."""
    from worker.sandbox.salesforce.front import (  # noqa: PLC0415 - the door leads here
        answer_to,
        check_version,
        refusal,
    )
    from worker.sandbox.salesforce.urls import match, split  # noqa: PLC0415 - the same

    told: Part = part if isinstance(part, dict) else {}
    method, url = str(told.get("method", "GET")).upper(), str(told.get("url", ""))
    address = urlsplit(url if url.startswith("/") else f"/services/data/{url}")
    segments = split(address.path)
    inner = Call(
        call.services,
        method,
        "/" + "/".join(segments),
        address.query,
        _headers(call, told),
        msgspec.json.encode(body) if body is not None else b"",
        call.base_url,
        user_id=call.user_id,
        is_part=True,
    )
    try:
        check_version(segments)
        found = match(method, segments)
        inner.params = found.params
        if found.url is None or segments[:2] != ["services", "data"]:
            raise RequestRefused(
                "NOT_FOUND", "The requested resource does not exist", status=404
            )
        return answer_to(inner, found)
    except Refused as refused:
        return refusal(refused)


def _headers(call: Call, part: Part) -> dict[str, str]:
    """The headers of the whole that carry meaning, then the part's own."""
    kept = {n: v for n, v in call.headers.items() if n.startswith("sforce-")}
    own = part.get("httpHeaders")
    if isinstance(own, dict):
        kept |= {str(name).lower(): str(value) for name, value in own.items()}
    return kept | {"content-type": "application/json"}


def _halt(parts: list[Part], answers: dict[str, Answer], failed: str) -> None:
    for part in parts:
        name = str(part["referenceId"])
        if name != failed:
            answers[name] = Answer(400, _HALTED)


def _shown(name: str, answer: Answer) -> Part:
    headers = {n: v for n, v in answer.headers.items() if n == "Last-Modified"}
    body = answer.body
    if answer.status == 201 and isinstance(body, dict) and "id" in body:
        headers["Location"] = f"/services/data/sobjects/{body['id']}"
    return {
        "body": body,
        "httpHeaders": headers,
        "httpStatusCode": answer.status,
        "referenceId": name,
    }


# References


def _fill(value: object, answers: Mapping[str, Answer]) -> object:
    if isinstance(value, dict):
        return {key: _fill(item, answers) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, answers) for item in value]
    if not isinstance(value, str) or "@{" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None:
        return _resolve(whole[1], answers)
    return _REFERENCE.sub(lambda found: str(_resolve(found[1], answers)), value)


def _resolve(path: str, answers: Mapping[str, Answer]) -> object:
    steps = [name or int(index) for name, index in _STEP.findall(path)]
    answer = answers.get(str(steps[0])) if steps else None
    value: object = answer.body if answer and answer.status < 400 else None
    for step in steps[1:]:
        try:
            value = value[step]  # type: ignore[index] # a wrong path is refused below
        except (KeyError, IndexError, TypeError):
            value = None
    if value is None:
        raise RequestRefused(
            "PROCESSING_HALTED",
            f"Invalid reference specified. No value for {path} found",
        )
    return value


# Batch


def batch(call: Call) -> Answer:
    """Answer independent parts; every part beyond the first counts on its own."""
    body = call.json_object()
    parts = _parts(body, "batchRequests")
    halt = body.get("haltOnError") is True
    call.services.org.usage.count("batch", call.method, len(parts) - 1)
    results: list[Part] = []
    failed = False
    for part in parts:
        if failed and halt:
            answer = Answer(412, _HALTED)
        else:
            answer = _dispatch(call, part, body=part.get("richInput"))
        failed = failed or answer.status >= 400
        results.append({"statusCode": answer.status, "result": answer.body})
    return Answer(200, {"hasErrors": failed, "results": results})
