"""
Exit codes, and how an error becomes one clear line and a code. Scripts rely on both.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from worker.errors import (
    AlreadyRunning,
    BreakerTripped,
    ConfigurationError,
    LeaseLost,
    RemoteError,
    WorkerError,
)
from worker.sync.cures import cure_of

if TYPE_CHECKING:
    from typing import NoReturn


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
    match error:
        case ConfigurationError():
            return Exit.WRONG_USE
        case AlreadyRunning() | LeaseLost():
            return Exit.ALREADY_RUNNING
        # Nobody refused: the worker stopped itself and asks a person.
        case BreakerTripped():
            return Exit.SOME_FAILED
        case RemoteError():
            return Exit.REFUSED
        case _:
            return Exit.SOME_FAILED


def explain(error: WorkerError) -> list[str]:
    """Return the lines that tell a person what is wrong and what cures it."""
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    cure = cure_of(error)
    return [f"{error}; {cure}" if cure else str(error)]


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
