from __future__ import annotations

import socket
import threading

import pytest
import requests

from worker.sandbox.processes import SandboxFailed
from worker.sandbox.server import run_in_thread, run_sandboxes


async def hello(scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def test_serves_in_a_thread_and_stops_without_a_trace():
    before = threading.active_count()

    with run_in_thread(hello) as base_url, requests.Session() as http:
        answer = http.get(f"{base_url}/a", timeout=5)

    assert (answer.status_code, answer.text) == (200, "/a")
    assert "Date" in answer.headers
    assert threading.active_count() == before
    with pytest.raises(requests.ConnectionError), requests.Session() as http:
        http.get(base_url, timeout=5)


def test_two_servers_run_beside_each_other():
    with (
        run_in_thread(hello) as one,
        run_in_thread(hello) as two,
        requests.Session() as http,
    ):
        assert one != two
        assert [http.get(url, timeout=5).status_code for url in (one, two)] == [
            200,
            200,
        ]


def test_sets_no_delay_on_every_connection():
    with run_in_thread(hello) as base_url, requests.Session() as http:
        times = [
            http.get(base_url, timeout=5).elapsed.total_seconds() for _ in range(9)
        ]

    # A delayed ACK would cost 40 ms a call from the second on.
    assert sorted(times)[4] < 0.03


class Enough(Exception):
    pass


def test_runs_both_sandboxes_in_processes_that_fit_together():
    seen = {}

    def look(ready):
        seen.update(ready)
        with requests.Session() as http:
            members = http.get(
                f"{ready['aurora']['base_url']}/_sandbox/members", timeout=10
            )
            seen["members"] = len(members.text.splitlines())
            contacts = http.get(
                f"{ready['salesforce']['instance_url']}/_sandbox/records/Contact",
                timeout=10,
            )
            seen["contacts"] = len(contacts.text.splitlines())
        raise Enough

    with pytest.raises(Enough):
        run_sandboxes(members=40, on_ready=look)

    assert seen["members"] == 40
    assert 15 <= seen["contacts"] <= 35
    assert set(seen["aurora"]) == {
        "base_url",
        "username",
        "password",
        "client_id",
        "client_secret",
        "redirect_uri",
    }
    assert all(isinstance(value, str) for value in seen["env"].values())
    assert seen["env"]["SYNC_AURORA__BASE_URL"] == seen["aurora"]["base_url"]
    assert (
        seen["env"]["SYNC_SALESFORCE__LOGIN_URL"] == seen["salesforce"]["instance_url"]
    )


def test_names_the_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(SandboxFailed, match=f"aurora sandbox: port {port}: "):
            run_sandboxes(aurora_port=port, members=0, on_ready=print)
