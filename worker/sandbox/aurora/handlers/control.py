"""
The control pages under `/_sandbox`: state, faults, switches, clock, members. Unmetered;
for people, tests and checkers, never for a client of the community.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route, Router

from worker.sandbox.aurora import answers
from worker.sandbox.aurora.catalogue import avatar_url, profile_url
from worker.sandbox.aurora.clock import from_ms
from worker.sandbox.aurora.desk import json_body
from worker.sandbox.aurora.errors import Refusal
from worker.sandbox.aurora.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.members import Member
    from worker.sandbox.aurora.sessions import Sessions

    Handler = Callable[[Request], Awaitable[Response]]

LINES = "application/x-ndjson"


class Control:
    def __init__(
        self, community: Community, sessions: Sessions, reset: Callable[[], None]
    ) -> None:
        self._community = community
        self._sessions = sessions
        self._reset = reset

    def router(self) -> Router:
        base = "/_sandbox"
        table: list[tuple[str, str, Handler]] = [
            ("GET", base, self.page),
            ("GET", f"{base}/state", self.state),
            ("GET", f"{base}/calls", self.calls),
            ("DELETE", f"{base}/calls", self.forget_calls),
            ("POST", f"{base}/faults", self.add_fault),
            ("DELETE", f"{base}/faults", self.clear_faults),
            ("POST", f"{base}/switches", self.switch),
            ("POST", f"{base}/clock", self.set_clock),
            ("POST", f"{base}/reset", self.reset),
            ("POST", f"{base}/app", self.edit_app),
            ("POST", f"{base}/sessions/expire", self.expire),
            ("GET", f"{base}/members", self.members),
            ("POST", f"{base}/members", self.register),
            ("POST", f"{base}/members/register", self.register),
            ("POST", f"{base}/members/change", self.change),
            ("POST", f"{base}/members/delete", self.delete),
        ]
        routes = [
            Route(path, _refusing(handler), methods=[method])
            for method, path, handler in table
        ]
        return Router(routes, redirect_slashes=False)

    async def page(self, request: Request) -> Response:
        if "json" in request.headers.get("accept", ""):
            return await self.state(request)
        state = msgspec.json.format(msgspec.json.encode(self._state()), indent=2)
        kinds = "".join(
            f"<dt>{escape(kind)}<dd>{escape(text)}" for kind, text in KINDS.items()
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><title>Aurora sandbox</title>"
            "<h1>Aurora sandbox</h1><p>A community in memory. "
            "POST /_sandbox/faults {kind, times, path, method, …} to break it.</p>"
            f"<dl>{kinds}</dl><pre>{escape(state.decode())}</pre></html>"
        )

    async def state(self, _: Request) -> Response:
        return answers.as_json(self._state())

    def _state(self) -> dict[str, Any]:
        community = self._community
        return {
            "tenant": community.tenant,
            "members": len(community.members),
            "now": community.clock.now().isoformat(),
            "calls": community.calls.as_dict(),
            "faults": community.faults.as_list(),
            "switches": community.switches.as_dict(),
            "redirect_uris": self._sessions.redirect_uris,
        }

    async def calls(self, _: Request) -> Response:
        return answers.as_json(self._community.calls.as_dict())

    async def forget_calls(self, _: Request) -> Response:
        self._community.calls.reset()
        return answers.as_json({})

    async def add_fault(self, request: Request) -> Response:
        body = await json_body(request)
        # These two last, as switches do; they are faults to whoever asks for them.
        switches = {
            "index_lag": ("index_lag_seconds", "seconds"),
            "latency_ms": ("latency_ms", "ms"),
        }
        if body.get("kind") in switches:
            name, key = switches[body["kind"]]
            self._community.switches.change(**{name: body.get(key, 0)})
        else:
            self._community.faults.add(body.pop("kind", ""), **body)
        return answers.as_json({"faults": self._community.faults.as_list()}, 201)

    async def clear_faults(self, _: Request) -> Response:
        self._community.faults.clear()
        self._community.switches.change(index_lag_seconds=0.0, latency_ms=0.0)
        return answers.as_json({"faults": []})

    async def switch(self, request: Request) -> Response:
        self._community.switches.change(**await json_body(request))
        return answers.as_json(self._community.switches.as_dict())

    async def set_clock(self, request: Request) -> Response:
        """`{"set": ISO time}`, `{"advance": seconds}` or `{"run": true}`."""
        body = await json_body(request)
        clock = self._community.clock
        if "set" in body:
            clock.set(datetime.fromisoformat(body["set"]))
        if "advance" in body:
            clock.advance(float(body["advance"]))
        if body.get("run"):
            clock.run()
        return answers.as_json({"now": clock.now().isoformat()})

    async def reset(self, _: Request) -> Response:
        self._reset()
        return answers.as_json(self._state())

    async def edit_app(self, request: Request) -> Response:
        """Edit the API app as an administrator of the community would."""
        body = await json_body(request)
        self._sessions.redirect_uris[:] = [str(body["redirect_uri"])]
        return answers.as_json({"redirect_uris": self._sessions.redirect_uris})

    async def expire(self, _: Request) -> Response:
        self._sessions.expire_all()
        return answers.as_json({})

    async def members(self, _: Request) -> Response:
        """The true state, one JSON line a member, whatever the search index shows."""
        members = list(self._community.members.values())
        return StreamingResponse(self._lines(members), media_type=LINES)

    def _lines(self, members: list[Member]) -> Iterator[bytes]:
        for start in range(0, len(members), 1000):
            some = [truth(self._community, m) for m in members[start : start + 1000]]
            yield msgspec.json.Encoder().encode_lines(some)

    async def register(self, request: Request) -> Response:
        """`{"count": n}`, or a member's fields, or a list of such."""
        body = msgspec.json.decode(await request.body() or b"{}")
        if isinstance(body, dict) and "count" in body:
            ids = [self._community.register() for _ in range(int(body["count"]))]
        else:
            wanted = body if isinstance(body, list) else [body]
            ids = [self._community.register(**_fields(fields)) for fields in wanted]
        return answers.as_json({"ids": [str(member_id) for member_id in ids]}, 201)

    async def change(self, request: Request) -> Response:
        """`{"count": n, "seed": s}`: n members visit; `{"id": …, fields}`: one edit."""
        body = await json_body(request)
        if "id" in body:
            member_id = int(body.pop("id"))
            self._community.change(member_id, **_fields(body))
            return answers.as_json({"ids": [str(member_id)]})
        changed = visit_some(
            self._community, int(body.get("count", 1)), int(body.get("seed", 1))
        )
        return answers.as_json({"ids": [str(member_id) for member_id in changed]})

    async def delete(self, request: Request) -> Response:
        """`{"ids": […]}` or `{"count": n, "seed": s}`, and `"hard": true` to purge."""
        body = await json_body(request)
        ids = [int(i) for i in body.get("ids", [])] or _some_ids(
            self._community, int(body.get("count", 1)), int(body.get("seed", 1))
        )
        for member_id in ids:
            self._community.delete(member_id, hard=bool(body.get("hard")))
        return answers.as_json({"ids": [str(member_id) for member_id in ids]})


