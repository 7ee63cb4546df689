"""
HTTP sessions for the remotes: timeouts on every call, few transport retries for GET,
a call counter, no cookies shared, no proxies or netrc picked up from the machine.
Knows nothing of either vendor.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping  # noqa: TC003 -- used at run time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from datetime import timedelta

    from requests import PreparedRequest, Response

# Edge faults that say nothing of the request; GET only, for a lost answer to a write
# may mean that the write was done.
TRANSPORT_RETRY = Retry(
    total=2,
    connect=2,
    read=1,
    status_forcelist=(502, 503, 504),
    allowed_methods=frozenset({"GET"}),
    backoff_factor=0.3,
    respect_retry_after_header=False,
    raise_on_status=False,
    redirect=0,
)


class CallCounter:
    """Counts the calls that left this process, by remote; safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()

    def add(self, remote: str, calls: int = 1) -> None:
        with self._lock:
            self._calls[remote] += calls

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._calls)


class Transport(HTTPAdapter):
    """
    Sends with a default timeout, counts, and keeps plain http on loopback.

    `origin`, where given, replaces scheme and host of every URL: simple-salesforce
    builds https URLs whatever the instance's scheme is, which no loopback serves.
    """

    def __init__(
        self,
        *,
        timeout: tuple[float, float],
        on_call: Callable[[str], None] | None = None,
        origin: str | None = None,
        pool: int = 10,
    ) -> None:
        self._timeout = timeout
        self._on_call = on_call
        self._origin = urlsplit(origin) if origin else None
        super().__init__(
            pool_connections=pool, pool_maxsize=pool, max_retries=TRANSPORT_RETRY
        )

    def send(  # type: ignore[override]  # keyword-only here; requests calls it so
        self, request: PreparedRequest, **kwargs: object
    ) -> Response:
        if self._origin is not None and request.url:
            parts = urlsplit(request.url)
            request.url = urlunsplit(
                parts._replace(scheme=self._origin.scheme, netloc=self._origin.netloc)
            )
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        if self._on_call:
            self._on_call(request.method or "")
        return super().send(request, **kwargs)  # type: ignore[arg-type]  # passed through


def session(
    *,
    connect_timeout: timedelta,
    read_timeout: timedelta,
    on_call: Callable[[str], None] | None = None,
    origin: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Session:
    """
    Return a session for one thread; the caller closes it.

    One session per thread: a shared one was measured to send another thread's
    cookies. Redirects are not followed on writes by the callers' own choice.
    """
    made = requests.Session()
    made.trust_env = False
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    made.headers["User-Agent"] = "aurora-sync"
    made.headers.update(headers or {})
    timeout = (connect_timeout.total_seconds(), read_timeout.total_seconds())
    transport = Transport(timeout=timeout, on_call=on_call, origin=origin)
    made.mount("https://", transport)
    made.mount("http://", transport)
    return made
