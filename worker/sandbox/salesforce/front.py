"""
The ASGI door: reads a call, lets faults strike, checks session and quota, answers.

Calls are answered one after another on the server's loop, so a call sees a whole
org; waiting (latency faults) never holds up the others.
"""

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import format_datetime
from typing import Any

from worker.sandbox.salesforce.errors import (
    NotEmulated,
    Refused,
    RequestRefused,
    not_found,
    session_refused,
)
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.faults import Fault
from worker.sandbox.salesforce.handlers.discovery import NEWEST, OLDEST
from worker.sandbox.salesforce.services import Services
from worker.sandbox.salesforce.urls import Match, match, split

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DROP = "sandbox.drop"
_VERSION = re.compile(r"v(\d{2})\.0")
_LONGEST_URL = 16_384
_LARGEST_BODY = 150_000_000
_HTML = (
    "<html><head><title>Service Unavailable</title></head><body><h1>We are down for "
    "maintenance.</h1><p>Sorry for the inconvenience.</p></body></html>"
)
_QUOTA_GONE = RequestRefused(
    "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403
)

_TOO_LARGE = RequestRefused(
    "REQUEST_ENTITY_TOO_LARGE", "The request is larger than 150 MB", status=413
)


class Front:
    """The ASGI application of one sandbox."""

    def __init__(self, services: Services, *, latency_ms: int = 0) -> None:
        self._services = services
        self._latency_s = latency_ms / 1000

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        call = _call(self._services, scope, body or b"")
        if body is None:
            await _reply(call, refusal(_TOO_LARGE), send)
            return
        if call.path.startswith("/_sandbox"):
            await _reply(call, self._answer(call), send)
            return
        faults = self._services.org.faults
        delay = self._latency_s + faults.delay_s(call.method, call.path)
        if delay:
            await asyncio.sleep(delay)
        if faults.strike(("drop_before_commit",), call.method, call.path):
            await _hang_up(scope)
            return
        answer = self._struck(call) or self._answer(call)
        if faults.strike(("drop_after_commit",), call.method, call.path):
            await _hang_up(scope)
            return
        await _reply(call, answer, send)

    # Faults

    def _struck(self, call: Call) -> Answer | None:
        org = self._services.org
        if org.faults.strike(("expire_sessions",), call.method, call.path):
            self._services.identity.expire_all()
        kinds = ("status", "html_error", "quota_gone")
        fault = org.faults.strike(kinds, call.method, call.path)
        if fault is None:
            return None
        org.usage.count("fault", call.method)
        return _fault_answer(fault)

    # Answers

    def _answer(self, call: Call) -> Answer:
        with self._services.org.lock:
            try:
                return self._dispatch(call)
            except Refused as refused:
                return refusal(refused)

    def _dispatch(self, call: Call) -> Answer:
        if len(call.path) + len(call.query_string) > _LONGEST_URL:
            raise RequestRefused("URI_TOO_LONG", "The URI is too long", status=414)
        found = match(call.method, split(call.path))
        check_version(split(call.path))
        if found.url is None:
            raise _no_such_address(self._services, call, found)
        call.params = found.params
        if found.url.session:
            call.user_id = self._user_of(call)
        if found.url.metered:
            self._meter(call, found.url.kind)
        else:
            self._services.org.usage.unmetered[found.url.kind] += 1
        return answer_to(call, found)

    def _meter(self, call: Call, kind: str) -> None:
        usage = self._services.org.usage
        if usage.remaining == 0:
            raise _QUOTA_GONE
        usage.count(kind, call.method)

    def _user_of(self, call: Call) -> str:
        return user_of(self._services, call)


def user_of(services: Services, call: Call) -> str:
    """Return whose session the call carries."""
    forever = ("unauthorized_forever",)
    if services.org.faults.strike(forever, call.method, call.path):
        raise session_refused()
    kind, _, token = call.header("authorization").partition(" ")
    if kind.lower() not in ("bearer", "oauth"):
        raise session_refused()
    return services.identity.user_of(token.strip())


