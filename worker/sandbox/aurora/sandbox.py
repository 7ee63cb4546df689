"""Puts a community, its sessions and its APIs together into one application."""

from __future__ import annotations

from worker.sandbox.aurora import generator, urls
from worker.sandbox.aurora.community import (
    ADMINISTRATOR_PASSWORD,
    TENANT,
    Community,
)
from worker.sandbox.aurora.front import Front
from worker.sandbox.aurora.handlers.control import Control
from worker.sandbox.aurora.sessions import Sessions


class AuroraSandbox:
    """
    A community of `members` invented from `seed`, and `app` that serves it.

    With no members the community is empty: its administrator can sign in, but is not
    listed. With members the first of them is the administrator, listed like any other.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        members: int = 0,
        latency_ms: float = 0,
        page_size: int | None = None,
        prefix: str = "",
    ) -> None:
        self._seed = seed
        self._generated = members
        self.community = Community(generator.members(seed, members))
        self.sessions = Sessions(self.community, seed)
        self.community.switches.change(latency_ms=latency_ms, page_size=page_size)
        self._started_with = self.community.switches.copy()
        given = {f"/{part.strip('/')}" for part in prefix.split(",") if part.strip("/")}
        usual = {"/t5/s", f"/t5/s/{TENANT}", f"/{TENANT}"}
        self.app = Front(
            self.community,
            self.sessions,
            apis=urls.router(self.community, self.sessions),
            control=Control(self.community, self.sessions, self.reset).router(),
            prefixes=tuple(given | usual),
        )

    def credentials(self, base_url: str) -> dict[str, str]:
        """What a client needs: the `aurora` object of the ready line."""
        return {
            "base_url": base_url,
            "username": self.community.administrator.login,
            "password": ADMINISTRATOR_PASSWORD,
            "client_id": self.sessions.client_id,
            "client_secret": self.sessions.client_secret,
            "redirect_uri": self.sessions.redirect_uris[0],
        }

    def reset(self) -> None:
        """Back to the first day: members, clock, switches, faults, calls, sessions."""
        community = self.community
        with community.lock:
            community.refill(generator.members(self._seed, self._generated))
            community.clock.run()
            community.faults.clear()
            community.calls.reset()
            community.switches.change(**self._started_with.as_dict())
            self.sessions.forget_all()
