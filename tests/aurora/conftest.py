"""The client under test against the sandbox on loopback, and what it needs."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from starlette.requests import Request
from starlette.responses import JSONResponse

from tests.vaults import MemoryVault
from worker.aurora import auth
from worker.aurora.client import AuroraClient
from worker.aurora.pace import Pace
from worker.domain.tokens import Token
from worker.sandbox.aurora import AuroraSandbox
from worker.sandbox.server import run_in_thread
from worker.settings import AuroraSettings


class StandingClock:
    """A monotonic clock that moves only when somebody sleeps by it."""

    def __init__(self):
        self.now = 0.0
        self.slept = []
        self._lock = threading.Lock()

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        with self._lock:
            self.slept.append(round(seconds, 1))
            self.now += seconds


@dataclass
class Remote:
    """A served sandbox and what makes clients of it."""

    sandbox: AuroraSandbox
    base_url: str
    vault: MemoryVault = field(default_factory=MemoryVault)
    clock: StandingClock = field(default_factory=StandingClock)
    calls: list[str] = field(default_factory=list)
    _open: list[AuroraClient] = field(default_factory=list)

    @property
    def community(self):
        return self.sandbox.community

    def settings(self, **changed):
        given = self.sandbox.credentials(self.base_url)
        values = {
            "community": "demo",
            "auth": "session",
            "requests_per_second": 1000,
            "connect_timeout": timedelta(seconds=5),
            "read_timeout": timedelta(seconds=10),
            **given,
            **changed,
        }
        return AuroraSettings(**values)

    def client(self, *, custom_fields=(), **changed):
        settings = self.settings(**changed)
        ways = {"session": auth.session_login, "oauth": auth.oauth_refresh}
        made = AuroraClient(
            self.vault,
            ways[settings.auth](settings),
            settings,
            on_call=lambda: self.calls.append("call"),
            custom_fields=custom_fields,
            pace=self.pace(settings.requests_per_second),
        )
        self._open.append(made)
        return made

    def pace(self, per_second):
        return Pace(per_second, monotonic=self.clock.monotonic, sleep=self.clock.sleep)

    def register(self, count, **fields):
        return [self.community.register(**fields) for _ in range(count)]

    def authorised(self, **changed):
        """Walk through the browser's part; return what comes back to the worker."""
        settings = self.settings(auth="oauth", **changed)
        url = auth.authorization_url(settings, "a state/+=")
        with requests.Session() as browser:
            back = browser.get(f"{url}&approve=1", allow_redirects=False, timeout=5)
        return parse_qs(urlsplit(back.headers["Location"]).query)

    def connected(self, **changed):
        """Put the administrator's OAuth token into the vault and return it."""
        code = self.authorised(**changed)["code"][0]
        token = auth.exchange_code(self.settings(auth="oauth", **changed), code)
        self.vault.token = token._replace(generation=1)
        return token

    def close(self):
        for client in self._open:
            client.close()


@pytest.fixture
def remote():
    """An empty community: its administrator is not listed among the members."""
    sandbox = AuroraSandbox()
    with run_in_thread(sandbox.app) as base_url:
        served = Remote(sandbox, base_url)
        yield served
        served.close()


class Canned:
    """An application that answers each call with the next body it was given."""

    def __init__(self, *bodies, status=200, headers=None):
        self.bodies = list(bodies)
        self.status = status
        self.headers = headers or {}
        self.asked = []

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        self.asked.append(await request.body() or request.query_params.get("q"))
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        answer = JSONResponse(body, self.status, self.headers)
        await answer(scope, receive, send)


@pytest.fixture
def canned(standing_clock):
    """Serve canned answers to a client that has a key already; give both."""
    with ExitStack() as stack:

        def make(*bodies, status=200, headers=None, **changed):
            app = Canned(*bodies, status=status, headers=headers)
            settings = AuroraSettings(
                **{
                    "base_url": stack.enter_context(run_in_thread(app)),
                    "community": "demo",
                    "auth": "session",
                    "username": "worker",
                    "password": "secret",
                    **changed,
                }
            )
            client = AuroraClient(
                MemoryVault(Token("key", generation=1)),
                auth.session_login(settings),
                settings,
                pace=Pace(
                    1000,
                    monotonic=standing_clock.monotonic,
                    sleep=standing_clock.sleep,
                ),
            )
            return app, stack.enter_context(client), settings

        yield make


@pytest.fixture
def remote_of():
    return Remote


@pytest.fixture
def standing_clock():
    return StandingClock()
