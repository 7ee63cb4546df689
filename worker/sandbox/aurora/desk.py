"""
What every handler needs from a request: who calls, the parameters, and the refusals
written the way the called API writes them.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from worker.sandbox.aurora import answers
from worker.sandbox.aurora.errors import (
    INVALID_SESSION,
    GatewayFailed,
    LegacyRefusal,
    LoginRefused,
    Malformed,
    Refusal,
    Unauthenticated,
)
from worker.sandbox.aurora.search import ANONYMOUS, Caller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.sessions import Sessions

    Handler = Callable[[Request], Awaitable[Response]]

SESSION_HEADER = "li-api-session-key"


class Desk:
    def __init__(self, community: Community, sessions: Sessions) -> None:
        self.community = community
        self.sessions = sessions

    def caller(self, request: Request) -> Caller:
        """Raises Unauthenticated for a token or key that is not good any more."""
        token = bearer(request)
        if token is not None:
            return self._by_token(request, token)
        key = session_key(request)
        if key is None:
            return ANONYMOUS
        caller = self.sessions.by_key(key)
        if caller is None:
            raise self._expired("Invalid session key.")
        return caller

    def _by_token(self, request: Request, token: str) -> Caller:
        header = request.headers.get("client-id")
        switches = self.community.switches
        if switches.client_id_header_needed and header != self.sessions.client_id:
            raise self._expired("The client-id header is missing or wrong")
        caller = self.sessions.by_token(token)
        if caller is None:
            raise self._expired("Invalid or expired access token")
        return caller

    def _expired(self, message: str) -> Unauthenticated:
        error = Unauthenticated(message)
        error.status = self.community.switches.expired_token_status
        return error

    def v2(self, kind: str, handler: Handler) -> Handler:
        """Count the call; write refusals as API v2 does."""

        async def endpoint(request: Request) -> Response:
            self.community.calls.by_kind[kind] += 1
            switches = self.community.switches
            always_ok = request.query_params.get("api.always_ok") is not None
            try:
                return await handler(request)
            except Refusal as error:
                return answers.refusal(error, switches, always_ok=always_ok)
            except GatewayFailed:
                return answers.html_page(502, "Bad Gateway", "The proxy gave up.")

        return endpoint

    def v1(self, kind: str, handler: Handler) -> Handler:
        """Count the call; write refusals as API v1 does, in HTTP 200."""

        async def endpoint(request: Request) -> Response:
            self.community.calls.by_kind[kind] += 1
            as_json = await wants_json(request)
            try:
                return await handler(request)
            except LoginRefused as error:
                return answers.html_page(
                    error.status, error.message, "Access to the resource was forbidden."
                )
            except LegacyRefusal as error:
                return answers.legacy_error(
                    error.code, error.message, wants_json=as_json
                )
            except Unauthenticated:
                return answers.legacy_error(*INVALID_SESSION, wants_json=as_json)

        return endpoint


def bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def basic(request: Request) -> str | None:
    """`user:password` of HTTP basic, which guards a stage before all else."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def session_key(request: Request) -> str | None:
    return (
        request.headers.get(SESSION_HEADER)
        or request.query_params.get("restapi.session_key")
        or request.cookies.get("LiSESSIONID")
    )


async def parameters(request: Request) -> dict[str, str]:
    """API v1 takes its parameters from the query string, a form, or both."""
    found = dict(request.query_params)
    if "form" in request.headers.get("content-type", ""):
        form = await request.form()
        found.update({name: str(value) for name, value in form.items()})
    return found


async def wants_json(request: Request) -> bool:
    return (await parameters(request)).get("restapi.response_format") == "json"


async def json_body(request: Request) -> dict[str, Any]:
    body = await json_value(request)
    if not isinstance(body, dict):
        raise Malformed("The body must be a JSON object")
    return body


async def json_value(request: Request) -> Any:  # noqa: ANN401 -- whatever was sent
    try:
        return msgspec.json.decode(await request.body())
    except msgspec.DecodeError as error:
        raise Malformed("The body is not JSON") from error