def answer_to(call: Call, found: Match) -> Answer:
    """Hand a matched call to its handler."""
    url = found.url
    if url is None or url.handler is None:
        raise NotEmulated(url.feature if url else call.path)
    if url.media == "json" and call.body and call.method in ("POST", "PATCH", "PUT"):
        check_media(call)
    return url.handler(call)


def check_media(call: Call) -> None:
    media = call.header("content-type").partition(";")[0].strip().lower()
    if media != "application/json":
        raise RequestRefused(
            "UNSUPPORTED_MEDIA_TYPE",
            "Content-Type header specified in HTTP request is not supported: "
            f"{media or 'none'}",
            status=415,
        )


def check_version(parts: list[str]) -> None:
    """Refuse versions that are gone or not yet there, as /services/data lists them."""
    if parts[:2] != ["services", "data"] or len(parts) < 3:
        return
    found = _VERSION.fullmatch(parts[2])
    if found is None or int(found[1]) > NEWEST:
        raise not_found()
    if int(found[1]) < OLDEST:
        raise RequestRefused(
            "UNSUPPORTED_API_VERSION",
            f"The API version {parts[2]} is retired",
            status=410,
        )


def _no_such_address(services: Services, call: Call, found: Match) -> RequestRefused:
    user_of(services, call)
    if found.allowed:
        return RequestRefused(
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{call.method}' not allowed. Allowed are "
            f"{','.join(sorted(set(found.allowed)))}",
            status=405,
        )
    return not_found()


def refusal(refused: Refused) -> Answer:
    headers = {"WWW-Authenticate": "Token"} if refused.status == 401 else {}
    return Answer(refused.status, refused.rest_body(), headers=headers)


def _fault_answer(fault: Fault) -> Answer:
    if fault.kind == "quota_gone":
        return refusal(_QUOTA_GONE)
    if fault.kind == "html_error":
        status = fault.status if fault.status != 503 else 500
        return Answer(status, _HTML, "text/html; charset=UTF-8")
    match fault.body:
        case "empty":
            return Answer(fault.status, b"", "text/plain")
        case "json":
            body = [{"errorCode": "SERVER_UNAVAILABLE", "message": "Service busy"}]
            return Answer(fault.status, body)
        case "html":
            return Answer(fault.status, _HTML, "text/html; charset=UTF-8")
        case text:
            return Answer(fault.status, text, "text/plain")


# The wire


def _call(services: Services, scope: Message, body: bytes) -> Call:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope["headers"]
    }
    if headers.get("content-encoding", "").lower() == "gzip":
        body = gzip.decompress(body)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    host = headers.get("host", "localhost")
    return Call(
        services,
        scope["method"],
        "/" + "/".join(split(raw_path.decode("latin-1"))),
        scope["query_string"].decode("latin-1"),
        headers,
        body,
        f"{scope.get('scheme', 'http')}://{host}",
    )


async def _read(receive: Receive) -> bytes | None:
    """Read the body to its end; None when it is larger than the vendor takes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= _LARGEST_BODY:
            chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks) if size <= _LARGEST_BODY else None


async def _reply(call: Call, answer: Answer, send: Send) -> None:
    usage = call.services.org.usage
    body = answer.encoded()
    headers = {
        "Content-Type": answer.media,
        "Content-Length": str(len(body)),
        "Date": format_datetime(call.services.org.clock.now(), usegmt=True),
        **answer.headers,
    }
    if call.path.startswith("/services/data/") and answer.status != 401:
        headers["Sforce-Limit-Info"] = f"api-usage={usage.used}/{usage.allowed}"
    if answer.status in (204, 304):
        del headers["Content-Type"], headers["Content-Length"]
        body = b""
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _hang_up(scope: Message) -> None:
    """Close the connection without an answer, by the server's own extension."""
    drop = scope.get("extensions", {}).get(DROP)
    if drop is None:
        raise RuntimeError("this server cannot hang up; use worker.sandbox.server")
    await drop()
