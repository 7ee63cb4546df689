"""
The composition root: Settings → Services. The only module that knows every concrete
class; whatever it makes is made at first use and closed by `close`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from worker import http
from worker.aurora import auth as aurora_auth
from worker.aurora.client import AuroraClient
from worker.database import Database
from worker.domain.feature_settings import FeatureSettings
from worker.domain.records import Side, Stream
from worker.salesforce import auth as salesforce_auth
from worker.salesforce.client import SalesforceClient
from worker.secrets import SecretBox
from worker.settings import AuroraAuth, Settings, load_settings, split_keys
from worker.store import Store
from worker.sync.engine import Engine, Remotes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests


class Services:
    """One process's services for one community. Safe to share between threads."""

    def __init__(
        self, settings: Settings, send: Callable[[str], None] | None = None
    ) -> None:
        self.settings = settings
        self.community = settings.aurora.community
        self.calls = http.CallCounter()
        self._send = send
        self._lock = Lock()
        self._aurora: AuroraClient | None = None
        self._salesforce: SalesforceClient | None = None

    @cached_property
    def box(self) -> SecretBox:
        return SecretBox(split_keys(self.settings.secret_key))

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database)

    @cached_property
    def store(self) -> Store:
        return Store(self.database, self.box)

    @cached_property
    def sync(self) -> Engine:
        remotes = Remotes(self.aurora, self.salesforce, self.calls)
        return Engine(
            self.settings, self.store, remotes, self.box.email_key, self._send
        )

    def prepare(self) -> None:
        """Migrate the database and make the community and its streams known to it."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        self.database.upgrade()
        aurora = self.settings.aurora
        self.store.communities.ensure(
            self.community, aurora.base_url, self.community, aurora.api_prefix
        )
        stored = self.store.communities.settings(self.community)
        minutes = FeatureSettings.from_mapping(stored).sync_interval_minutes
        for stream in Stream:
            self.store.streams.ensure(
                self.community, stream, timedelta(minutes=minutes)
            )

    def aurora(self) -> AuroraClient:
        with self._lock:
            if self._aurora is None:
                settings = self.settings.aurora
                obtain = (
                    aurora_auth.session_login(settings)
                    if settings.auth is AuroraAuth.SESSION
                    else aurora_auth.oauth_refresh(settings)
                )
                vault = self.store.vault(self.community, Side.AURORA)
                self._aurora = AuroraClient(
                    vault, obtain, settings, on_call=self._counting(Side.AURORA)
                )
            return self._aurora

    def salesforce(self) -> SalesforceClient:
        with self._lock:
            if self._salesforce is None:
                settings = self.settings.salesforce
                login = salesforce_auth.make_login(settings, self._login_session)
                vault = self.store.vault(self.community, Side.SALESFORCE)
                self._salesforce = SalesforceClient(
                    vault, login, settings, on_call=self._counting(Side.SALESFORCE)
                )
            return self._salesforce

    def close(self) -> None:
        """Close the connections; what is used again is made again."""
        with self._lock:
            for client in (self._aurora, self._salesforce):
                if client is not None:
                    client.close()
            self._aurora = self._salesforce = None
        for made in ("sync", "store"):
            self.__dict__.pop(made, None)
        database = self.__dict__.pop("database", None)
        if database is not None:
            database.close()

    def _login_session(self) -> requests.Session:
        settings = self.settings.salesforce
        return http.session(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
        )

    def _counting(self, side: Side) -> Callable[[], None]:
        return lambda: self.calls.add(side)


def build(settings: Settings, *, send: Callable[[str], None] | None = None) -> Services:
    """Return services that do nothing yet. `send` wakes a worker for a run's id."""
    return Services(settings, send)


@contextmanager
def services(
    settings: Settings | None = None, *, send: Callable[[str], None] | None = None
) -> Iterator[Services]:
    """Yield services and close them. Raises ConfigurationError before any work."""
    made = build(settings or load_settings(), send=send)
    try:
        yield made
    finally:
        made.close()
