"""The admin endpoint on loopback over a database with something to tell."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.fernet import Fernet

from worker import bootstrap, clock
from worker.admin.app import create_app
from worker.domain.records import Side
from worker.domain.state import (
    ContactLink,
    Event,
    ParkedRecord,
    RunState,
    StagedMember,
)
from worker.sandbox.server import run_in_thread
from worker.settings import Settings

SECRET_KEY = Fernet.generate_key().decode()
TOKEN = "an-admin-token"  # an invented one
# Nothing listens on the discard port.
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings(
        _env_file=None,
        home=tmp_path / "home",
        database_url=database_url,
        secret_key=SECRET_KEY,
        aurora={
            "base_url": NOBODY,
            "community": "demo",
            "auth": "session",
            "username": "ada",
            "password": "secret",
        },
        salesforce={
            "login_url": NOBODY,
            "client_id": "app",
            "client_secret": "secret",
        },
        admin={"token": TOKEN},
    )


@pytest.fixture
def sent():
    """The run ids that workers were woken for."""
    return []


@pytest.fixture
def services(settings, sent):
    made = bootstrap.build(settings, send=sent.append)
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def store(services):
    return services.store


@pytest.fixture
def serving():
    """Serve an application over these services; yield a client with the token."""

    @contextmanager
    def serve(services):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with (
            run_in_thread(create_app(services)) as base_url,
            httpx.Client(base_url=base_url, headers=headers) as client,
        ):
            yield client

    return serve


@pytest.fixture
def client(serving, services):
    with serving(services) as client:
        yield client


@pytest.fixture
def finished(store):
    """Have a run done from beginning to end; return it as stored."""

    def finish(state=RunState.SUCCEEDED, **end):
        run = store.runs.request("demo", "members", "sync", "cli", full=True)
        ttl = timedelta(seconds=30)
        fence = store.streams.acquire("demo", "members", run.id, "test", ttl)
        store.runs.finish(run.id, state, fence, **end)
        return store.runs.get(run.id)

    return finish


@pytest.fixture
def members(store):
    """Three members: one in step, one ambiguous, one that the crm refused."""
    batch = store.batches.open("demo", "members", "run", "members", "x", 3)
    links = {
        41: (ContactLink.LINKED, "003000000000001AAA"),
        42: (ContactLink.AMBIGUOUS, None),
        43: (ContactLink.NONE, None),
    }
    store.members.stage(
        "demo",
        [
            StagedMember(number, b"f" * 16, batch, contact, link)
            for number, (link, contact) in links.items()
        ],
    )
    created = [(41, "a00000000000041AAA"), (42, "a00000000000042AAA")]
    store.members.settle("demo", batch, [43], created)
    return [41, 42, 43]


@pytest.fixture
def failures(store, members):
    """Return the ids of two failures: ambiguous (42) and refused (43)."""
    assert members == [41, 42, 43]
    store.failures.park(
        [
            ParkedRecord(
                "demo",
                "members",
                "member:42",
                "ambiguous_email",
                candidates=("003000000000001AAA", "003000000000002AAA"),
            ),
            ParkedRecord(
                "demo",
                "members",
                "member:43",
                "STRING_TOO_LONG",
                detail="too long",
                fields=("Rank__c",),
                next_try_at=datetime(2030, 1, 1, tzinfo=UTC),
            ),
        ]
    )
    return [failure.id for failure in store.failures.open("demo")]


@pytest.fixture
def timeline(store):
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    event = Event("demo", "member:41", at, "member.linked", None, {"by": "email"})
    store.events.add([event])
    return event


@pytest.fixture
def spent(store):
    """Have 12 calls to the org and 3 to the community on today's account."""
    today = clock.now().date()
    store.usage.add("demo", today, Side.SALESFORCE, "members", 12)
    store.usage.add("demo", today, Side.AURORA, "members", 3)
