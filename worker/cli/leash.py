"""
Ties a child to the process that started it: the child ends when its standard input
does, so that even a killed demo leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated

import typer

Leashed = Annotated[bool, typer.Option("--leashed", hidden=True)]


def follow() -> None:
    """Have this process told to stop when its standard input ends."""
    threading.Thread(target=_wait, name="leash", daemon=True).start()


def _wait() -> None:
    # Not through sys.stdin: its lock, held by this thread, would be fatal at the end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
