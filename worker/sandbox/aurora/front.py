"""
What stands before the APIs: prefixes, stage password, latency, rate limit, faults.
Below it a request looks as if the community were served at the root.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from worker.sandbox.aurora import answers
from worker.sandbox.aurora.desk import basic
from worker.sandbox.aurora.errors import TooMany, Unauthenticated
from worker.sandbox.aurora.faults import AROUND, Fault

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.sessions import Sessions

CONTROL = "/_sandbox"
DROP = "sandbox.drop"


class Front:
    def __init__(
        self,
        community: Community,
        sessions: Sessions,
        *,
        apis: ASGIApp,
        control: ASGIApp,
        prefixes: tuple[str, ...],
    ) -> None:
        self._community = community
        self._sessions = sessions
        self._apis = apis
        self.control = control
        # Longest first: /t5/s/demo before /t5/s.
        self._prefixes = sorted(prefixes, key=len, reverse=True)
        self._calls = 0
        self._bucket = Bucket()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/") or "/"
        if path == CONTROL or path.startswith(f"{CONTROL}/"):
            await self.control({**scope, "path": path}, receive, send)
            return
        await self._meter({**scope, "path": self._stripped(path)}, receive, send)

    def _stripped(self, path: str) -> str:
        for prefix in self._prefixes:
            if path.startswith(f"{prefix}/"):
                return path[len(prefix) :]
        # Without a prefix only where the site routes it; elsewhere nobody answers.
        return path if self._community.switches.unprefixed_paths else "/nowhere"

    async def _meter(self, scope: Scope, receive: Receive, send: Send) -> None:
        switches = self._community.switches
        if switches.latency_ms:
            await asyncio.sleep(switches.latency_ms / 1000)

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._community.calls.by_status[message["status"]] += 1
            await send(message)

        refused = self._refused(Request(scope))
        if refused is not None:
            await refused(scope, receive, counted)
            return
        await self._with_faults(scope, receive, counted)

    def _refused(self, request: Request) -> Response | None:
        switches = self._community.switches
        if switches.ht_access and basic(request) != switches.ht_access:
            answer = answers.html_page(
                401, "Unauthorized", "This stage has a password."
            )
            answer.headers["WWW-Authenticate"] = 'Basic realm="stage"'
            return answer
        self._calls += 1
        every = switches.too_many_every
        full = not self._bucket.admits(switches.requests_per_second)
        if full or (every and self._calls % every == 0):
            return self._too_many()
        return None

    def _too_many(self, retry_after: str = "0") -> Response:
        self._community.calls.by_kind["too_many"] += 1
        answer = answers.refusal(TooMany(), self._community.switches)
        answer.headers["Retry-After"] = retry_after
        return answer

    async def _with_faults(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        for fault in self._community.faults.take(method, path, AROUND):
            if fault.kind == "slow":
                await asyncio.sleep(fault.ms / 1000)
            elif fault.kind == "expire_sessions":
                self._sessions.expire_all()
            else:
                self._community.calls.by_kind[f"fault.{fault.kind}"] += 1
                await self._fault(fault, scope, receive, send)
                return
        await self._apis(scope, receive, send)

    async def _fault(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if fault.kind in {"drop_after", "error_after", "truncated"}:
            body = await self._done_in_silence(scope, receive)
            if fault.kind == "truncated":
                await _truncate(body, send)
        if fault.kind in {"drop_before", "drop_after"}:
            await _drop(scope, send)
        elif fault.kind != "truncated":
            await self._answer(fault)(scope, receive, send)

    def _answer(self, fault: Fault) -> Response:
        switches = self._community.switches
        if fault.kind == "too_many":
            return self._too_many(fault.retry_after)
        if fault.kind == "unauthorized":
            return answers.refusal(Unauthenticated("Invalid access token"), switches)
        if fault.kind == "garbled":
            return Response('{"status": "success", "da', media_type=answers.JSON)
        return _status(fault.status or 500, fault.body)

    async def _done_in_silence(self, scope: Scope, receive: Receive) -> bytes:
        """Let the API do its work and keep the answer back."""
        parts: list[bytes] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            parts.append(message.get("body", b""))

        await self._apis(scope, receive, keep)
        return b"".join(parts)


class Bucket:
    """Lets `rate` calls a second through, and a second's worth at once."""

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0

    def admits(self, rate: float) -> bool:
        if rate <= 0:
            return True
        # The machine's clock: clients wait real seconds, whatever the community's says.
        now = time.monotonic()
        self._level = max(0.0, self._level - (now - self._at) * rate)
        self._at = now
        if self._level + 1 > max(rate, 1):
            return False
        self._level += 1
        return True


def _status(status: int, body: str) -> Response:
    if body == "empty":
        return Response(b"", status)
    if body == "text":
        return Response("upstream connect error", status, media_type="text/plain")
    if body == "json":
        # As the gateway writes it: neither of the vendor's envelopes.
        gateway = {"statusCode": status, "status": "error", "message": "Gateway error"}
        return answers.as_json(gateway, status)
    if body == "v1":
        return answers.legacy_error(100, "Unexpected error", wants_json=True)
    return answers.html_page(status, "Error", "Something went wrong.")


async def _drop(scope: Scope, send: Send) -> None:
    drop = (scope.get("extensions") or {}).get(DROP)
    if drop is not None:
        await drop()
        return
    await _truncate(b"", send)


async def _truncate(body: bytes, send: Send) -> None:
    """Promise more than is sent; the server then closes the connection."""
    length = str(len(body) + 1).encode()
    headers = [(b"content-type", answers.JSON.encode()), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    half = body[: len(body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
