"""
`aurora-sync start`: everything one machine needs, under one supervisor. Brings the
database up to date, then keeps broker, worker, beat and admin endpoint alive.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker import bootstrap, clock
from worker.broker import EmbeddedBroker
from worker.cli import processes
from worker.cli.exits import Exit
from worker.cli.supervisor import Child, Supervisor
from worker.queue import last_tick_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from worker.settings import AdminSettings, Settings

# A worker hands its runs over between batches; one batch takes seconds.
WARM_S = 45.0
COLD_S = 10.0
# Ticks wait behind a run where one thread does all: that long is no reason to restart.
TICK_OVERDUE_S = 120.0
OLD_BROKER_ENDS_WITHIN_S = 10.0


def run(settings: Settings) -> int:
    """
    Run until SIGTERM or Ctrl-C; return the exit code. The processes read the same
    environment as this one.

    3 where another `start` has this home; 2 where a process refuses its settings.
    """
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone_in(home) as holder:
        if holder is not None:
            print(f"Already started in {home} (process {holder}).", file=sys.stderr)
            return Exit.ALREADY_RUNNING
        with bootstrap.services(settings) as services:
            services.prepare()
        say("database is up to date")
        return Supervisor(list(_children(settings)), say).run()


def say(text: str) -> None:
    print(f"{clock.now():%H:%M:%S} {text}", flush=True)


def _children(settings: Settings) -> Iterator[Child]:
    if not settings.broker_url:
        yield _broker(EmbeddedBroker(settings.home))
    yield Child(
        "worker",
        processes.command("worker"),
        stops=((signal.SIGTERM, WARM_S), (signal.SIGQUIT, COLD_S)),
        ailment=ticks_overdue(settings.home, settings.run_slice),
    )
    yield Child("beat", processes.command("beat"))
    yield _admin(settings.admin)


def _admin(settings: AdminSettings) -> Child:
    address = (settings.host, settings.port)

    def is_ready() -> bool:
        try:
            with socket.create_connection(address, timeout=1):
                return True
        except OSError:
            return False

    return Child(
        f"admin endpoint http://{settings.host}:{settings.port}",
        processes.command("admin"),
        # Port 0 lets the machine choose: then only the log says which.
        is_ready=is_ready if settings.port else None,
    )


def _broker(broker: EmbeddedBroker) -> Child:
    broker.prepare()
    # Left over by a supervisor that was killed: nobody would restart or stop it.
    broker.shut_down()
    deadline = clock.monotonic() + OLD_BROKER_ENDS_WITHIN_S
    while broker.answers() and clock.monotonic() < deadline:
        time.sleep(0.1)
    return Child("broker", broker.command(), reads_input=False, is_ready=broker.answers)


def ticks_overdue(home: Path, run_slice: timedelta) -> Callable[[float], str | None]:
    """Watch for a worker that lives and does nothing: a known fault of reconnecting."""
    limit_s = TICK_OVERDUE_S + run_slice.total_seconds()

    def ailment(age_s: float) -> str | None:
        if age_s < limit_s:
            return None
        last = last_tick_at(home)
        silent_s = (clock.now() - last).total_seconds() if last else age_s
        return f"no tick for {silent_s:.0f} s" if silent_s > limit_s else None

    return ailment


@contextmanager
def alone_in(home: Path) -> Iterator[str | None]:
    """Hold the home's lock while the block runs; yield who else holds it, if so."""
    # The lock ends with the process, however that ends: no stale file to clean up.
    with (home / "start.lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            yield lock.read().strip() or "unknown"
            return
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield None
