"""
The vendor's envelopes: API v2's JSON, API v1's tree as XML or JSON, and HTML pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from worker.sandbox.aurora.errors import Refusal
    from worker.sandbox.aurora.switches import Switches

JSON = "application/json;charset=UTF-8"
XML = "application/xml;charset=UTF-8"
HTML = "text/html;charset=UTF-8"


def as_json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type=JSON)


def success(data: object, switches: Switches) -> Response:
    body: dict[str, Any] = {"status": "success", "message": "", "http_code": 200}
    if not switches.http_code_in_body:
        del body["http_code"]
    return as_json({**body, "data": data, "metadata": {}})


def refusal(error: Refusal, switches: Switches, *, always_ok: bool = False) -> Response:
    body: dict[str, Any] = {
        "status": "error",
        "message": error.message,
        "http_code": error.status,
        "data": {
            "type": "error_data",
            "code": error.code,
            "developer_message": error.details,
            "more_info": "",
        },
        "metadata": {},
    }
    if not switches.http_code_in_body:
        del body["http_code"]
    ok = always_ok or (switches.errors_are_http_200 and error.status != 429)
    answer = as_json(body, 200 if ok else error.status)
    if error.status == 429:
        answer.headers["Retry-After"] = "0"
    return answer


def tokens(data: dict[str, object], switches: Switches) -> Response:
    """Both envelopes are in the vendor's own clients; a switch picks one."""
    if switches.token_envelope_is_wrapped:
        inner = {"httpCode": 200, "status": "success", "message": "OK", "data": data}
        return as_json({"response": inner})
    return as_json(
        {"status": "success", "message": "OK", "http_code": 200, "data": data}
    )


def html_page(status: int, title: str, description: str) -> Response:
    """The servlet container's error page, on one line as it writes it."""
    heading = f"HTTP Status {status} - {escape(title)}"
    return Response(
        f"<html><head><title>Error report</title></head><body><h1>{heading}</h1>"
        "<HR size='1' noshade='noshade'><p><b>type</b> Status report</p>"
        f"<p><b>message</b> <u>{escape(title)}</u></p>"
        f"<p><b>description</b> <u>{escape(description)}</u></p></body></html>",
        status,
        media_type=HTML,
    )


@dataclass(slots=True)
class Node:
    """An element of API v1: a typed value, or children, or several of one name."""

    tag: str
    type: str = ""
    value: object = None
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    # Children of one tag that JSON writes as a list under that tag.
    listed: str = ""

    def xml(self) -> str:
        named = {**self.attributes, **({"type": self.type} if self.type else {})}
        attributes = "".join(
            f' {name}="{escape(str(value))}"' for name, value in named.items()
        )
        inner = "".join(child.xml() for child in self.children)
        if self.value is not None:
            inner = escape(_text(self.value), quote=False)
        if not inner:
            return f"<{self.tag}{attributes}/>"
        return f"<{self.tag}{attributes}>{inner}</{self.tag}>"

    def json(self) -> dict[str, Any]:
        answer: dict[str, Any] = dict(self.attributes)
        if self.type:
            answer["type"] = self.type
        if self.value is not None:
            answer["$"] = self.value
        if self.listed:
            answer[self.listed] = [child.json() for child in self.children]
        else:
            answer.update({child.tag: child.json() for child in self.children})
        return answer


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def legacy(node: Node, *, wants_json: bool) -> Response:
    if wants_json:
        return as_json({"response": {"status": "success", node.tag: node.json()}})
    return _xml("success", node.xml())


def legacy_done(*, wants_json: bool) -> Response:
    if wants_json:
        return as_json({"response": {"status": "success"}})
    return _xml("success", "")


def legacy_error(code: int, message: str, *, wants_json: bool) -> Response:
    """API v1 says no with HTTP 200."""
    if wants_json:
        error = {"code": code, "message": message}
        return as_json({"response": {"status": "error", "error": error}})
    inner = f'<error code="{code}"><message>{escape(message)}</message></error>'
    return _xml("error", inner)


def _xml(status: str, inner: str) -> Response:
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<response status="{status}">{inner}'
        "</response>",
        media_type=XML,
    )
