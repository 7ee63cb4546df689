"""Real installations: sandboxes, broker, worker, beat and admin endpoint."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from worker.cli.compare import compare, read_sides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AURORA_SYNC = [sys.executable, "-m", "worker.cli.main"]
POSTGRES = os.environ.get(
    "SYNC_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(name="wait_until", scope="session")
def _wait_until():
    return wait_until


def wait_until(condition: Callable[[], Any], within_s: float = 90) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.05)
    return found


class Installation:
    """A home, a database and two sandboxes; `aurora-sync` runs against them."""

    def __init__(self, home: Path, ready: dict[str, Any], database_url: str) -> None:
        self.home = home
        self.aurora = ready["aurora"]["base_url"]
        self.salesforce = ready["salesforce"]["instance_url"]
        self.community = ready["env"]["SYNC_AURORA__COMMUNITY"]
        self._token = ready["env"]["SYNC_ADMIN__TOKEN"]
        self._port = _free_port()
        self.env = {
            **os.environ,
            **ready["env"],
            "SYNC_HOME": str(home),
            "SYNC_DATABASE_URL": database_url,
            "SYNC_LEASE_TTL": "PT3S",
            "SYNC_AURORA__PAGE_SIZE": "25",
            # Written as soon as there are so many: so a pass has a middle.
            "SYNC_SALESFORCE__BULK_JOB_ROWS": "200",
            "SYNC_ADMIN__PORT": str(self._port),
            "SYNC_LOG_FORMAT": "json",
            "SYNC_WORKER_THREADS": "4",
        }
        self._output = home / "output"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*AURORA_SYNC, *arguments],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def beside(self, *arguments: str) -> Iterator[None]:
        """Run a command beside the supervisor's processes; what it logs is kept."""
        with self._spawn(*arguments) as process:
            try:
                yield
            finally:
                process.terminate()

    def start(self) -> None:
        before = self.said().count("all is up")
        self._supervisor = self._spawn("start")
        wait_until(lambda: self.said().count("all is up") > before)

    def stop(self) -> int:
        assert self._supervisor is not None
        self._supervisor.send_signal(signal.SIGTERM)
        with self._supervisor as process:
            code = process.wait(60)
        self._supervisor = None
        return code

    def close(self) -> None:
        if self._supervisor is not None:
            self.stop()

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [*AURORA_SYNC, *arguments],
                env=self.env,
                cwd=self.home,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    def logged(self, event: str, **values: str) -> list[dict[str, Any]]:
        found = []
        for line in self.said().splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == event and values.items() <= entry.items():
                    found.append(entry)
        return found

    def process(self, name: str) -> int:
        return int(re.findall(rf"{name}.* started \(process (\d+)\)", self.said())[-1])

    def api(self, method: str, path: str, body: object = None) -> Any:
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{self._port}/api{path}",
            headers={"Authorization": f"Bearer {self._token}"},
            json=body,
            timeout=10,
        )
        return answer.raise_for_status().json()

    def runs(self) -> list[dict[str, Any]]:
        return self.api("GET", "/runs?limit=20")["runs"]

    def request_run(self, *, full: bool = False) -> str:
        return self.api("POST", "/streams/members/runs", {"full": full})["run"]

    def wait_for_run(self, run: str | None = None) -> dict[str, Any]:
        """Wait for the run, or whichever is the newest, to end well."""

        def ended() -> dict[str, Any] | None:
            found = self.api("GET", f"/runs/{run}") if run else (self.runs() or [{}])[0]
            assert found.get("state") not in {"failed", "stopped"}, found
            return found if found.get("state") == "succeeded" else None

        return wait_until(ended)

    def control(self, side: str, path: str, body: object) -> Any:
        url = f"{getattr(self, side)}/_sandbox/{path}"
        return httpx.post(url, json=body, timeout=10).raise_for_status().json()

    def latency(self, ms: int) -> None:
        """Make the community slow, so that a run has a middle to be killed in."""
        self.control("aurora", "faults", {"kind": "latency_ms", "ms": ms})

    def records(self) -> int:
        url = f"{self.salesforce}/_sandbox/records/Community_User__c"
        return len(httpx.get(url, timeout=10).content.splitlines())

    def differences(self) -> list[Any]:
        parked = {
            failure["record"]
            for failure in self.api("GET", "/failures?limit=1000")["failures"]
        }
        sides = read_sides(self.aurora, self.salesforce)
        return compare(sides, self.community, parked=parked).differences


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def _sandboxes(members: int) -> Iterator[dict[str, Any]]:
    command = [*AURORA_SYNC, "sandbox", "--members", str(members)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
        return
    admin = POSTGRES.replace("+psycopg", "")
    name = f"e2e_{uuid4().hex[:12]}"
    try:
        connection = psycopg.connect(admin, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL answers; set SYNC_TEST_POSTGRES_URL")
    with connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{POSTGRES.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _installation(home: Path, kind: str, members: int) -> Iterator[Installation]:
    with _sandboxes(members) as ready, _database(kind) as database_url:
        made = Installation(home, ready, database_url)
        for command in (["salesforce", "deploy"], ["connect"]):
            done = made.run(*command)
            assert done.returncode == 0, done.stdout + done.stderr
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request, tmp_path) -> Iterator[Installation]:
    """A deployed org without a record, and a community of 1,500; nothing is started."""
    with _installation(tmp_path, request.param, members=1500) as made:
        if request.param == "sqlite":
            # One of the two by Bulk API jobs, the other by Collections.
            made.env["SYNC_SALESFORCE__BULK_FROM_ROWS"] = "1"
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installed(request, tmp_path_factory) -> Iterator[Installation]:
    """A small community whose first sync is over, with everything running."""
    home = tmp_path_factory.mktemp("home")
    with _installation(home, request.param, members=150) as made:
        made.start()
        made.wait_for_run()
        yield made


@pytest.fixture
def running(installed) -> Iterator[Installation]:
    """The same, quick again after the test, with nothing under way."""
    yield installed
    installed.latency(0)
    wait_until(lambda: installed.runs()[0]["state"] == "succeeded")
