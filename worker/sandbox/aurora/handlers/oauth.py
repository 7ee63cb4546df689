"""OAuth 2: the consent page in the browser, codes for tokens, refreshes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from worker.sandbox.aurora import answers
from worker.sandbox.aurora.desk import json_body, parameters
from worker.sandbox.aurora.errors import Malformed
from worker.sandbox.aurora.sessions import TokenRefusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.aurora.desk import Desk
    from worker.sandbox.aurora.members import Member

_CARRIED = ("client_id", "redirect_uri", "response_type", "state")


class OAuth:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._community = desk.community
        self._sessions = desk.sessions

    async def authorize(self, request: Request) -> Response:
        """
        A person signs in on the page and consents; a script adds `approve=1` and
        consents as the administrator, for want of a browser.
        """
        given = await parameters(request)
        if problem := self._problem(given):
            return answers.html_page(400, problem, "The request cannot be authorized.")
        if given.get("approve") == "1":
            return self._redirect(given, self._community.administrator)
        if request.method == "GET":
            return _page(given, "")
        member = self._sessions.password_fits(
            given.get("user.login", ""), given.get("user.password", "")
        )
        if member is None:
            return _page(given, "The login or the password is incorrect.")
        return self._redirect(given, member)

    def _problem(self, given: dict[str, str]) -> str:
        if given.get("client_id") != self._sessions.client_id:
            return "Unknown client_id"
        if given.get("redirect_uri") not in self._sessions.redirect_uris:
            return "The redirect_uri is not that of the API app"
        if given.get("response_type") != "code":
            return "Only response_type=code is supported"
        return ""

    def _redirect(self, given: dict[str, str], member: Member) -> Response:
        tenant = self._community.tenant
        answer = {
            "code": self._sessions.authorize(member),
            "state": given.get("state", ""),
            "tenant-id": tenant,
            "user-id": str(member.id),
            "proxy-host": f"{tenant}.api.example",
        }
        base = given["redirect_uri"]
        separator = "&" if "?" in base else "?"
        return RedirectResponse(f"{base}{separator}{urlencode(answer)}", 302)

    async def access_token(self, request: Request) -> Response:
        body = await self._body(request, "authorization_code")
        code = str(body.get("code", ""))
        data = self._sessions.exchange_code(code, str(body.get("redirect_uri", "")))
        return answers.tokens(data, self._community.switches)

    async def refresh_token(self, request: Request) -> Response:
        body = await self._body(request, "refresh_token")
        data = self._sessions.refresh(str(body.get("refresh_token", "")))
        return answers.tokens(data, self._community.switches)

    async def _body(self, request: Request, grant: str) -> dict[str, object]:
        """The vendor takes JSON here, not a form, and the client id in a header too."""
        if "json" not in request.headers.get("content-type", ""):
            raise Malformed("Content-Type must be application/json")
        body = await json_body(request)
        self._sessions.check_client(
            str(body.get("client_id", "")),
            str(body.get("client_secret", "")),
            request.headers.get("client-id"),
        )
        if body.get("grant_type") != grant:
            raise TokenRefusal(f"grant_type must be {grant}")
        return body


def _page(given: dict[str, str], problem: str) -> Response:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(given.get(name, ""))}">'
        for name in _CARRIED
    )
    return Response(
        "<!doctype html><html lang=en><title>Sign in</title>"
        "<h1>Sign in to the sandbox community</h1>"
        f"<p role=alert>{escape(problem)}</p><form method=post>{hidden}"
        "<p><label>Login <input name='user.login'></label>"
        "<p><label>Password <input name='user.password' type=password></label>"
        "<p><button>Sign in and allow</button> "
        "<button name=approve value=1>Allow as the administrator</button>"
        "</form></html>",
        media_type=answers.HTML,
    )
