"""
Ways into the community: a session key by user and password, or OAuth tokens by code
and by refresh. Makes tokens; keeps none.
"""

from __future__ import annotations

import base64
import logging
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error
from requests_oauthlib import OAuth2Session

from worker import clock, http
from worker.aurora import payloads, responses
from worker.domain.tokens import Token
from worker.errors import (
    ContractBroken,
    PermissionMissing,
    RecordGone,
    RemoteError,
    RemoteUnavailable,
    TokenRefused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec
    from requests import PreparedRequest, Response

    from worker.settings import AuroraSettings

# The server's own figure is not published; clients keep a key for half an hour.
SESSION_LIFE = timedelta(minutes=28)
NOT_CONNECTED = "not connected: run aurora-sync connect"
_REFUSING = frozenset({400, 401, 403})


def session_login(settings: AuroraSettings) -> Callable[[Token | None], Token]:
    """Return what logs in by user and password; it raises TokenRefused if they fail."""

    def obtain(_stored: Token | None) -> Token:
        form = {
            "user.login": settings.username,
            "user.password": settings.password.get_secret_value(),
            "restapi.response_format": "json",
        }
        url = f"{api_url(settings)}/restapi/vc/authentication/sessions/login"
        with _session(settings) as session:
            data = _signed_in(
                "log in", lambda: session.post(url, data=form, allow_redirects=False)
            )
        expires_at = clock.now() + SESSION_LIFE
        return Token(payloads.session_key(data, "log in"), expires_at=expires_at)

    return obtain


def oauth_refresh(settings: AuroraSettings) -> Callable[[Token | None], Token]:
    """
    Return what exchanges a refresh token; the new one is in the token it returns.

    It raises TokenRefused before the first authorisation and once it is withdrawn.
    """

    def obtain(stored: Token | None) -> Token:
        operation = "refresh token"
        if stored is None or not stored.refresh:
            raise TokenRefused(responses.SERVICE, operation, detail=NOT_CONNECTED)
        refresh = stored.refresh

        def ask(oauth: OAuth2Session) -> Mapping[str, object]:
            return oauth.refresh_token(
                _secure(f"{api_url(settings)}/api/2.0/auth/refreshToken"),
                refresh_token=refresh,
                client_id=settings.client_id,
                client_secret=settings.client_secret.get_secret_value(),
                auth=_as_json,
                headers=_token_headers(settings),
            )

        renewed = _tokens(settings, operation, ask)
        return renewed._replace(subject=renewed.subject or stored.subject)

    return obtain


def authorization_url(settings: AuroraSettings, state: str) -> str:
    """Return where an administrator's browser goes to authorise this worker."""
    # At the community's root, whatever prefix the API has; scopes are not known there.
    authorize = f"{settings.base_url}/auth/oauth2/authorize"
    oauth = OAuth2Session(settings.client_id, redirect_uri=settings.redirect_uri)
    with oauth:
        url, _ = oauth.authorization_url(_secure(authorize), state=state)
    return f"{urlsplit(settings.base_url).scheme}{url.removeprefix('https')}"


def exchange_code(settings: AuroraSettings, code: str) -> Token:
    """Exchange the code of the redirect; raises TokenRefused when it is not taken."""

    def ask(oauth: OAuth2Session) -> Mapping[str, object]:
        return oauth.fetch_token(
            _secure(f"{api_url(settings)}/api/2.0/auth/accessToken"),
            code=code,
            include_client_id=True,
            client_secret=settings.client_secret.get_secret_value(),
            auth=_as_json,
            headers=_token_headers(settings),
        )

    return _tokens(settings, "exchange code", ask)


def api_url(settings: AuroraSettings) -> str:
    return f"{settings.base_url}{settings.api_prefix}"


def ht_headers(settings: AuroraSettings) -> dict[str, str]:
    """Return what a community behind HT-access asks for before anything else."""
    if not settings.ht_user:
        return {}
    pair = f"{settings.ht_user}:{settings.ht_password.get_secret_value()}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _session(settings: AuroraSettings) -> requests.Session:
    return http.session(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        headers=ht_headers(settings),
    )


def _token_headers(settings: AuroraSettings) -> dict[str, str]:
    return {
        "client-id": settings.client_id,
        "Content-Type": "application/json; charset=utf-8",
        "Accept": "application/json",
        **ht_headers(settings),
    }


class _Opened(NamedTuple):
    """All that requests-oauthlib reads of a token answer after its hooks."""

    text: str


def _tokens(
    settings: AuroraSettings,
    operation: str,
    ask: Callable[[OAuth2Session], Mapping[str, object]],
) -> Token:
    found: list[payloads.TokenAnswer] = []

    def opened(response: Response) -> _Opened:
        data = _accepted(response, operation)
        found.append(payloads.token(data, operation))
        return _Opened(bytes(data).decode())

    with _oauth(settings) as oauth:
        # The vendor wraps the tokens in its envelope; the hooks take them out.
        oauth.register_compliance_hook("access_token_response", opened)  # type: ignore[call-overload]  # only its text is read
        oauth.register_compliance_hook("refresh_token_response", opened)  # type: ignore[call-overload]  # the same
        try:
            tokens = ask(oauth)
        except OAuth2Error as error:
            name = type(error).__name__
            raise ContractBroken(responses.SERVICE, operation, detail=name) from error
        except requests.TooManyRedirects as error:
            detail = responses.REDIRECTED
            raise ContractBroken(responses.SERVICE, operation, detail=detail) from error
        except requests.RequestException as error:
            raise unreachable(operation, error) from error
    # A refresh that is answered without a new refresh token keeps the old one.
    refresh = tokens.get("refresh_token")
    if not isinstance(refresh, str):
        detail = "Object lacks `refresh_token` - at `$.data`"
        raise ContractBroken(responses.SERVICE, operation, detail=detail)
    return _token(found[-1], refresh)


def _token(answer: payloads.TokenAnswer, refresh: str) -> Token:
    life = timedelta(seconds=answer.expires_in) if answer.expires_in else None
    return Token(
        answer.access_token,
        refresh=refresh,
        expires_at=clock.now() + life if life else None,
        subject=answer.user_id,
    )


def _oauth(settings: AuroraSettings) -> OAuth2Session:
    # At debug level the library logs bodies and tokens as they are.
    logging.getLogger("requests_oauthlib").setLevel(logging.INFO)
    oauth = OAuth2Session(settings.client_id, redirect_uri=settings.redirect_uri)
    oauth.trust_env = False
    oauth.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    oauth.headers["User-Agent"] = "aurora-sync"
    # None is followed: it would take the client secret to wherever it points.
    oauth.max_redirects = 0
    timeout = (
        settings.connect_timeout.total_seconds(),
        settings.read_timeout.total_seconds(),
    )
    transport = http.Transport(timeout=timeout, origin=settings.base_url)
    oauth.mount("https://", transport)
    return oauth


def _as_json(request: PreparedRequest) -> PreparedRequest:
    """
    Send the form that requests-oauthlib made as the JSON that the vendor takes.

    An auth callable, because the library's hook for the refresh body does not reach
    far enough: what it returns is encoded as a form again. The hook for the code
    exchange would do; one way serves both.
    """
    form = request.body if isinstance(request.body, str) else ""
    fields = dict(parse_qsl(form, keep_blank_values=True))
    request.prepare_body(None, None, json=fields)
    return request


def _secure(url: str) -> str:
    """
    Write the URL with https, without which requests-oauthlib refuses to work.

    Settings allow plain http on loopback only; the transport puts the origin back.
    """
    return f"https{url.removeprefix(urlsplit(url).scheme)}"


def _signed_in(operation: str, send: Callable[[], Response]) -> msgspec.Raw:
    try:
        response = send()
    except requests.RequestException as error:
        raise unreachable(operation, error) from error
    return _accepted(response, operation)


def _accepted(response: Response, operation: str) -> msgspec.Raw:
    """Open a sign-in's answer; whatever refuses it has refused the credentials."""
    try:
        return responses.payload(response, operation)
    except (ContractBroken, PermissionMissing, RecordGone, TokenRefused) as error:
        if error.code == responses.HT_ACCESS or not _refuses(error):
            raise
        raise TokenRefused(
            responses.SERVICE,
            operation,
            code=error.code,
            status=error.status,
            detail="user and password, or the authorisation, are not accepted",
        ) from error


def _refuses(error: RemoteError) -> bool:
    # v1 refuses with HTTP 200 and a code, or with the servlet container's page.
    told = error.status == responses.OK and error.code != ""
    return told or error.status in _REFUSING


def unreachable(operation: str, error: requests.RequestException) -> RemoteUnavailable:
    """Tell a call that got no whole answer; the kind is told, never the URL."""
    return RemoteUnavailable(responses.SERVICE, operation, code=type(error).__name__)
