"""Asks whether what we depend on answers at all: cheap, unmetered, and with a limit."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests
from kombu.connection import Connection
from kombu.exceptions import OperationalError as BrokerUnreachable
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from worker import http
from worker.broker import EmbeddedBroker
from worker.errors import RemoteUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from worker.database import Database
    from worker.settings import Settings

TIMEOUT = timedelta(seconds=5)


def remote_clock(
    service: str, url: str, timeout: timedelta = TIMEOUT
) -> datetime | None:
    """
    Return the remote's clock; None where its answer has none.

    Any answer will do, a refusal too; without one raises RemoteUnavailable. Not
    signed in, so it costs nothing of a daily allowance.
    """
    try:
        with http.session(connect_timeout=timeout, read_timeout=timeout) as session:
            answer = session.head(url, allow_redirects=False)
    except requests.RequestException as error:
        detail = f"no answer ({type(error).__name__})"
        raise RemoteUnavailable(service, "reach", detail=detail) from error
    date = answer.headers.get("Date")
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None


def database_problem(database: Database) -> str:
    """Return what is wrong with the database; empty where it answers."""
    try:
        with database.read() as connection:
            connection.execute(select(1))
    except OperationalError:
        return f"{database.url.get_backend_name()} does not answer"
    return ""


def broker_problem(settings: Settings) -> str:
    """
    Return what is wrong with the broker; empty where it answers.

    Raises ConfigurationError where the embedded one could not run at all.
    """
    if not settings.broker_url:
        answers = EmbeddedBroker(settings.home).answers()
        return "" if answers else "the embedded broker is not running"
    limit_s = TIMEOUT.total_seconds()
    try:
        broker = Connection(  # type: ignore[no-untyped-call]  # kombu ships no types
            settings.broker_url, connect_timeout=limit_s
        )
        with broker:
            broker.ensure_connection(  # type: ignore[no-untyped-call]  # the same
                max_retries=1, interval_start=0, timeout=limit_s
            )
    except (BrokerUnreachable, OSError) as error:
        return f"does not answer ({type(error).__name__})"
    return ""
