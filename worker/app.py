"""
The Celery application. Importing it reads nothing; the first use of its configuration
reads the settings, so `celery -A worker.app inspect active` finds the same broker as
the workers do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from celery import Celery

from worker.broker import EmbeddedBroker
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.settings import Settings

# A message is handed out again after the visibility timeout: it must outlive a slice
# of a run by far, or each long slice is delivered again and again (measured: 4 times).
LEAST_VISIBILITY_S = 900
# The sweep for such messages takes about 100 s by default.
REDIS_OPTIONS: Mapping[str, object] = {
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
# Quorum queues acknowledge a message only when it is stored.
RABBITMQ_OPTIONS: Mapping[str, object] = {"confirm_publish": True}


class SyncApp(Celery):  # type: ignore[misc]  # Celery ships no types
    """Celery, told by the settings where its broker is."""

    _chosen: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The settings in use; read from the environment unless `use` gave them."""
        if self._chosen is None:
            self._chosen = load_settings()
        return self._chosen

    def use(self, settings: Settings) -> None:
        """Take these settings; to be called before the first use of the application."""
        self._chosen = settings

    def prepare_config(self, c: Mapping[str, object]) -> dict[str, object]:
        """Called by Celery once, before its first use of any configuration."""
        # Not by the signal `on_configure`: its receivers' errors are only logged, and
        # wrong settings would end in Celery's default broker instead of an error.
        read = {name: c[name] for name in c if not name.startswith("_")}
        return {**read, **broker_config(self.settings)}


def broker_config(settings: Settings) -> dict[str, object]:
    url = settings.broker_url or EmbeddedBroker(settings.home).url
    amqp = urlsplit(url).scheme.startswith(("amqp", "pyamqp"))
    if amqp:
        return {"broker_url": url, "broker_transport_options": dict(RABBITMQ_OPTIONS)}
    slices = 3 * settings.run_slice.total_seconds()
    options = {**REDIS_OPTIONS, "visibility_timeout": max(LEAST_VISIBILITY_S, slices)}
    return {"broker_url": url, "broker_transport_options": options}


app = SyncApp("aurora-sync", config_source="celeryconfig")
