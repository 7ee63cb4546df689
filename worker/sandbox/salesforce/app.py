"""Puts one org, its server state and its ASGI door together."""

from worker.sandbox.salesforce.front import Front
from worker.sandbox.salesforce.identity import key_pair
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.services import Services

API_VERSION = "62.0"


class SalesforceSandbox:
    """A Salesforce org in memory; nothing about it is global."""

    def __init__(
        self, *, seed: int = 1, latency_ms: int = 0, page_size: int | None = None
    ) -> None:
        self.services = Services(seed=seed, page_size=page_size)
        self.app = Front(self.services, latency_ms=latency_ms)

    @property
    def org(self) -> Org:
        """The state, for tests; a reset through /_sandbox/ replaces it."""
        return self.services.org

    def credentials(self, base_url: str) -> dict[str, str]:
        """Everything a client needs to log in, with a session that is already open."""
        identity = self.services.identity
        with self.org.lock:
            token = identity.open(self.org.admin_id)
        return {
            "instance_url": base_url,
            "access_token": token,
            "refresh_token": identity.refresh_token,
            "org_id": identity.org_id,
            "username": identity.username,
            "password": identity.password,
            "security_token": identity.security_token,
            "client_id": identity.client_id,
            "client_secret": identity.client_secret,
            "api_version": API_VERSION,
            "private_key": key_pair()[0],
        }
