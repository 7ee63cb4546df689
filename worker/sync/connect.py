"""
Connects the community: signs in by session key, or exchanges the code of an OAuth
redirect, keeps the token, and opens the community for its streams.
"""

from __future__ import annotations

import hmac
from secrets import token_urlsafe
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from worker.aurora import auth
from worker.domain.records import Side
from worker.domain.state import ConnectionStatus
from worker.errors import TokenRefused

if TYPE_CHECKING:
    from worker.aurora.client import AuroraClient
    from worker.domain.tokens import Token
    from worker.settings import AuroraSettings
    from worker.store import Store


class Invitation(NamedTuple):
    """Where the administrator's browser goes, and the state that must come back."""

    url: str
    state: str


def invite(settings: AuroraSettings) -> Invitation:
    """Begin an OAuth authorisation; asks nobody."""
    state = token_urlsafe(32)
    return Invitation(auth.authorization_url(settings, state), state)


def code_from(redirected_to: str, state: str) -> str:
    """
    Return the code of the redirect.

    Raises TokenRefused where the community refused, or where the state is not ours:
    somebody else's code would connect us to somebody else's account.
    """
    query = parse_qs(urlsplit(redirected_to).query)
    given = query.get("state", [""])[0]
    if not hmac.compare_digest(given.encode(), state.encode()):
        detail = "the redirect carries another state; begin again"
        raise TokenRefused("aurora", "authorize", detail=detail)
    code = query.get("code", [""])[0]
    if not code:
        refusal = "".join(c for c in query.get("error", ["no code"])[0] if c.isalnum())
        raise TokenRefused("aurora", "authorize", code=refusal[:40])
    return code


def authorise(
    store: Store, community: str, settings: AuroraSettings, code: str
) -> None:
    """Exchange the code and keep the tokens; an older connection ends with it."""
    vault = store.vault(community, Side.AURORA)
    stored = vault.load()
    seen = stored.generation if stored else None

    def obtain(_stored: Token | None) -> Token:
        return auth.exchange_code(settings, code)

    vault.renew(seen, obtain)


def activate(store: Store, community: str, client: AuroraClient) -> int:
    """Sign in, note the community as active, and return the API user's id."""
    caller = client.whoami()
    store.communities.set_status(community, ConnectionStatus.ACTIVE)
    return caller.user_id
