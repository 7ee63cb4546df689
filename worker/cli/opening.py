"""How a command gets its services: settings read, logs quiet, database up to date."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker import logs
from worker.bootstrap import services
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.bootstrap import Services
    from worker.settings import Settings


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Services]:
    """
    Yield services on a database that is up to date.

    Raises ConfigurationError with every problem of the settings at once.
    """
    settings = settings or load_settings()
    quiet(settings)
    with services(settings) as svc:
        svc.prepare()
        yield svc


def quiet(settings: Settings) -> None:
    """Log warnings only, for the command prints the rest; unless told otherwise."""
    chosen = "log_level" in settings.model_fields_set
    level = settings.log_level if chosen else "warning"
    logs.configure(log_format=settings.log_format, level=level)
    if not chosen:
        # It tells of each connection tried again; the command tells how that ended.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
