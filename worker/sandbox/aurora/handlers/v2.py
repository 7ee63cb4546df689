"""API v2: LiQL search in both forms, one user, sign-out, and refusals by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.sandbox.aurora import answers, liql, search
from worker.sandbox.aurora.desk import bearer, json_body, json_value, session_key
from worker.sandbox.aurora.errors import (
    BadQuery,
    NotAuthorized,
    NotEmulated,
    NotFound,
    Unauthenticated,
)
from worker.sandbox.aurora.search import Rights

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.aurora.desk import Desk


class V2:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._community = desk.community
        self._last_cursor: str | None = None

    async def search(self, request: Request) -> Response:
        caller = self._desk.caller(request)
        self._community.calls.queries += 1
        query = liql.parse(request.query_params.get("q", ""))
        return self._answer(request, search.run(self._community, query, caller), query)

    async def search_structured(self, request: Request) -> Response:
        caller = self._desk.caller(request)
        switches = self._community.switches
        if not switches.structured_search:
            raise NotEmulated("POST /search (switched off)")
        body = await json_value(request)
        if not isinstance(body, list):
            self._community.calls.queries += 1
            query = liql.from_object(body)
            found = search.run(self._community, query, caller)
            return self._answer(request, found, query)
        if not switches.list_search or not body:
            raise BadQuery("no list of queries")
        self._community.calls.queries += len(body)
        queries = [liql.from_object(item) for item in body]
        data = [search.run(self._community, query, caller) for query in queries]
        return answers.success(data, switches)

    def _answer(
        self, request: Request, data: dict[str, Any], query: liql.Query
    ) -> Response:
        path = request.url.path
        kinds = frozenset({"cursor_loop", "unknown_shape"})
        for fault in self._community.faults.take(request.method, path, kinds):
            if fault.kind == "cursor_loop":
                self._last_cursor = query.cursor or self._last_cursor
                loop = self._last_cursor or data.get("next_cursor") or "bG9vcA=="
                self._last_cursor = data["next_cursor"] = loop
            elif data.get("items"):
                data["items"][0][fault.spoils] = [{"unexpected": True}]
        return answers.success(data, self._community.switches)

    async def user(self, request: Request) -> Response:
        caller = self._desk.caller(request)
        if caller.rights is Rights.ANONYMOUS:
            raise NotAuthorized
        wanted = request.path_params["user_id"]
        member_id = caller.member_id if wanted == "self" else wanted
        if not str(member_id).isdigit():
            raise NotFound("The user")
        member = self._community.account(int(member_id))
        if member is None:
            raise NotFound("The user")
        found = search.user(self._community, member, caller)
        return answers.success(found, self._community.switches)

    async def sign_out(self, request: Request) -> Response:
        caller = self._desk.caller(request)
        if caller.rights is Rights.ANONYMOUS:
            raise Unauthenticated("You are not signed in")
        body = await json_body(request)
        member_id = caller.member_id
        if "id" in body and caller.rights is Rights.ADMINISTRATOR:
            member_id = int(body["id"])
        self._desk.sessions.sign_out_everywhere(member_id)
        data = {"type": "signout_data", "signed_off_all_sessions": True}
        return answers.success(data, self._community.switches)

    async def not_emulated(self, request: Request) -> Response:
        """Anything else under /api: refused by name, to whoever may call at all."""
        if bearer(request) is not None or session_key(request) is not None:
            self._desk.caller(request)
        raise NotEmulated(f"{request.method} {request.url.path}")
