"""Signs of life: `/healthz`, `/readyz`, and `/metrics` for Prometheus. No token."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from worker import clock
from worker.admin import metrics
from worker.errors import ConfigurationError, WorkerError
from worker.sync import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.bootstrap import Services

router = APIRouter(tags=["health"])

KEPT_FOR = timedelta(seconds=5)
# Ticks come every 5 s; a worker that is silent for so long has stopped.
TICK_OVERDUE = timedelta(seconds=60)

State = Literal["ok", "failing"]


class Health(BaseModel):
    """The process answers; nothing more is promised."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    status: State
    detail: str = ""


class Ready(BaseModel):
    """Whether work can be done, by what is needed for it."""

    status: State
    at: datetime
    checks: dict[str, Check]
    last_tick_age_s: float | None


class Readiness:
    """
    Probes everything that is needed, at once and at most every few seconds: many
    probes of ours must not become calls on the org's daily allowance.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn = threading.Lock()
        self._last: Ready | None = None

    def now(self) -> Ready:
        """Return the newest answer, asking again when it is old."""
        with self._turn:
            at = clock.now()
            if self._last is None or at - self._last.at >= KEPT_FOR:
                self._last = self._probe(at)
            return self._last

    def _probe(self, at: datetime) -> Ready:
        settings, database = self._services.settings, self._services.database
        probes: dict[str, Callable[[], str]] = {
            "database": lambda: reach.database_problem(database),
            "broker": lambda: reach.broker_problem(settings),
            "aurora": lambda: _remote("aurora", settings.aurora.base_url),
            "salesforce": lambda: _remote("salesforce", settings.salesforce.login_url),
        }
        # Side by side: together they must not take longer than a prober waits.
        with ThreadPoolExecutor(len(probes)) as pool:
            checks = dict(zip(probes, pool.map(_check, probes.values()), strict=True))
        answers = checks["database"].status == "ok"
        tick = self._services.store.communities.last_tick_at() if answers else None
        age = at - tick if tick else None
        checks["worker"] = _worker(age)
        failing = any(check.status == "failing" for check in checks.values())
        return Ready(
            status="failing" if failing else "ok",
            at=at,
            checks=checks,
            last_tick_age_s=age.total_seconds() if age is not None else None,
        )


def _check(probe: Callable[[], str]) -> Check:
    try:
        problem = probe()
    except ConfigurationError as error:
        problem = "; ".join(error.problems)
    except WorkerError as error:
        problem = str(error)
    return Check(status="failing" if problem else "ok", detail=problem)


def _remote(service: str, url: str) -> str:
    reach.remote_clock(service, url)
    return ""


def _worker(age: timedelta | None) -> Check:
    if age is None:
        return Check(status="failing", detail="no worker has ticked yet")
    if age > TICK_OVERDUE:
        detail = f"the last tick was {age.total_seconds():.0f} s ago"
        return Check(status="failing", detail=detail)
    return Check(status="ok")


@router.get("/healthz")
def healthz() -> Health:
    """Whether this process answers."""
    return Health()


@router.get("/readyz", responses={503: {"model": Ready}})
def readyz(request: Request, response: Response) -> Ready:
    """Whether database, broker, worker and both remotes answer; kept for 5 seconds."""
    readiness: Readiness = request.app.state.readiness
    found = readiness.now()
    if found.status == "failing":
        response.status_code = 503
    return found


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text"}},
)
def prometheus(request: Request) -> Response:
    """Numbers for Prometheus, read from the database at each scrape."""
    return Response(
        metrics.render(request.app.state.services.store, clock.now()),
        media_type=metrics.CONTENT_TYPE,
    )
