"""API v1, the older REST API: sign-in, users, metrics, roles, user search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.sandbox.aurora import answers
from worker.sandbox.aurora.answers import Node
from worker.sandbox.aurora.desk import parameters, session_key, wants_json
from worker.sandbox.aurora.errors import (
    NO_SUCH_OBJECT,
    NOT_PERMITTED,
    UNKNOWN_PATH,
    LegacyRefusal,
)
from worker.sandbox.aurora.search import Caller, Rights

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.aurora.desk import Desk
    from worker.sandbox.aurora.members import Member

METRICS = {
    "logins": "logins",
    "minutes_online": "minutes_online",
    "overall_posts": "posts",
    "posts": "posts",
    "page_views": "page_views",
    "messages_read": "messages_read",
    "private_messages_sent": "private_messages_sent",
    "private_messages_received": "private_messages_received",
    "net_kudos_weight_received": "kudos_received",
    "net_kudos_weight_given": "kudos_given",
    "net_accepted_solutions": "solutions",
}


class V1:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._community = desk.community

    async def log_in(self, request: Request) -> Response:
        given = await parameters(request)
        key = self._desk.sessions.log_in(
            given.get("user.login", ""),
            given.get("user.password"),
            session_key(request),
        )
        return await _answer(request, Node("value", "string", key))

    async def log_out(self, request: Request) -> Response:
        self._desk.caller(request)
        self._desk.sessions.log_out(session_key(request) or "")
        return answers.legacy_done(wants_json=await wants_json(request))

    async def current_session(self, request: Request) -> Response:
        self._desk.caller(request)
        return await _answer(
            request, Node("value", "string", session_key(request) or "")
        )

    async def current_user(self, request: Request) -> Response:
        caller = self._desk.caller(request)
        member = self._community.account(caller.member_id)
        if caller.rights is Rights.ANONYMOUS or member is None:
            return await _answer(request, _anonymous())
        return await _answer(request, self._user(member, caller))

    async def user(self, request: Request) -> Response:
        member, caller = self._member(request)
        return await _answer(request, self._user(member, caller))

    async def metrics(self, request: Request) -> Response:
        member, caller = self._member(request)
        if not _sees(caller, member):
            raise LegacyRefusal(*NOT_PERMITTED)
        found = [
            Node("metric", "int", getattr(member, attribute), {"name": name})
            for name, attribute in METRICS.items()
        ]
        return await _answer(request, Node("metrics", children=found, listed="metric"))

    async def roles(self, request: Request) -> Response:
        member, caller = self._member(request)
        if not _sees(caller, member):
            raise LegacyRefusal(*NOT_PERMITTED)
        found = [
            Node(
                "role",
                "role",
                attributes={"href": f"/roles/id/{role_id}"},
                children=[
                    Node("id", "string", role_id),
                    Node("name", "string", self._community.roles[role_id].name),
                ],
            )
            for role_id in member.roles
        ]
        return await _answer(request, Node("roles", children=found, listed="role"))

    async def kudos_received(self, request: Request) -> Response:
        member, _ = self._member(request)
        return await _answer(request, Node("value", "int", member.kudos_received))

    async def search_users(self, request: Request) -> Response:
        """`q=email:<address>`; a plain word looks at logins."""
        caller = self._desk.caller(request)
        if caller.rights is not Rights.ADMINISTRATOR:
            raise LegacyRefusal(*NOT_PERMITTED)
        wanted = (await parameters(request)).get("q", "")
        field, colon, word = wanted.partition(":")
        field, word = (field, word) if colon else ("login", wanted)
        if field not in {"email", "login"}:
            raise LegacyRefusal(*NO_SUCH_OBJECT)
        with self._community.lock:
            index = self._community.searchable()
            ids = index.ids_by(field, word.strip('"'))
            found = [self._user(index.members[i], caller) for i in ids]
        return await _answer(request, Node("users", children=found, listed="user"))

    async def unknown_path(self, request: Request) -> Response:
        path = request.url.path.partition("/restapi/vc")[2].strip("/")
        code, text = UNKNOWN_PATH
        raise LegacyRefusal(code, text.format(token=path.partition("/")[0]))

    def _member(self, request: Request) -> tuple[Member, Caller]:
        caller = self._desk.caller(request)
        if caller.rights is Rights.ANONYMOUS:
            raise LegacyRefusal(*NOT_PERMITTED)
        if "login" in request.path_params:
            member = self._community.member_by_login(request.path_params["login"])
        else:
            member = self._community.account(int(request.path_params["user_id"]))
        if member is None:
            raise LegacyRefusal(*NO_SUCH_OBJECT)
        return member, caller

    def _user(self, member: Member, caller: Caller) -> Node:
        zone = self._community.zone
        children = [
            Node("id", "int", member.id),
            Node("login", "string", member.login),
            Node("average_message_rating", "float", member.average_message_rating),
            Node("average_rating", "float", member.average_message_rating),
            Node("registration_time", "date_time", zone.text(member.registration_time)),
            Node("registered", "boolean", value=True),
            Node("anonymous", "boolean", value=False),
            Node("deleted", "boolean", member.deleted),
        ]
        if member.last_visit_time is not None:
            visited = zone.text(member.last_visit_time)
            children.append(Node("last_visit_time", "date_time", visited))
        if _sees(caller, member):
            if member.email is not None:
                children.append(Node("email", "string", member.email))
            children.append(_profiles(member))
        href = {"href": f"/users/id/{member.id}"}
        return Node("user", "user", attributes=href, children=children)


def _profiles(member: Member) -> Node:
    named = {
        "name_first": member.first_name,
        "name_last": member.last_name,
        "location": member.location,
        "administrative_notes": member.administrative_notes,
        **(member.custom or {}),
    }
    found = [
        Node("profile", "string", value, {"name": name})
        for name, value in named.items()
        if value is not None
    ]
    return Node("profiles", children=found, listed="profile")


def _anonymous() -> Node:
    children = [
        Node("id", "int", -1),
        Node("login", "string", "Anonymous"),
        Node("registered", "boolean", value=False),
        Node("anonymous", "boolean", value=True),
    ]
    href = {"href": "/users/id/-1"}
    return Node("user", "user", attributes=href, children=children)


def _sees(caller: Caller, member: Member) -> bool:
    return caller.rights is Rights.ADMINISTRATOR or caller.member_id == member.id


async def _answer(request: Request, node: Node) -> Response:
    return answers.legacy(node, wants_json=await wants_json(request))
