"""Tokens of a remote and what an adapter may ask of the place that keeps them."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 -- part of the protocol's signature
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

# A token counts as expired this long before it dies, so that no call starts with it.
EARLY = timedelta(seconds=60)


class Token(NamedTuple):
    """
    A remote's tokens. `generation` counts renewals; 0 is a token not stored yet.

    `instance_url` is the host that data calls go to, where the remote names one;
    `subject` is the remote user the token acts as (an id, not a name).
    """

    access: str
    refresh: str | None = None
    expires_at: datetime | None = None
    generation: int = 0
    instance_url: str | None = None
    subject: str | None = None

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and at >= self.expires_at - EARLY


class TokenVault(Protocol):
    """Keeps one remote's token; safe for several threads and processes."""

    def load(self) -> Token | None:
        """Return the stored token, or None before the first login."""

    def renew(self, seen: int | None, obtain: Callable[[Token | None], Token]) -> Token:
        """
        Return a token newer than generation `seen` (None: there was none).

        One renewal at a time across processes: whoever waits gets the winner's
        token without calling `obtain`. `obtain` gets the stored token (with its
        refresh token) and is called with no transaction open; what it returns is
        committed before it is handed out. Errors of `obtain` pass through and leave
        the stored token as it was.
        """
