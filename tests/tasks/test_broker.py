"""The embedded broker: where it lives, what it keeps, who may reach it."""

from __future__ import annotations

import shutil
import stat
import subprocess
import time
from contextlib import contextmanager

import pytest
import redis

from worker import broker as broker_module
from worker.broker import EmbeddedBroker
from worker.errors import ConfigurationError


@contextmanager
def serving(broker: EmbeddedBroker):
    broker.prepare()
    with subprocess.Popen(broker.command()) as process:
        try:
            deadline = time.monotonic() + 10
            while not broker.answers() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()


def client(broker: EmbeddedBroker) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(broker.socket))


@pytest.fixture
def broker(tmp_path) -> EmbeddedBroker:
    return EmbeddedBroker(tmp_path / "home")


def test_answers_only_while_it_serves(broker):
    before = broker.answers()
    with serving(broker):
        during = broker.answers()

    assert (before, during, broker.answers()) == (False, True, False)


def test_keeps_messages_over_a_kill(broker):
    with serving(broker) as process:
        with client(broker) as link:
            link.lpush("bulk", "run-1")
            link.execute_command("WAITAOF", 1, 0, 5000)
        process.kill()

    with serving(broker), client(broker) as link:
        kept = link.lrange("bulk", 0, -1)

    assert kept == [b"run-1"]


def test_refuses_a_message_rather_than_dropping_another(broker):
    with serving(broker), client(broker) as link:
        policy = link.config_get("maxmemory-policy")

    assert policy == {"maxmemory-policy": "noeviction"}


def test_lets_nobody_else_in(broker):
    with serving(broker):
        modes = [
            stat.S_IMODE(path.stat().st_mode) for path in (broker.folder, broker.socket)
        ]

    assert modes == [0o700, 0o700]


def test_ends_when_asked(broker):
    with serving(broker) as process:
        broker.shut_down()

        assert process.wait(10) == 0


def test_asking_a_broker_that_is_not_there_to_end_does_nothing(broker):
    broker.shut_down()

    assert not broker.answers()


def test_serves_a_home_too_deep_for_a_socket(tmp_path):
    broker = EmbeddedBroker(tmp_path / ("deep" * 20) / ("er" * 40))

    with serving(broker):
        during = broker.answers()
    shutil.rmtree(broker.socket.parent)

    assert during
    assert not broker.socket.is_relative_to(tmp_path)


def test_every_process_finds_the_broker_of_a_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    found = EmbeddedBroker(broker_module.Path("home"))

    assert found.url == EmbeddedBroker(tmp_path / "home").url


def test_refuses_a_socket_folder_that_is_open_to_others(tmp_path):
    broker = EmbeddedBroker(tmp_path / ("deep" * 20) / ("er" * 40))
    broker.socket.parent.mkdir(mode=0o755)
    broker.socket.parent.chmod(0o755)

    with pytest.raises(ConfigurationError, match="not for this user alone"):
        broker.prepare()

    broker.socket.parent.rmdir()


def test_takes_a_server_on_path_where_no_wheel_fits(tmp_path, monkeypatch):
    server = tmp_path / "redis-server"
    server.touch(mode=0o755)
    monkeypatch.setattr(broker_module, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert broker_module.server_binary() == server


def test_names_the_cure_where_there_is_no_server_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(broker_module, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"SYNC_BROKER_URL.*valkey-server"):
        broker_module.server_binary()
