"""
The processes of a running installation, each apart: worker, beat, admin endpoint.
As a module it is what the supervisor starts; people use `aurora-sync worker` and so on.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING

import uvicorn
from celery.platforms import SecurityWarning

from worker import logs
from worker.app import app
from worker.broker import EmbeddedBroker
from worker.cli.exits import Exit, exit_for, explain
from worker.errors import WorkerError
from worker.queue import Queue
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.settings import Settings

# Named by string: doorways do not import each other.
ADMIN_APP = "worker.admin.app:from_settings"
# Event streams of open pages would hold the admin endpoint for ever: > 12 s measured.
ADMIN_GRACE_S = 5
# An orphan ends gently within this, or at once.
ORPHAN_GRACE_S = 30.0


def worker(settings: Settings) -> int:
    """Work off runs until SIGTERM; exit code 2 where no broker answers."""
    return _without_broker(settings) or _worker(settings)


def beat(settings: Settings) -> int:
    """Send a tick every five seconds until SIGTERM; exit code 2 without a broker."""
    return _without_broker(settings) or _beat(settings)


def admin(settings: Settings) -> int:
    """Serve the admin endpoint until SIGTERM; works while the broker is away, too."""
    _without_broker(settings)
    return _admin(settings)


def _without_broker(settings: Settings) -> int:
    broker = EmbeddedBroker(settings.home)
    if settings.broker_url or broker.answers():
        return Exit.FINE
    print(
        f"No broker: none answers in {broker.folder} and SYNC_BROKER_URL is not set. "
        "Run `aurora-sync start` with this SYNC_HOME, or set SYNC_BROKER_URL.",
        file=sys.stderr,
    )
    return Exit.WRONG_USE


def _worker(settings: Settings) -> int:
    app.use(settings)
    # Celery warns root of pickled messages; ours are JSON, and nothing else is taken.
    warnings.simplefilter("ignore", SecurityWarning)
    # Threads: the work is waiting for remotes. Mingle and gossip ask other workers
    # for what the database knows.
    controller = app.Worker(
        hostname=f"worker-{os.getpid()}@{platform.node()}",
        pool_cls="threads",
        concurrency=settings.worker_threads,
        queues=[queue.value for queue in Queue],
        loglevel=settings.log_level.upper(),
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    controller.start()
    return int(controller.exitcode or 0)


def _beat(settings: Settings) -> int:
    app.use(settings)
    app.Beat(loglevel=settings.log_level.upper(), quiet=True).run()
    return Exit.FINE


def _admin(settings: Settings) -> int:
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    server = uvicorn.Server(
        uvicorn.Config(
            ADMIN_APP,
            factory=True,
            host=settings.admin.host,
            port=settings.admin.port,
            timeout_graceful_shutdown=ADMIN_GRACE_S,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    )
    server.run()
    return Exit.FINE if server.started else Exit.SOME_FAILED


RUNS: dict[str, Callable[[Settings], int]] = {
    "worker": _worker,
    "beat": _beat,
    "admin": _admin,
}


def command(name: str) -> list[str]:
    """Return the command of one process; it ends when its standard input does."""
    return [sys.executable, "-P", "-m", __name__, name]


def main(name: str) -> int:
    """Run one process for the supervisor that holds the other end of our input."""
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        return RUNS[name](load_settings())
    except WorkerError as error:
        print("\n".join(explain(error)), file=sys.stderr)
        return exit_for(error)


def _end_with_supervisor() -> None:
    # Not sys.stdin: its lock, held by this thread for ever, would abort the exit.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ORPHAN_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
