"""Logins, sessions and the app that may ask for them; knows no HTTP."""

import base64
import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from worker.sandbox.salesforce.errors import session_refused
from worker.sandbox.salesforce.org import Org

LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")


class LoginRefused(Exception):
    """A token request is refused with the vendor's pair of error and description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


@dataclass(slots=True)
class Session:
    user_id: str
    used_at: datetime


class Identity:
    """The org's users as they log in. Secrets follow from the seed."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.org_id = str(org.records("Organization")[0]["Id"])
        self.username = str(org.records("User")[0]["Username"])
        self.client_id = f"3MVG9{self._secret('client id', 80)}"
        self.client_secret = self._secret("client secret", 64).upper()
        self.password = self._secret("password", 12)
        self.security_token = self._secret("security token", 24)
        self.refresh_token = f"5Aep861{self._secret('refresh token', 80)}"
        self.idle_for = timedelta(hours=2)
        self.attempts: Counter[str] = Counter()
        self._sessions: dict[str, Session] = {}
        self._opened = 0

    def _secret(self, purpose: str, length: int) -> str:
        text = ""
        while len(text) < length:
            block = hashlib.sha256(f"{self._org.seed}:{purpose}:{len(text)}".encode())
            text += block.hexdigest()
        return text[:length]

    # Sessions

    def open(self, user_id: str) -> str:
        """Open a session; its token looks like a real one: `00D…!AQ…`."""
        self._opened += 1
        token = f"{self.org_id[:15]}!AQ{self._secret(f'session {self._opened}', 90)}"
        self._sessions[token] = Session(user_id, self._org.clock.now())
        return token

    def user_of(self, token: str) -> str:
        """Return whose session this is; using it keeps it alive."""
        session = self._sessions.get(token)
        now = self._org.clock.now()
        if session is None or now - session.used_at > self.idle_for:
            self._sessions.pop(token, None)
            raise session_refused()
        session.used_at = now
        return session.user_id

    def expire_all(self) -> None:
        self._sessions.clear()

    def revoke(self, token: str) -> None:
        """End a session, or withdraw the refresh token."""
        if token == self.refresh_token:
            self.refresh_token = self._secret(f"refresh {self._opened}", 87)
            self._sessions.clear()
        self._sessions.pop(token, None)

    # Logins

    def by_password(self, username: str, password: str) -> str:
        """Return the user; the security token is part of the password."""
        self.attempts["password"] += 1
        wanted = self.password + self.security_token
        return self._active(
            username, hmac.compare_digest(password.encode(), wanted.encode())
        )

    def by_client(self) -> str:
        self.attempts["client_credentials"] += 1
        return self._org.admin_id

    def by_refresh(self, token: str) -> str:
        self.attempts["refresh_token"] += 1
        if token != self.refresh_token:
            raise LoginRefused("invalid_grant", "expired access/refresh token")
        return self._org.admin_id

    def by_assertion(self, assertion: str, own_url: str) -> str:
        """Check a JWT: signature, issuer, audience (login host or this org), expiry."""
        self.attempts["jwt"] += 1
        try:
            claims = jwt.decode(
                assertion,
                key_pair()[1],
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False},
            )
        except jwt.InvalidTokenError:
            raise LoginRefused("invalid_grant", "invalid assertion") from None
        self._check_claims(claims, own_url)
        return self._active(str(claims.get("sub", "")), True)  # noqa: FBT003 - signed

    def _check_claims(self, claims: dict[str, object], own_url: str) -> None:
        if claims.get("iss") != self.client_id:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        if str(claims.get("aud")).rstrip("/") not in (*LOGIN_HOSTS, own_url):
            raise LoginRefused("invalid_grant", "audience is invalid")
        try:
            expires = float(str(claims.get("exp")))
        except ValueError:
            raise LoginRefused("invalid_grant", "invalid assertion") from None
        if expires <= self._org.clock.now().timestamp():
            raise LoginRefused("invalid_grant", "expired assertion")

    def _active(self, username: str, proven: bool) -> str:  # noqa: FBT001 - private
        for user in self._org.records("User"):
            if user["Username"] == username and user["IsActive"] and proven:
                return str(user["Id"])
        raise LoginRefused("invalid_grant", "authentication failure")

    def check_client(self, client_id: str, client_secret: str | None) -> None:
        if client_id != self.client_id:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        if client_secret is not None and client_secret != self.client_secret:
            raise LoginRefused("invalid_client", "invalid client credentials")

    def signature(self, text: str) -> str:
        digest = hmac.new(self.client_secret.encode(), text.encode(), hashlib.sha256)
        return base64.b64encode(digest.digest()).decode()


@cache
def key_pair() -> tuple[str, str]:
    """Make the key pair of JWT logins, once a process: it takes 100 ms."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()
