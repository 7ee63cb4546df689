from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest

from worker.cli import stage

AGREED = re.compile(r"differences +0\n")


@pytest.fixture
def database_url(sqlite_url):
    """The demo has a database of its own."""
    return sqlite_url


def test_reads_settings_from_the_given_variables_alone(env, monkeypatch):
    monkeypatch.setenv("SYNC_AURORA__COMMUNITY", "another")
    monkeypatch.setenv("SYNC_BROKER_URL", "redis://elsewhere.example/0")

    settings = stage.settings_from(env)

    assert (settings.aurora.community, settings.broker_url) == ("demo", "")
    assert settings.database == env["SYNC_DATABASE_URL"]


def test_gives_children_nothing_of_the_callers_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNC_BROKER_URL", "redis://elsewhere.example/0")

    env = stage.clean(tmp_path, {"SYNC_HOME": "x"})

    assert [name for name in env if name.startswith("SYNC_")] == ["SYNC_HOME"]


def test_takes_another_port_where_the_first_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        found = stage.free_port(port)

    assert found not in {0, port}


def test_writes_the_environment_for_this_user_alone(tmp_path):
    scene = stage.Stage("a", "b", {"SYNC_X": "it's $HOME"}, tmp_path)

    path = stage.write_exports(scene)

    said = subprocess.run(
        ["/bin/sh", "-c", f'. {path}; printf %s "$SYNC_X"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "it's $HOME"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.e2e
def test_brings_every_member_over_and_finds_no_difference(tmp_path):
    ended = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "worker.cli.main"),
            *("demo", "--members", "120", "--once"),
        ],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 0, ended
    assert ended.stderr == ""
    assert AGREED.search(re.sub(r" +\n", "\n", ended.stdout))
    assert [each for each in tmp_path.iterdir() if "aurora-sync" in each.name] == []


@pytest.mark.e2e
def test_a_killed_demo_leaves_no_sandbox_behind(tmp_path):
    child = subprocess.Popen(
        [*(sys.executable, "-P", "-m", "worker.cli.main"), "sandbox", "--leashed"],
        env=stage.clean(tmp_path),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    ready = child.stdout.readline()

    child.stdin.close()
    code = child.wait(timeout=20)

    child.stdout.close()
    assert ready.startswith(b'{"aurora": {')
    assert code == 0
