"""The supervisor: what it starts, restarts and gives up on, and how it stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from worker.cli.supervisor import Child, Supervisor

# Writes its name and what it was handed, then obeys: `die` ends it, SIGTERM is noted.
CHILD = """
import os, pathlib, signal, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def note(text):
    with (folder / "notes").open("a") as notes:
        notes.write(f"{name} {text}\\n")
def end(*_):
    note("stopped"); os._exit(0)
signal.signal(signal.SIGTERM, end)
(folder / f"{name}.pid").write_text(str(os.getpid()))
note("up")
while not (folder / "die").exists():
    time.sleep(0.02)
sys.exit(int((folder / "die").read_text()))
"""


@pytest.fixture
def child(tmp_path):
    def make(name: str, **more) -> Child:
        return Child(name, [sys.executable, "-c", CHILD, name, str(tmp_path)], **more)

    return make


@pytest.fixture
def notes(tmp_path):
    def read() -> list[str]:
        path = tmp_path / "notes"
        return path.read_text().splitlines() if path.exists() else []

    return read


def supervisor_of(command: list[str], *, reads_input: bool = True):
    script = (
        "from worker.cli.supervisor import Child, Supervisor\n"
        f"child = Child('child', {command!r}, reads_input={reads_input})\n"
        "Supervisor([child], lambda _: None).run()\n"
    )
    return subprocess.Popen([sys.executable, "-c", script])


def wait_for(condition) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def when(condition, act) -> threading.Thread:
    def watch() -> None:
        wait_for(condition)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def interrupt(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stops_in_the_reverse_of_the_starting_order(child, notes, number):
    names = ["broker", "worker", "beat"]
    thread = when(lambda: len(notes()) == 3, lambda: interrupt(number))

    code = Supervisor([child(name) for name in names], lambda _: None).run()

    thread.join()
    assert code == 0
    assert notes()[3:] == ["beat stopped", "worker stopped", "broker stopped"]


def test_starts_a_child_only_when_the_one_before_is_ready(child, notes):
    first = child("first", is_ready=lambda: "first up" in notes())
    thread = when(lambda: len(notes()) == 2, interrupt)

    Supervisor([first, child("second")], lambda _: None).run()

    thread.join()
    assert notes()[:2] == ["first up", "second up"]


def test_restarts_what_was_killed(child, notes, tmp_path):
    said: list[str] = []

    def kill_then_stop() -> None:
        os.kill(int((tmp_path / "worker.pid").read_text()), signal.SIGKILL)
        wait_for(lambda: notes() == ["worker up", "worker up"])
        interrupt()

    thread = when(lambda: notes() == ["worker up"], kill_then_stop)
    Supervisor([child("worker")], said.append).run()

    thread.join()
    assert "worker was ended by SIGKILL; again in 1 s" in said


def test_gives_up_when_a_child_refuses_its_settings(child, notes, tmp_path):
    thread = when(
        lambda: notes() == ["worker up"], lambda: (tmp_path / "die").write_text("2")
    )

    code = Supervisor([child("worker")], lambda _: None).run()

    thread.join()
    assert code == 2


def test_ends_when_the_first_start_fails(child, tmp_path):
    (tmp_path / "die").write_text("1")

    code = Supervisor(
        [child("broker", is_ready=lambda: False), child("worker")], lambda _: None
    ).run()

    assert code == 1


def test_kills_a_child_that_does_not_listen(notes, tmp_path):
    deaf = (
        "import signal, time, pathlib;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(tmp_path / 'notes')!r}).write_text('deaf up');"
        "time.sleep(60)"
    )
    said: list[str] = []
    stops = ((signal.SIGTERM, 0.1),)
    thread = when(lambda: notes() == ["deaf up"], interrupt)

    Supervisor(
        [Child("deaf", [sys.executable, "-c", deaf], stops=stops)], said.append
    ).run()

    thread.join()
    assert said[-1] == "deaf was ended by SIGKILL"


def test_does_not_wait_when_told_twice(notes, tmp_path):
    deaf = (
        "import signal, time, pathlib;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(tmp_path / 'notes')!r}).write_text('deaf up');"
        "time.sleep(60)"
    )
    said: list[str] = []
    asked = "stopping; once more to stop without waiting"
    threads = [
        when(lambda: notes() == ["deaf up"], interrupt),
        when(lambda: asked in said, interrupt),
    ]

    Supervisor(
        [Child("deaf", [sys.executable, "-c", deaf], stops=((signal.SIGTERM, 60),))],
        said.append,
    ).run()

    for thread in threads:
        thread.join()
    assert said[-1] == "deaf was ended by SIGKILL"


def test_restarts_a_child_that_lives_and_does_nothing(child, notes):
    said: list[str] = []
    ill = child("worker", ailment=lambda _: "no tick" if len(notes()) == 1 else None)
    thread = when(lambda: len(notes()) == 3, interrupt)

    Supervisor([ill], said.append).run()

    thread.join()
    assert "worker: no tick; restarting it" in said
    assert notes() == ["worker up", "worker stopped", "worker up", "worker stopped"]


def test_a_child_hears_by_its_input_that_the_supervisor_was_killed(tmp_path, notes):
    listen = (
        "import pathlib, sys;"
        f"notes = pathlib.Path({str(tmp_path / 'notes')!r});"
        "notes.write_text('up');"
        "sys.stdin.buffer.read();"
        "notes.write_text('alone')"
    )

    with supervisor_of([sys.executable, "-c", listen]) as supervisor:
        wait_for(lambda: notes() == ["up"])
        supervisor.kill()

    wait_for(lambda: notes() == ["alone"])


@pytest.mark.skipif(sys.platform != "linux", reason="a signal of Linux alone")
def test_a_child_that_reads_nothing_ends_with_a_killed_supervisor(notes, tmp_path):
    deaf_by_input = [sys.executable, "-c", CHILD, "broker", str(tmp_path)]

    with supervisor_of(deaf_by_input, reads_input=False) as supervisor:
        wait_for(lambda: notes() == ["broker up"])
        supervisor.kill()

    wait_for(lambda: notes() == ["broker up", "broker stopped"])
