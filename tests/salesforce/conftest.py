"""
A client against the sandbox on loopback, and against scripted answers: what no org
would send, and what must be seen of a request, the sandbox is too honest to show.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from worker.domain.tokens import Token
from worker.salesforce.auth import make_login
from worker.salesforce.bulk import Polling
from worker.salesforce.client import SalesforceClient
from worker.sandbox.server import DROP, run_in_thread
from worker.settings import SalesforceSettings


class MemoryVault:
    """Keeps a token as the vault's protocol promises, for one process."""

    def __init__(self, token=None):
        self.token = token
        self.renewals = 0
        self._lock = threading.Lock()

    def load(self):
        return self.token

    def renew(self, seen, obtain):
        with self._lock:
            held = self.token
            if held is not None and held.generation != (seen or 0):
                return held
            generation = held.generation + 1 if held is not None else 1
            self.token = obtain(held)._replace(generation=generation)
            self.renewals += 1
            return self.token


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    # Hang up after the body, with this many bytes promised and not sent.
    missing: int = 0


class Script:
    """Answers requests from a list, in order, or by a rule; remembers them."""

    def __init__(self):
        self.seen = []
        self.base_url = ""
        self.rule = None
        self._answers = deque()

    def say(self, status=200, body=b"", *, missing=0, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers.append(Answer(status, content, named, missing))

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append(
            Seen(
                scope["method"],
                scope["path"],
                scope["query_string"].decode(),
                {k.decode().lower(): v.decode() for k, v in scope["headers"]},
                body,
            )
        )
        answer = self._answers.popleft() if self._answers else Answer(599)
        if self.rule is not None:
            status, content = self.rule(self.seen[-1])
            answer = Answer(status, json.dumps(content).encode())
        length = str(len(answer.body) + answer.missing)
        headers = {"content-length": length, **answer.headers}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            }
        )
        await send(
            {
                "type": "http.response.body",
                "body": answer.body,
                "more_body": bool(answer.missing),
            }
        )
        if answer.missing:
            await scope["extensions"][DROP]()


@pytest.fixture
def script():
    made = Script()
    with run_in_thread(made) as base_url:
        made.base_url = base_url
        yield made


@pytest.fixture
def settings_for():
    """Build settings for a remote; only what matters to the test is said."""

    def build(base_url, **settings):
        given = {
            "login_url": base_url,
            "client_id": "app",
            "client_secret": "s3cret-of-the-app",
            "username": "worker@org.example",
            "password": "p<ss&word",
            "security_token": "T0KEN",
            "read_timeout": timedelta(seconds=10),
            **settings,
        }
        return SalesforceSettings(**given)

    return build


@pytest.fixture
def scripted(script, settings_for):
    """A client signed in to the script as generation 1; a login gives the next."""
    logins = []

    def login(stored):
        logins.append(stored)
        return Token(f"session-{len(logins) + 1}", instance_url=script.base_url)

    token = Token("session-1", generation=1, instance_url=script.base_url)
    vault = MemoryVault(token)
    client = SalesforceClient(vault, login, settings_for(script.base_url))
    client.vault, client.logins = vault, logins
    client._polling = Polling(sleep=lambda _seconds: None)
    with client:
        yield client


EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


@pytest.fixture
def expired():
    """The body that goes with a 401."""
    return EXPIRED


@pytest.fixture
def a_login():
    """A login for settings, over a session of its own."""
    from worker import http  # noqa: PLC0415 -- the fixture is the only user

    def build(settings):
        def transport():
            return http.session(
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
            )

        return make_login(settings, transport)

    return build
