"""
Every refusal of the admin endpoint as one JSON shape: {"error", "detail"}, and the
table from our errors to a status. Values that were sent in are never repeated.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from worker.errors import AlreadyRunning, ConfigurationError, WorkerError
from worker.sync.cures import cure_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request


class Problem(BaseModel):
    """A refusal: a word for scripts and a sentence for people."""

    error: str
    detail: str
    run: str | None = None


class Refused(HTTPException):
    """A refusal of our own; `error` is the word that scripts look at."""

    def __init__(
        self,
        status: int,
        error: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.error = error


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of the refusals that an endpoint gives."""
    return {
        status: {"model": Problem, "description": _MEANING[status]}
        for status in statuses
    }


_MEANING = {
    401: "The bearer token is missing or wrong",
    404: "There is no such thing",
    409: "Another run has the stream; its id is in `run`",
    422: "A value is not allowed; the text names the key and what is",
    500: "A fault of ours; the endpoint's log has the trace",
    503: "No admin token is set, or something that is needed does not answer",
}


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(HTTPException, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WorkerError, _worker_error)
    app.add_exception_handler(OperationalError, _no_database)
    # Answered here, and raised on to the server's log.
    app.add_exception_handler(Exception, _bug)


def problem(
    status: int, error: str, detail: str, run: str | None = None
) -> JSONResponse:
    body = Problem(error=error, detail=detail, run=run)
    return JSONResponse(body.model_dump(exclude_none=True), status)


def _refusal(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, Refused):
        answer = problem(error.status_code, error.error, error.detail)
    else:
        assert isinstance(error, HTTPException)  # noqa: S101 -- how it is registered
        word = HTTPStatus(error.status_code).name.lower()
        answer = problem(error.status_code, word, error.detail)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- how it is registered
    said = []
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
        said.append(f"{where}: {found['msg']}")
    return problem(422, "invalid", "; ".join(said))


def _worker_error(_request: Request, error: Exception) -> JSONResponse:
    cure = cure_of(error) if isinstance(error, WorkerError) else ""
    detail = f"{error}; {cure}" if cure else str(error)
    match error:
        case AlreadyRunning():
            return problem(409, "already_running", str(error), error.run_id)
        case ConfigurationError():
            return problem(503, "configuration", detail)
        case _:
            return problem(503, "unavailable", detail)


def _no_database(_request: Request, _error: Exception) -> JSONResponse:
    # Without the error's text: that holds statements and addresses.
    return problem(503, "no_database", "the database does not answer")


def _bug(_request: Request, _error: Exception) -> JSONResponse:
    return problem(500, "internal", "a fault of ours; see the endpoint's log")
