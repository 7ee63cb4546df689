"""`aurora-sync` in this process against both sandboxes, and what tests ask of it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from worker import bootstrap
from worker.cli import stage
from worker.cli.main import app
from worker.domain.records import Side
from worker.sandbox.aurora import AuroraSandbox
from worker.sandbox.salesforce import SalesforceSandbox
from worker.sandbox.server import run_in_thread

SECRET_KEY = Fernet.generate_key().decode()
COMMAND = [sys.executable, "-P", "-m", "worker.cli.main"]


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def own_logs():
    """Put the process's logging back: a command sends it to its own stderr."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Run where no `.env` lies."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def aurora():
    return AuroraSandbox(seed=1)


@pytest.fixture
def salesforce():
    return SalesforceSandbox(seed=1)


@pytest.fixture
def community(aurora):
    return aurora.community


@pytest.fixture
def org(salesforce):
    return salesforce.org


@pytest.fixture
def urls(aurora, salesforce):
    """Serve both; return (the community's URL, the org's)."""
    with run_in_thread(aurora.app) as first, run_in_thread(salesforce.app) as second:
        yield first, second


@pytest.fixture
def env(aurora, salesforce, urls, database_url, tmp_path):
    """The variables that point a worker at both sandboxes."""
    aurora_url, salesforce_url = urls
    member, client = (
        aurora.credentials(aurora_url),
        salesforce.credentials(salesforce_url),
    )
    return {
        "SYNC_HOME": str(tmp_path / "home"),
        "SYNC_DATABASE_URL": database_url,
        "SYNC_SECRET_KEY": SECRET_KEY,
        "SYNC_AURORA__BASE_URL": aurora_url,
        "SYNC_AURORA__COMMUNITY": "demo",
        "SYNC_AURORA__AUTH": "session",
        "SYNC_AURORA__USERNAME": member["username"],
        "SYNC_AURORA__PASSWORD": member["password"],
        "SYNC_AURORA__REQUESTS_PER_SECOND": "1000",
        "SYNC_SALESFORCE__LOGIN_URL": salesforce_url,
        "SYNC_SALESFORCE__CLIENT_ID": client["client_id"],
        "SYNC_SALESFORCE__CLIENT_SECRET": client["client_secret"],
    }


@pytest.fixture
def run(env):
    """Run a command in this process; `changed` replaces variables."""

    def invoke(*arguments, given=None, **changed):
        runner = CliRunner(env={**env, **changed})
        result = runner.invoke(app, [str(each) for each in arguments], input=given)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def spawn(env, tmp_path):
    """Start a command in a process of its own."""
    with ExitStack() as stack:

        def start(*arguments, **changed):
            clean = stage.clean(tmp_path, {**env, **changed})
            child = subprocess.Popen(
                [*COMMAND, *arguments],
                env=clean,
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.callback(_end, child)
            return child

        yield start


def _end(child):
    if child.poll() is None:
        child.kill()
    child.wait()
    child.stdout.close()
    child.stderr.close()


@pytest.fixture
def shell(spawn):
    """Run a command in a process of its own to its end."""

    def call(*arguments, **changed):
        child = spawn(*arguments, **changed)
        out, err = child.communicate(timeout=60)
        return Ended(child.returncode, out.decode(), err.decode())

    return call


@pytest.fixture
def services(env):
    """Services over the same settings, to look at what a command left."""
    made = bootstrap.build(stage.settings_from(env))
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def store(services):
    return services.store


@pytest.fixture
def deployed(run):
    """An org with our package."""
    ended = run("salesforce", "deploy")
    assert ended.code == 0, ended


@pytest.fixture
def forget_token(services):
    """Forget what was signed in before."""
    return lambda side: services.store.vault("demo", Side(side)).forget()


@pytest.fixture
def ada(community, org):
    """A member with exactly one Contact; returns (member id, contact id)."""
    contact = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    member = community.register(
        login="ada", email="ada@x.example", last_name="Lovelace"
    )
    return int(member), contact


@pytest.fixture
def twins(community, org):
    """A member whose e-mail two Contacts have; returns (member id, contact ids)."""
    contacts = [
        org.insert("Contact", LastName=name, Email="byron@x.example")
        for name in ("Byron", "Noel")
    ]
    return int(community.register(login="byron", email="byron@x.example")), contacts
