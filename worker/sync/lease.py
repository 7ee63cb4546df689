"""Keeps a stream's lease alive while a run works, and tells when it was lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from worker import logs
from worker.errors import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

log = logs.logger(__name__)


class LeaseKeeper:
    """
    Renews a lease every third of its life, from a thread of its own: a remote call
    may take longer than the lease lives.
    """

    def __init__(self, renew: Callable[[], None], ttl: timedelta) -> None:
        self._renew = renew
        self._pause_s = ttl.total_seconds() / 3
        self._ended = threading.Event()
        self._lost: LeaseLost | None = None
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise LeaseLost once another run has taken the stream over."""
        if self._lost is not None:
            raise self._lost

    def confirm(self) -> None:
        """
        Ask the database whether the lease still is ours, before a remote write: a
        process that was frozen does not know yet. Raises LeaseLost.
        """
        self.check()
        self._renew()

    def _keep(self) -> None:
        while not self._ended.wait(self._pause_s):
            try:
                self._renew()
            except LeaseLost as error:
                self._lost = error
                log.warning("lease.lost")
                return
