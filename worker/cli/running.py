"""`start`, `worker`, `beat`, `admin`: the commands that run until they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from worker import logs
from worker.cli import leash, processes
from worker.cli import start as supervised
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.settings import Settings


def start(*, leashed: leash.Leashed = False) -> None:
    """Run worker, beat and admin endpoint under one supervisor, until Ctrl-C."""
    if leashed:
        leash.follow()
    _run(supervised.run)


def worker() -> None:
    """Run the worker alone."""
    _run(processes.worker)


def beat() -> None:
    """Run beat alone: it sends a tick every five seconds."""
    _run(processes.beat)


def admin() -> None:
    """Run the admin endpoint alone."""
    _run(processes.admin)


def _run(process: Callable[[Settings], int]) -> None:
    settings = load_settings()
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    raise typer.Exit(process(settings))
