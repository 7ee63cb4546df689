"""
Who a caller is: session keys, OAuth codes and tokens, and their ends by the community's
clock. Rules only; headers and bodies are the handlers'.
"""

from __future__ import annotations

import base64
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from worker.sandbox.aurora.community import MEMBER_PASSWORD
from worker.sandbox.aurora.errors import (
    LegacyRefusal,
    LoginRefused,
    Unauthenticated,
)
from worker.sandbox.aurora.search import ANONYMOUS, Caller, Rights

if TYPE_CHECKING:
    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.members import Member

# Where the worker's admin endpoint stands unless told otherwise.
REDIRECT_URI = "http://127.0.0.1:8600/oauth/callback"


class Grant(NamedTuple):
    member_id: int
    ends_ms: int


class TokenRefusal(Unauthenticated):
    """A code, refresh token or client that the token endpoint does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = 401


class Sessions:
    def __init__(self, community: Community, seed: int) -> None:
        self._community = community
        self._seed = seed
        self._issued = 0
        self.keys: dict[str, Grant] = {}
        self.codes: dict[str, Grant] = {}
        self.access_tokens: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.client_id = self._secret("client")
        self.client_secret = self._secret("client-secret")
        # Edited by an administrator of the community, as in the vendor's API app.
        self.redirect_uris = [REDIRECT_URI]

    def log_in(self, login: str, password: str | None, key: str | None) -> str:
        """Return a session key; an administrator's opens others', without password."""
        if not self._community.switches.session_login:
            raise LoginRefused(403, "Direct sign-in is switched off")
        member = self._community.member_by_login(login)
        if password is None:
            return self._impersonate(member, key)
        if member is None or not self._is_password(member, password):
            raise LoginRefused(403, "The login or the password is incorrect")
        if member.banned or member.deleted:
            raise LoginRefused(403, "The account is closed")
        return self._open(member.id)

    def _impersonate(self, member: Member | None, key: str | None) -> str:
        if key is None:
            raise LoginRefused(403, "The login or the password is incorrect")
        caller = self.by_key(key)
        if caller is None:
            raise LegacyRefusal(301, "Invalid session key.")
        if caller.rights is not Rights.ADMINISTRATOR or member is None:
            raise LoginRefused(403, "Switching to this user is not permitted")
        return self._open(member.id)

    def _is_password(self, member: Member, password: str) -> bool:
        known = self._community.passwords.get(member.id, MEMBER_PASSWORD)
        return compare_digest(known.encode(), password.encode())

    def _open(self, member_id: int) -> str:
        minutes = self._community.switches.session_minutes
        key = self._secret("key")
        self.keys[key] = Grant(member_id, self._in_ms(minutes * 60))
        return key

    def log_out(self, key: str) -> None:
        self.keys.pop(key, None)

    def sign_out_everywhere(self, member_id: int) -> None:
        for grants in (self.keys, self.access_tokens):
            for secret in [s for s, g in grants.items() if g.member_id == member_id]:
                del grants[secret]

    def expire_all(self) -> None:
        """End every session key and access token; refresh tokens live on."""
        self.keys.clear()
        self.access_tokens.clear()

    def forget_all(self) -> None:
        """End everything that was ever granted, refresh tokens too."""
        self.expire_all()
        self.codes.clear()
        self.refresh_tokens.clear()

    def by_key(self, key: str) -> Caller | None:
        """The caller of a session key, as long as it lives."""
        grant = self.keys.get(key)
        if grant is None or grant.ends_ms <= self._now():
            return None
        switches = self._community.switches
        if switches.use_extends_session:
            ends = self._in_ms(switches.session_minutes * 60)
            self.keys[key] = grant._replace(ends_ms=ends)
        return self._caller(grant)

    def by_token(self, token: str) -> Caller | None:
        grant = self.access_tokens.get(token)
        return (
            None
            if grant is None or grant.ends_ms <= self._now()
            else self._caller(grant)
        )

    def authorize(self, member: Member) -> str:
        """Return a code that can be changed for tokens once, and soon."""
        code = self._secret("code")
        seconds = self._community.switches.authorization_code_seconds
        self.codes[code] = Grant(member.id, self._in_ms(seconds))
        return code

    def password_fits(self, login: str, password: str) -> Member | None:
        member = self._community.member_by_login(login)
        fits = member is not None and self._is_password(member, password)
        return member if fits else None

    def exchange_code(self, code: str, redirect_uri: str) -> dict[str, object]:
        grant = self.codes.pop(code, None)
        if grant is None or grant.ends_ms <= self._now():
            raise TokenRefusal("Invalid or expired authorization code")
        if redirect_uri not in self.redirect_uris:
            raise TokenRefusal("The redirect URI does not match")
        return self._tokens(grant.member_id)

    def refresh(self, refresh_token: str) -> dict[str, object]:
        grant = self.refresh_tokens.get(refresh_token)
        if grant is None or grant.ends_ms <= self._now():
            raise TokenRefusal("Invalid or expired refresh token")
        if self._community.switches.old_refresh_token_dies:
            del self.refresh_tokens[refresh_token]
        return self._tokens(grant.member_id)

    def check_client(self, client_id: str, secret: str, header: str | None) -> None:
        if header != client_id or client_id != self.client_id:
            raise TokenRefusal("Unknown client")
        if not compare_digest(secret.encode(), self.client_secret.encode()):
            raise TokenRefusal("Wrong client secret")

    def _tokens(self, member_id: int) -> dict[str, object]:
        switches = self._community.switches
        access, refresh = self._secret("access"), self._secret("refresh")
        seconds = switches.access_token_seconds
        days = switches.refresh_token_days
        self.access_tokens[access] = Grant(member_id, self._in_ms(seconds))
        self.refresh_tokens[refresh] = Grant(member_id, self._in_ms(days * 86_400))
        return {
            "access_token": access,
            "expires_in": seconds,
            "lithiumUserId": f"0b7c0000-0000-4000-8000-{member_id:012d}",
            "userId": str(member_id),
            "refresh_token": refresh,
            "token_type": "bearer",
        }

    def _caller(self, grant: Grant) -> Caller | None:
        member = self._community.account(grant.member_id)
        if member is None:
            return ANONYMOUS
        rights = Rights.ADMINISTRATOR if member.is_administrator else Rights.MEMBER
        return Caller(member.id, rights)

    def _now(self) -> int:
        return self._community.clock.now_ms()

    def _in_ms(self, seconds: float) -> int:
        return self._now() + round(seconds * 1000)

    def _secret(self, kind: str) -> str:
        """Base64 with `+`, `/` and `=` in it, as the vendor's have; from a counter."""
        self._issued += 1
        text = f"{self._seed}:{kind}:{self._issued}".encode()
        return base64.b64encode(blake2b(text, digest_size=31).digest()).decode()
