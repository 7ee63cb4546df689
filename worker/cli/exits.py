"""
Exit codes, and how an error becomes one clear line and a code. Scripts rely on both.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import typer
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup

from worker.errors import (
    AlreadyRunning,
    BreakerTripped,
    ConfigurationError,
    LeaseLost,
    RemoteError,
    WorkerError,
)
from worker.sync.cures import cure_for

if TYPE_CHECKING:
    from typing import NoReturn


NO_DATABASE = (
    "SYNC_DATABASE_URL: the database does not answer; see `aurora-sync doctor`"
)


class Exit(IntEnum):
    """
    fine: all done. some_failed: records failed, or findings. wrong_use: wrong
    arguments or settings. already_running: another run has the stream. refused: a
    remote refused or could not be reached.
    """

    FINE = 0
    SOME_FAILED = 1
    WRONG_USE = 2
    ALREADY_RUNNING = 3
    REFUSED = 4


def exit_for(error: WorkerError) -> Exit:
    """Return the exit code of an error that ended the command."""
    return exit_for_kind(type(error))


def exit_for_kind(kind: type[WorkerError]) -> Exit:
    """Return the exit code of an error of which only the class is known."""
    return next((code for family, code in _CODES if issubclass(kind, family)))


_CODES: tuple[tuple[type[WorkerError], Exit], ...] = (
    (ConfigurationError, Exit.WRONG_USE),
    (AlreadyRunning, Exit.ALREADY_RUNNING),
    (LeaseLost, Exit.ALREADY_RUNNING),
    # Nobody refused: the worker stopped itself and asks a person.
    (BreakerTripped, Exit.SOME_FAILED),
    (RemoteError, Exit.REFUSED),
    (WorkerError, Exit.SOME_FAILED),
)


def explain(error: WorkerError) -> list[str]:
    """Return the lines that tell a person what is wrong and what cures it."""
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    return [cured(str(error), type(error), str(getattr(error, "service", "")))]


def cured(text: str, kind: type[WorkerError], service: str) -> str:
    """Return an error's text with its cure, unless it names one itself."""
    cure = "" if "aurora-sync " in text else cure_for(kind, service)
    return f"{text}; {cure}" if cure else text


def fail(message: str, code: Exit) -> NoReturn:
    """Say one line on stderr and leave with `code`."""
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(code)


class Commands(TyperGroup):
    """A command group in which a WorkerError is a line and a code, not a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- typer vendors click untyped
        try:
            return super().invoke(ctx)
        except WorkerError as error:
            for line in explain(error):
                print(f"error: {line}", file=sys.stderr)
            raise typer.Exit(exit_for(error)) from error
        except OperationalError as error:
            # Without its text: that holds statements and addresses.
            print(f"error: {NO_DATABASE}", file=sys.stderr)
            raise typer.Exit(Exit.WRONG_USE) from error
