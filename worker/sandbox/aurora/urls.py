"""Every path the sandbox serves, with its kind for counting; the rest is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.routing import Route, Router

from worker.sandbox.aurora.desk import Desk
from worker.sandbox.aurora.handlers.oauth import OAuth
from worker.sandbox.aurora.handlers.v1 import V1
from worker.sandbox.aurora.handlers.v2 import V2

if TYPE_CHECKING:
    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.desk import Handler
    from worker.sandbox.aurora.sessions import Sessions

READ = ("GET",)
SEND = ("POST",)
BOTH = ("GET", "POST")
ANY = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Url(NamedTuple):
    methods: tuple[str, ...]
    path: str
    kind: str
    handler: Handler


def v2_urls(desk: Desk) -> list[Url]:
    v2, oauth = V2(desk), OAuth(desk)
    auth = "/api/2.0/auth"
    return [
        Url(READ, "/api/2.0/search", "search", v2.search),
        Url(SEND, "/api/2.0/search", "search", v2.search_structured),
        Url(READ, "/api/2.0/users/{user_id}", "user", v2.user),
        Url(SEND, f"{auth}/accessToken", "token", oauth.access_token),
        Url(SEND, f"{auth}/refreshToken", "token", oauth.refresh_token),
        Url(SEND, f"{auth}/signout", "sign_out", v2.sign_out),
        Url(BOTH, "/auth/oauth2/authorize", "authorize", oauth.authorize),
        Url(ANY, "/api/{rest:path}", "not_emulated", v2.not_emulated),
        Url(ANY, "/auth/{rest:path}", "not_emulated", v2.not_emulated),
    ]


def v1_urls(desk: Desk) -> list[Url]:
    v1 = V1(desk)
    base = "/restapi/vc"
    sessions = f"{base}/authentication/sessions"
    urls = [
        Url(BOTH, f"{sessions}/login", "login", v1.log_in),
        Url(BOTH, f"{sessions}/logout", "logout", v1.log_out),
        Url(READ, f"{sessions}/current/id", "v1.session", v1.current_session),
        Url(READ, f"{sessions}/current/user", "v1.session", v1.current_user),
        Url(READ, f"{base}/search/users", "v1.search", v1.search_users),
    ]
    for key in ("id/{user_id:int}", "login/{login}"):
        user = f"{base}/users/{key}"
        urls += [
            Url(READ, user, "v1.user", v1.user),
            Url(READ, f"{user}/metrics", "v1.metrics", v1.metrics),
            Url(READ, f"{user}/roles", "v1.roles", v1.roles),
            Url(READ, f"{user}/kudos/received/count", "v1.kudos", v1.kudos_received),
        ]
    urls.append(Url(ANY, f"{base}/{{rest:path}}", "v1.unknown", v1.unknown_path))
    return urls


def router(community: Community, sessions: Sessions) -> Router:
    desk = Desk(community, sessions)
    routes = [
        Route(url.path, desk.v2(url.kind, url.handler), methods=list(url.methods))
        for url in v2_urls(desk)
    ] + [
        Route(url.path, desk.v1(url.kind, url.handler), methods=list(url.methods))
        for url in v1_urls(desk)
    ]
    return Router(routes, redirect_slashes=False)