def visit_some(community: Community, count: int, seed: int) -> list[int]:
    """Let `count` members visit now and change what visits change."""
    draws = Random(f"changes:{seed}")  # noqa: S311 -- invented people, no secrets
    changes: dict[int, dict[str, Any]] = {}
    with community.lock:
        for member_id in _some_ids(community, count, seed):
            member = community.members[member_id]
            posts = member.posts + draws.randint(0, 3)
            changes[member_id] = {
                # One instant for all would make every cursor tie.
                "last_visit_time": community.clock.now_ms() - draws.randint(0, 999),
                "logins": member.logins + 1,
                "page_views": member.page_views + draws.randint(1, 40),
                "minutes_online": member.minutes_online + draws.randint(1, 90),
                "posts": posts,
                "kudos_received": member.kudos_received + draws.randint(0, 2),
                "rank_id": max(member.rank_id, min(1 + posts.bit_length(), 11)),
            }
            if draws.random() < 0.1 and member.last_name is not None:
                changes[member_id]["last_name"] = f"{member.last_name}-Renamed"
        community.change_many(changes)
    return list(changes)


def _some_ids(community: Community, count: int, seed: int) -> list[int]:
    open_ids = [
        member.id
        for member in community.members.values()
        if not member.deleted and member.id != community.administrator.id
    ]
    draws = Random(f"ids:{seed}")  # noqa: S311 -- invented people, no secrets
    return draws.sample(open_ids, min(count, len(open_ids)))


def truth(community: Community, member: Member) -> dict[str, Any]:
    """A member as a checker compares it: UTC times, names, absent fields as null."""
    visited = member.last_visit_time
    row = msgspec.structs.asdict(member)
    for name in ("rank_id", "has_avatar", "custom"):
        del row[name]
    return {
        **row,
        "id": str(member.id),
        "rank": community.ranks[member.rank_id].name,
        "roles": community.role_names(member),
        "registration_time": _utc(member.registration_time),
        "last_visit_time": None if visited is None else _utc(visited),
        "avatar_url": avatar_url(community.public_url, member, "profile"),
        "view_href": profile_url(community.public_url, member),
        "href": f"/users/{member.id}",
        **(member.custom or {}),
    }


def _utc(moment_ms: int) -> str:
    return from_ms(moment_ms).isoformat(timespec="milliseconds")


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    """ISO times in JSON become instants."""
    return {
        name: datetime.fromisoformat(value)
        if name.endswith("_time") and isinstance(value, str)
        else value
        for name, value in body.items()
    }


def _refusing(handler: Handler) -> Handler:
    """A wrong order is told in words: the reader is a person at work on a test."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as error:
            return answers.as_json({"error": error.message}, 400)
        except (ValueError, TypeError, KeyError) as error:
            return answers.as_json({"error": str(error)}, 400)

    return endpoint
