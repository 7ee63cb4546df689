"""
How a call gets to the community: a session per thread, one pace, the token renewed
once, 429 repeated a few times. The only place that touches a session of the client.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

import requests

from worker import clock, http
from worker.aurora import auth, responses
from worker.aurora.pace import Pace
from worker.errors import RateLimited, RemoteUnavailable, RetryLater, TokenRefused
from worker.settings import AuroraAuth

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import msgspec

    from worker.domain.tokens import Token, TokenVault
    from worker.settings import AuroraSettings

# A 429 was seen to be gone at the first repeat, a second later; more is the task's.
TRIES = 4
LONGEST_PAUSE_S = 8.0


class Call(NamedTuple):
    """A read: GET, or a POST that is a search and may be repeated like one."""

    operation: str
    method: str
    path: str
    params: dict[str, str] | None = None
    body: object = None


class AllowanceSpent(Exception):
    """No call is left of an allowance."""


class Allowance:
    """How many calls may still be made; used by one thread."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def take(self) -> None:
        if self.left < 1:
            raise AllowanceSpent
        self.left -= 1


class Connection:
    """Sends calls with a valid token; safe from several threads."""

    def __init__(
        self,
        vault: TokenVault,
        obtain: Callable[[Token | None], Token],
        settings: AuroraSettings,
        on_call: Callable[[], None] | None,
        pace: Pace | None,
    ) -> None:
        self._vault = vault
        self._obtain = obtain
        self._settings = settings
        self._on_call = on_call
        self._pace = pace or Pace(settings.requests_per_second)
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._sessions: list[requests.Session] = []
        self._local = threading.local()
        # The community's clock as the newest answer told it; cursors lean on it.
        self.server_time: datetime | None = None

    def close(self) -> None:
        with self._lock:
            sessions, self._sessions = self._sessions, []
            self._local = threading.local()
        for session in sessions:
            session.close()

    def subject(self) -> str | None:
        """Return the user the token acts as, where signing in has told it."""
        return self._valid_token().subject

    def ask(self, call: Call, allowance: Allowance | None = None) -> msgspec.Raw:
        """Return what the answer holds; a short trouble is waited for in here."""
        attempt = 0
        while True:
            try:
                answer = self._with_token(call, allowance)
            except RetryLater as error:
                attempt += 1
                if not _may_repeat(call, error):
                    raise
                pause = _pause(error, attempt)
                self._pace.slow_down(min(pause, LONGEST_PAUSE_S))
                if attempt >= TRIES or pause > LONGEST_PAUSE_S:
                    error.retry_after = timedelta(seconds=pause)
                    raise
            else:
                self._pace.recover()
                return answer

    def _with_token(self, call: Call, allowance: Allowance | None) -> msgspec.Raw:
        token = self._valid_token()
        try:
            return self._send(call, token, allowance)
        except TokenRefused as error:
            if error.code == responses.HT_ACCESS:
                raise
        return self._send(call, self._renewed(token), allowance)

    def _send(
        self, call: Call, token: Token, allowance: Allowance | None
    ) -> msgspec.Raw:
        if allowance is not None:
            allowance.take()
        self._pace.wait()
        try:
            response = self._session().request(
                call.method,
                f"{auth.api_url(self._settings)}{call.path}",
                params=call.params,
                json=call.body,
                headers=self._headers(token),
                # A redirect leads to a login page or another host; neither is ours.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise auth.unreachable(call.operation, error) from error
        self.server_time = _date(response) or self.server_time
        return responses.payload(response, call.operation)

    def _headers(self, token: Token) -> dict[str, str]:
        if self._settings.auth is AuroraAuth.SESSION:
            return {"li-api-session-key": token.access}
        return {
            "Authorization": f"Bearer {token.access}",
            "client-id": self._settings.client_id,
        }

    def _valid_token(self) -> Token:
        token = self._token or self._vault.load()
        if token is None or token.has_expired(clock.now()):
            return self._renewed(token)
        self._token = token
        return token

    def _renewed(self, seen: Token | None) -> Token:
        """Return a newer token than `seen`; another thread may have got it by now."""
        generation = seen.generation if seen is not None else None
        token = self._vault.renew(generation, self._obtain)
        with self._lock:
            if self._token is None or token.generation > self._token.generation:
                self._token = token
        return token

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = http.session(
                connect_timeout=self._settings.connect_timeout,
                read_timeout=self._settings.read_timeout,
                on_call=self._counted,
                headers=auth.ht_headers(self._settings),
            )
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def _counted(self, _method: str) -> None:
        if self._on_call is not None:
            self._on_call()


def _date(response: requests.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None


def _may_repeat(call: Call, error: RetryLater) -> bool:
    # The transport has repeated a GET through edge faults, and leaves POST alone.
    return isinstance(error, RateLimited) or (
        isinstance(error, RemoteUnavailable) and call.method == "POST"
    )


def _pause(error: RetryLater, attempt: int) -> float:
    # `Retry-After: 0` comes with the vendor's 429: it may lengthen a wait, no more.
    asked = error.retry_after.total_seconds() if error.retry_after else 0.0
    return max(asked, 2.0 ** (attempt - 1))
