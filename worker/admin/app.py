"""Puts the admin endpoint together; uvicorn calls `from_settings` by its name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from worker import bootstrap
from worker.admin import api, health, problems
from worker.admin.guard import SecurityHeaders, bearer
from worker.queue import send_run
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.bootstrap import Services

ABOUT = """
What goes on between a community and an org, for scripts and dashboards. Calls under
`/api` carry the admin token (`Authorization: Bearer …`); every refusal is
`{"error": word, "detail": sentence}`. Instants are UTC.
"""


def from_settings() -> FastAPI:
    """Build the application from the environment; it closes its services at the end."""
    return create_app(bootstrap.build(load_settings(), send=send_run), owned=True)


def create_app(services: Services, *, owned: bool = False) -> FastAPI:
    """Build the application; it opens and closes services that it owns."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if not owned:
            yield
            return
        services.prepare()
        try:
            yield
        finally:
            services.close()

    app = FastAPI(
        title="aurora-sync",
        description=ABOUT,
        version=version("aurora-sync"),
        lifespan=lifespan,
        # Their pages load scripts from elsewhere, which our headers forbid.
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.readiness = health.Readiness(services)
    problems.install(app)
    app.add_middleware(SecurityHeaders)
    app.include_router(health.router)
    app.include_router(
        api.router,
        prefix="/api",
        dependencies=[Depends(bearer)],
        responses=problems.answers(401, 500, 503),
    )
    return app
