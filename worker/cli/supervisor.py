"""
Keeps child processes alive: starts them in order, restarts what dies, stops them in
the reverse order. Knows processes and signals; knows nothing of what they do.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker import clock
from worker.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

POLL_S = 0.1
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
# Whoever lived this long is well: its next death is met with the first pause again.
WELL_AFTER_S = 60.0
READY_WITHIN_S = 60.0
# An exit code that no restart will change.
WRONG_SETTINGS = Exit.WRONG_USE
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Child:
    """
    A process to keep alive.

    Its standard input is a pipe that stays open: the end of it tells the child that the
    supervisor is gone; one that does not read it gets a signal, where there is one.
    `stops` are the signals that end it and the seconds each is given; SIGKILL follows.
    """

    name: str
    command: Sequence[str]
    reads_input: bool = True
    stops: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    is_ready: Callable[[], bool] | None = None
    # Says why the running child is of no use any more; None while it is well.
    ailment: Callable[[float], str | None] | None = None


class Kept:
    """One child and its present process, if any."""

    def __init__(self, child: Child, say: Callable[[str], None]) -> None:
        self.child = child
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = FIRST_PAUSE_S
        self._start_at = 0.0

    def start(self) -> None:
        self._started = clock.monotonic()
        self._process = subprocess.Popen(
            list(self.child.command),
            stdin=subprocess.PIPE,
            # Ctrl-C in a terminal reaches a whole group: the order is the supervisor's.
            start_new_session=True,
            preexec_fn=None if self.child.reads_input else _die_with_parent,  # noqa: PLW1509 -- the supervisor has one thread
        )
        self._say(f"{self.child.name} started (process {self._process.pid})")

    def tend(self) -> int | None:
        """Restart a dead child after its pause; return the exit code it died with."""
        if self._process is None:
            if clock.monotonic() >= self._start_at:
                self.start()
            return None
        code = self._process.poll()
        if code is None:
            self._cure()
            return None
        self._bury(code)
        return code

    def _cure(self) -> None:
        age = clock.monotonic() - self._started
        ailment = self.child.ailment(age) if self.child.ailment else None
        if ailment:
            self._say(f"{self.child.name}: {ailment}; restarting it")
            self.stop()
            self._start_at = clock.monotonic()

    def _bury(self, code: int) -> None:
        if clock.monotonic() - self._started > WELL_AFTER_S:
            self._pause = FIRST_PAUSE_S
        self._say(f"{self.child.name} {_cause(code)}; again in {self._pause:.0f} s")
        self._start_at = clock.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
        self._forget()

    def is_ready(self) -> bool:
        return self.child.is_ready is None or self.child.is_ready()

    def has_died(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """End the child, gently first; return when it is gone."""
        if self._process is None:
            return
        for number, seconds in (*self.child.stops, (signal.SIGKILL, 10.0)):
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                code = self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._say(f"{self.child.name} did not end within {seconds:.0f} s")
            else:
                # Some end themselves by the signal they were sent, when all is done.
                gentle = code == -number != -signal.SIGKILL
                self._say(f"{self.child.name} {_cause(0 if gentle else code)}")
                break
        self._forget()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None


class Supervisor:
    """Runs children until a signal, or until one says that its settings are wrong."""

    def __init__(self, children: Sequence[Child], say: Callable[[str], None]) -> None:
        self._kept = [Kept(child, say) for child in children]
        self._say = say
        self._stopping = False

    def run(self) -> int:
        """Start all, keep all, stop all; return the exit code."""
        before = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        try:
            return self._start() or self._watch()
        finally:
            self._say("stopping; once more to stop without waiting")
            for kept in reversed(self._kept):
                kept.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        # Says nothing: what it interrupts may be in the middle of a line itself.
        if self._stopping:
            for kept in self._kept:
                kept.kill()
        self._stopping = True

    def _start(self) -> int:
        for kept in self._kept:
            if self._stopping:
                return 0
            kept.start()
            if not self._wait_for(kept):
                return 1
        self._say("all is up; Ctrl-C stops it")
        return 0

    def _wait_for(self, kept: Kept) -> bool:
        deadline = clock.monotonic() + READY_WITHIN_S
        while not (self._stopping or kept.is_ready()):
            if kept.has_died() or clock.monotonic() > deadline:
                self._say(f"{kept.child.name} did not come up")
                return False
            time.sleep(POLL_S)
        return True

    def _watch(self) -> int:
        while not self._stopping:
            for kept in self._kept:
                if kept.tend() == WRONG_SETTINGS:
                    self._say(f"{kept.child.name} refuses its settings; giving up")
                    return WRONG_SETTINGS
            time.sleep(POLL_S)
        return 0


def _cause(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return "ended" if code == 0 else f"ended with exit code {code}"


def _die_with_parent() -> None:
    # Linux only; elsewhere the end of standard input does it for Python children, and
    # the next start asks a broker left over to end.
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)
