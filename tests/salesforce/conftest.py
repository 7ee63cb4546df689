"""
A client against the sandbox on loopback, and against scripted answers: what no org
would send, and what must be seen of a request, the sandbox is too honest to show.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.vaults import MemoryVault
from worker.domain.tokens import Token
from worker.salesforce.auth import make_login
from worker.salesforce.bulk import Polling
from worker.salesforce.client import SalesforceClient
from worker.sandbox.salesforce import SalesforceSandbox
from worker.sandbox.salesforce.schema import Field, ObjectType
from worker.sandbox.salesforce.standard import system_fields
from worker.sandbox.server import DROP, run_in_thread
from worker.settings import SalesforceAuth, SalesforceSettings


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
    settings = settings_for(script.base_url)
    polling = Polling(sleep=lambda _seconds: None)
    client = SalesforceClient(vault, login, settings, polling=polling)
    client.vault, client.logins = vault, logins
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


def key_field(name, label, length=120):
    return Field(
        name,
        label,
        "string",
        length=length,
        external_id=True,
        id_lookup=True,
        unique=True,
        case_sensitive=True,
    )


def text_field(name, label, length=255, kind="string"):
    return Field(name, label, kind, length=length)


def community_user_type(*, custom=False):
    """Our object, as far as these tests need it; not custom: no rights needed."""
    made = ObjectType(
        "Community_User__c", "Community User", "Community Users", "a00", custom=custom
    )
    fields = [
        *system_fields("Community User"),
        Field("Name", "Login", "string", length=80, name_field=True),
        key_field("Community_User_Key__c", "Key"),
        text_field("Community__c", "Community", 80),
        text_field("Email__c", "Email", 80, "email"),
        text_field("Biography__c", "Biography", 32768, "textarea"),
        Field("Is_Deleted__c", "Deleted", "boolean", defaulted=True, default=False),
        Field("Metric_Posts__c", "Posts", "double", precision=18),
        Field(
            "Contact__c",
            "Contact",
            "reference",
            reference_to=("Contact",),
            relationship_name="Contact__r",
        ),
    ]
    for each in fields:
        each.custom = custom and each.name.endswith("__c")
        made.add(each)
    return made


class Served:
    """A sandbox org on loopback with our object in it, and clients of it."""

    def __init__(self, base_url, sandbox, settings, a_login):
        self.base_url = base_url
        self.sandbox = sandbox
        self.settings = settings
        self.vault = MemoryVault()
        self._a_login = a_login
        self.client = self.connect()

    @property
    def org(self):
        return self.sandbox.org

    def connect(self, **changes):
        settings = self.settings.model_copy(
            update={
                **changes,
                "auth": SalesforceAuth(changes.get("auth", self.settings.auth)),
            }
        )
        polling = Polling(
            first=timedelta(milliseconds=5), longest=timedelta(milliseconds=20)
        )
        login = self._a_login(settings)
        return SalesforceClient(self.vault, login, settings, polling=polling)

    @property
    def calls(self):
        """Calls that the org has counted so far."""
        return self.org.usage.used

    def hide_our_object(self):
        """Leave our object as a deploy does: no permission set shows it yet."""
        self.org.drop_type("Community_User__c")
        self.org.add_type(community_user_type(custom=True))

    def users(self, count, community="acme", **fields):
        """Rows of Community Users, keyed 1, 2, 3 …"""
        return [
            {
                "Community_User_Key__c": f"{community}:{number}",
                "Community__c": community,
                "Name": f"login{number}",
                **fields,
            }
            for number in range(1, count + 1)
        ]


@pytest.fixture
def served(settings_for, a_login):
    sandbox = SalesforceSandbox(seed=7)
    org = sandbox.org
    org.add_type(community_user_type())
    org.add_field("Contact", key_field("Community_Member_Key__c", "Member key"))
    with run_in_thread(sandbox.app) as base_url:
        known = sandbox.credentials(base_url)
        names = ("client_id", "client_secret", "username", "password", "security_token")
        settings = settings_for(base_url, **{name: known[name] for name in names})
        made = Served(base_url, sandbox, settings, a_login)
        with made.client:
            yield made
