"""
What one worker process holds for all its tasks: the services, built by the first task
and closed with the process, and the flag that asks runs to hand over.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from celery import signals

from worker import bootstrap, logs
from worker.app import app
from worker.queue import send_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.bootstrap import Services
    from worker.settings import Settings

# They say each message twice, at every tick; what a run did is told by run.finished.
CHATTERERS = ("celery.worker.strategy", "celery.app.trace", "celery.beat")


class WorkerProcess:
    """Services shared by the threads of one process; made at the first need."""

    def __init__(
        self,
        build: Callable[[Callable[[str], None]], Services],
        send: Callable[[str], None],
    ) -> None:
        self._build = build
        self._send = send
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._services: Services | None = None
        self._stopping = False
        self._handed_over: list[str] = []

    def services(self) -> Services:
        with self._lock:
            if self._services is None:
                self._services = self._build(self.send)
            return self._services

    def send(self, run_id: str) -> None:
        """Wake a worker, but never this one while it ends: it would hand over again."""
        if self._stopping:
            self._handed_over.append(run_id)
        else:
            self._send(run_id)

    def is_stopping(self) -> bool:
        """Say whether the process ends: a run asks between batches and hands over."""
        return self._stopping

    def stop(self, **_: object) -> None:
        # A plain flag: this is called inside a signal handler, where a lock may hang.
        self._stopping = True

    def forked(self, **_: object) -> None:
        """Drop, without closing, what the parent of a prefork child holds."""
        self._begin()

    def close(self, **_: object) -> None:
        """Send what was handed over, now that nothing is taken in; close the rest."""
        with self._lock:
            services, self._services = self._services, None
            handed_over, self._handed_over = self._handed_over, []
        for run_id in handed_over:
            self._send(run_id)
        if services is not None:
            services.close()


def configure_logs(settings: Settings) -> None:
    """Set up our logs, with Celery's own chatter left to the level debug."""
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    if settings.log_level != "debug":
        for name in CHATTERERS:
            logging.getLogger(name).setLevel(logging.WARNING)


def _configure_logs(**_: object) -> None:
    configure_logs(app.settings)


process = WorkerProcess(lambda send: bootstrap.build(app.settings, send=send), send_run)

# A receiver of this signal keeps Celery from setting up logs of its own.
signals.setup_logging.connect(_configure_logs, weak=False)
signals.worker_shutting_down.connect(process.stop, weak=False)
signals.worker_shutdown.connect(process.close, weak=False)
signals.worker_process_init.connect(process.forked, weak=False)
signals.worker_process_shutdown.connect(process.close, weak=False)
