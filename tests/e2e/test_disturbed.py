"""A running installation: whatever is killed, stopped or repeated, both sides agree."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from worker.app import SyncApp
from worker.broker import EmbeddedBroker
from worker.settings import Settings


def visit(installation, count: int = 20) -> None:
    seed = time.monotonic_ns() % 1000
    installation.control("aurora", "members/change", {"count": count, "seed": seed})


def test_a_killed_broker_comes_back_and_the_sync_goes_on(running, wait_until):
    broker = running.process("broker")

    os.kill(broker, signal.SIGKILL)
    visit(running)
    # A message lost meanwhile comes again after half a minute: that is not for here.
    wait_until(EmbeddedBroker(running.home).answers)
    running.wait_for_run(running.request_run())

    assert running.process("broker") != broker
    assert running.differences() == []


def test_a_worker_that_is_stopped_hands_its_run_over(running, wait_until):
    visit(running)
    running.latency(200)
    run = running.request_run(full=True)
    wait_until(lambda: running.logged("run.started", run=run))

    os.kill(running.process("worker"), signal.SIGTERM)
    wait_until(lambda: running.logged("run.handed_over", run=run))
    running.latency(0)
    running.wait_for_run(run)

    assert len(running.logged("run.handed_over", run=run)) == 1
    assert len(running.logged("run.started", run=run)) == 2
    assert running.differences() == []


def test_a_message_that_came_many_times_is_worked_off_once(running):
    visit(running)
    running.latency(100)
    with running.beside("worker"):
        run = running.request_run(full=True)
        send_again(running, run, times=10)
        running.wait_for_run(run)

    assert len(running.logged("run.started", run=run)) == 1
    assert running.differences() == []


def send_again(installation, run: str, times: int) -> None:
    home = Path(installation.home)
    with SyncApp("test", config_source="celeryconfig", set_as_current=False) as app:
        app.use(Settings.model_construct(home=home, broker_url=""))
        for _ in range(times):
            app.send_task("members.run", args=[run])


def test_a_home_is_started_once(running):
    second = running.run("start")

    assert second.returncode == 3
    assert "Already started" in second.stderr


def test_stops_in_order_and_goes_on_when_started_again(running):
    code = running.stop()
    stopped = running.said().splitlines()[-30:]
    running.start()
    visit(running)
    running.wait_for_run(running.request_run())

    ended = [line.split(" ", 1)[1] for line in stopped if line.endswith(" ended")]
    assert code == 0
    assert [name.split()[0] for name in ended] == ["admin", "beat", "worker", "broker"]
    assert running.differences() == []
