"""Who may call the admin endpoint, and the headers that keep browsers careful."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from worker.admin.problems import Refused

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from starlette.types import ASGIApp, Receive, Scope, Send

_bearer = HTTPBearer(auto_error=False, description="SYNC_ADMIN__TOKEN")

# No page of ours frames, sniffs, sends referrers, or is kept by a proxy.
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


def bearer(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """Let a call pass that carries the admin token; compared in constant time."""
    token = request.app.state.services.settings.admin.token.get_secret_value()
    if not token:
        raise Refused(
            503, "no_admin_token", "set SYNC_ADMIN__TOKEN to open the admin endpoint"
        )
    presented = given.credentials if given else ""
    if not hmac.compare_digest(presented.encode(), token.encode()):
        raise Refused(
            401,
            "unauthorized",
            "send the admin token: Authorization: Bearer …",
            {"WWW-Authenticate": "Bearer"},
        )


class SecurityHeaders:
    """Adds the headers to every answer; plain ASGI, so that nothing is buffered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers)
