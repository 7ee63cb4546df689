"""`aurora-sync connect`: signs in to the community, or has it authorised by OAuth."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from worker import clock
from worker.cli import screen
from worker.cli.exits import Exit, fail
from worker.cli.opening import opened
from worker.domain.records import Side
from worker.settings import AuroraAuth, is_loopback
from worker.sync import connect as connecting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from worker.bootstrap import Services

PAGE = (
    b"<!doctype html><meta charset=utf-8><title>aurora-sync</title>"
    b"<p>Done. You may close this page and go back to the shell.</p>"
)


def connect(
    *,
    status: Annotated[
        bool, typer.Option("--status", help="Only say whether it is connected.")
    ] = False,
    wait: Annotated[
        int, typer.Option(min=1, help="Seconds to wait for the browser (OAuth).")
    ] = 600,
    as_json: screen.AsJson = False,
) -> None:
    """Connect the community: sign in, or print the URL that authorises by OAuth."""
    with opened() as svc:
        if status:
            _show_status(svc, as_json=as_json)
            return
        if svc.settings.aurora.auth is AuroraAuth.OAUTH:
            _authorise(svc, wait)
        user_id = connecting.activate(svc.store, svc.community, svc.aurora())
    if as_json:
        screen.print_json({"connection": "active", "user_id": user_id})
    else:
        print(f"connected as user {user_id}; the streams run")


def _show_status(svc: Services, *, as_json: bool) -> None:
    known = svc.store.communities.get(svc.community)
    token = svc.store.vault(svc.community, Side.AURORA).load()
    answer = {
        "community": svc.community,
        "connection": known.connection_status if known else "not_active",
        "reason": known.status_reason if known else "",
        "auth": svc.settings.aurora.auth,
        "token": "none"
        if token is None
        else "expired"
        if token.has_expired(clock.now())
        else "valid",
    }
    if as_json:
        screen.print_json(answer)
        return
    for name, value in answer.items():
        print(f"{name:<12}{value}")


def _authorise(svc: Services, wait: int) -> None:
    settings = svc.settings.aurora
    invitation = connecting.invite(settings)
    redirected_to = _caught(settings.redirect_uri, invitation.url, wait)
    code = connecting.code_from(redirected_to, invitation.state)
    connecting.authorise(svc.store, svc.community, settings, code)


def _caught(redirect_uri: str, url: str, wait: int) -> str:
    """Send the person to `url` and return the address the browser came back to."""
    parts = urlsplit(redirect_uri)
    if parts.scheme == "http" and is_loopback(parts.hostname):
        with _listening(parts) as (server, caught):
            _invite(url)
            return _await(server, caught, wait)
    if not sys.stdin.isatty():
        fail(
            "SYNC_AURORA__REDIRECT_URI is not on this machine: use http://127.0.0.1:"
            "port/path, or run this in a terminal",
            Exit.WRONG_USE,
        )
    _invite(url)
    answer: str = typer.prompt("Paste the address the browser was sent to")
    return answer


def _invite(url: str) -> None:
    print(f"Open this address in a browser:\n\n{url}\n", file=sys.stderr, flush=True)


@contextmanager
def _listening(at: SplitResult) -> Iterator[tuple[HTTPServer, list[str]]]:
    """Yield a server on the redirect's port, and where it puts what came."""
    caught: list[str] = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path != (at.path or "/"):
                self.send_error(404)
                return
            caught.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            """Keep quiet: the query holds the code."""

    port = at.port or 80
    try:
        server = HTTPServer((at.hostname or "", port), Callback)
    except OSError as error:
        why = type(error).__name__
        fail(
            f"SYNC_AURORA__REDIRECT_URI: cannot listen on port {port} ({why})",
            Exit.WRONG_USE,
        )
    with server:
        yield server, caught


def _await(server: HTTPServer, caught: list[str], wait: int) -> str:
    deadline = clock.monotonic() + wait
    while not caught and clock.monotonic() < deadline:
        server.timeout = max(0.1, deadline - clock.monotonic())
        server.handle_request()
    if not caught:
        fail(f"nobody came back within {wait} s", Exit.REFUSED)
    return caught[0]
