"""
Signing in to the org by four grants, and sending each call with a session that is
renewed once when the org no longer knows it. Knows no endpoint besides the logins.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

import jwt
import requests
from lxml import etree
from requests.auth import AuthBase
from requests.utils import rewind_body
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin

from worker import clock
from worker.domain.tokens import Token
from worker.errors import ContractBroken, RemoteUnavailable, TokenRefused
from worker.salesforce import payloads, responses
from worker.salesforce.payloads import SERVICE, OAuthError, TokenAnswer
from worker.settings import SalesforceAuth, SalesforceSettings, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest, Response

    from worker.domain.tokens import TokenVault

# A session dies after two idle hours; use extends it, so this only forgoes a 401
# after a quiet night.
IDLE_LIFE = timedelta(minutes=110)
# The vendor refuses assertions that live longer than a few minutes.
ASSERTION_LIFE = timedelta(minutes=3)
# login() is absent from API 65.0 on; its sessions serve every version all the same.
# https://developer.salesforce.com/docs/platform/api/guide/api-eol-soap.html
LAST_SOAP_VERSION = 64.0
UNAUTHORIZED = 401

_APP = "check client id and client secret against the External Client App"
_USER = "check user name, password and security token, and that the user is active"
_CURES = {
    "invalid_client_id": _APP,
    "invalid_client": _APP,
    "unauthorized_client": "enable this OAuth flow in the External Client App",
    "unsupported_grant_type": "enable this OAuth flow in the External Client App",
    "invalid_app_access": "allow the API user in the External Client App's policies",
    "inactive_user": "activate the API user",
    "inactive_org": "the org is closed or suspended; check the login URL",
    "INVALID_LOGIN": _USER,
    "LOGIN_MUST_USE_SECURITY_TOKEN": "append the security token, or trust this address",
    "PASSWORD_LOCKOUT": "unlock the API user, then correct the password",
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": "set a password that does not expire",
    "ORG_LOCKED": "the org is locked; ask its administrator",
    "UNSUPPORTED_API_VERSION": "SOAP login is withdrawn: use client_credentials or jwt",
    "INVALID_SOAP_LOGIN": "SOAP login is withdrawn: use client_credentials or jwt",
    "API_DISABLED_FOR_ORG": "enable the API for the API user's profile",
}
# invalid_grant says little; what it means depends on how we asked.
_GRANT_CURES = {
    SalesforceAuth.CLIENT_CREDENTIALS: (
        "set a run-as user in the External Client App, and log in at the org's own "
        "My Domain host"
    ),
    SalesforceAuth.JWT: (
        "check user name, certificate and clock, and pre-authorise the API user in "
        "the External Client App"
    ),
    SalesforceAuth.PASSWORD: _USER,
    SalesforceAuth.SOAP: _USER,
}


def make_login(
    settings: SalesforceSettings, transport: Callable[[], requests.Session]
) -> Callable[[Token | None], Token]:
    """
    Return the login for the configured grant; it makes one call each time.

    None of the four grants has a refresh token, so the stored token is not used:
    a new login takes its place. Raises TokenRefused with the cure.
    """

    def login(_stored: Token | None) -> Token:
        with transport() as session:
            if settings.auth is SalesforceAuth.SOAP:
                return _soap(settings, session)
            return _oauth(settings, session)

    return login


def _oauth(settings: SalesforceSettings, session: requests.Session) -> Token:
    # SalesforceLogin does not fit here: it builds https://<domain>.salesforce.com
    # whatever the host is called, drops the user's id and the scheme, fixes the
    # audience of the assertion, and warns on standard error with the client id.
    operation = f"login {settings.auth}"
    data, basic = _grant(settings)
    try:
        answer = session.post(
            f"{settings.login_url}/services/oauth2/token",
            data=data,
            auth=basic,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        # The cause names the host only, but others like it name a whole query.
        raise responses.unreachable(operation, error) from None
    if answer.status_code != 200:
        raise _refused(settings, answer, operation)
    token = payloads.decode(TokenAnswer, answer.content, operation)
    user_id = token.id.rsplit("/", 1)[-1]
    return _token(token.access_token, token.instance_url, user_id, operation)


def _grant(settings: SalesforceSettings) -> tuple[dict[str, str], Any]:
    secret = settings.client_secret.get_secret_value()
    if settings.auth is SalesforceAuth.CLIENT_CREDENTIALS:
        basic = requests.auth.HTTPBasicAuth(settings.client_id, secret)
        return {"grant_type": "client_credentials"}, basic
    if settings.auth is SalesforceAuth.JWT:
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {"grant_type": grant, "assertion": _assertion(settings)}, None
    return {
        "grant_type": "password",
        "client_id": settings.client_id,
        "client_secret": secret,
        "username": settings.username,
        "password": _password(settings),
    }, None


def _password(settings: SalesforceSettings) -> str:
    token = settings.security_token.get_secret_value()
    return settings.password.get_secret_value() + token


def _assertion(settings: SalesforceSettings) -> str:
    claims = {
        "iss": settings.client_id,
        "sub": settings.username,
        "aud": settings.login_url,
        "exp": int((clock.now() + ASSERTION_LIFE).timestamp()),
    }
    try:
        assert settings.private_key_file is not None  # noqa: S101 -- settings demand it
        key = settings.private_key_file.read_bytes()
        return jwt.encode(claims, key, algorithm="RS256")
    except (OSError, ValueError, TypeError, jwt.PyJWTError):
        # Nothing of the key may travel with the error.
        cure = "make SYNC_SALESFORCE__PRIVATE_KEY_FILE a readable RSA key in PEM"
        raise TokenRefused(
            SERVICE, "login jwt", code="private_key", detail=cure
        ) from None


def _soap(settings: SalesforceSettings, session: requests.Session) -> Token:
    # SalesforceLogin fits here for the envelope and the faults. Its answer does not:
    # it drops the scheme and the user's id, and takes "-api" out of an org's name.
    # So the answer that passes through the session is read once more.
    operation = "login soap"
    seen: list[Response] = []

    def keep(answer: Response, *_: object, **__: object) -> None:
        seen.append(answer)

    session.hooks["response"].append(keep)
    version = min(float(settings.api_version), LAST_SOAP_VERSION)
    try:
        SalesforceLogin(
            username=settings.username,
            password=settings.password.get_secret_value(),
            security_token=settings.security_token.get_secret_value(),
            sf_version=str(version),
            scratch_url=settings.login_url,
            session=session,
        )
    except requests.RequestException as error:
        raise responses.unreachable(operation, error) from None
    except SalesforceAuthenticationFailed as error:
        # Its text is the whole answer.
        raise _refused_soap(settings, seen[-1], str(error.code), operation) from None
    except ExpatError:
        raise ContractBroken(SERVICE, operation, detail="no XML - at `$`") from None
    return _soap_token(seen[-1].content, operation)


def _soap_token(body: bytes, operation: str) -> Token:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(body, parser)

    def text(name: str) -> str:
        return str(root.findtext(f".//{{*}}{name}") or "")

    server = urlsplit(text("serverUrl"))
    instance = f"{server.scheme}://{server.netloc}"
    return _token(text("sessionId"), instance, text("userId"), operation)


def _token(access: str, instance_url: str, user_id: str, operation: str) -> Token:
    parts = urlsplit(instance_url)
    safe = parts.scheme == "https" or is_loopback(parts.hostname)
    if not (access and parts.hostname and safe):
        raise ContractBroken(
            SERVICE, operation, detail="no session, or no https host - at `$`"
        )
    return Token(
        access=access,
        expires_at=clock.now() + IDLE_LIFE,
        instance_url=f"{parts.scheme}://{parts.netloc}",
        subject=payloads.long_id(user_id) or None,
    )


def _refused(
    settings: SalesforceSettings, answer: Response, operation: str
) -> Exception:
    if answer.status_code not in {400, UNAUTHORIZED}:
        return responses.refusal(
            answer.status_code, answer.content, operation, headers=answer.headers
        )
    code = payloads.decode(OAuthError, answer.content, operation).error
    return _token_refused(settings, code, answer.status_code, operation)


def _refused_soap(
    settings: SalesforceSettings, answer: Response, code: str, operation: str
) -> Exception:
    code = code.removeprefix("sf:")
    if code.isdecimal() or code in {"None", "SERVER_UNAVAILABLE", responses.LIMIT}:
        body = payloads.encode([{"errorCode": code}]) if code.isupper() else b""
        return responses.refusal(
            answer.status_code, body, operation, headers=answer.headers
        )
    return _token_refused(settings, code, answer.status_code, operation)


def _token_refused(
    settings: SalesforceSettings, code: str, status: int, operation: str
) -> TokenRefused:
    cure = _CURES.get(code, _GRANT_CURES[settings.auth])
    return TokenRefused(SERVICE, operation, code=code, status=status, detail=cure)


class SessionSource:
    """
    Hands out the org's session to all threads; renews it through the vault.

    One renewal at a time, across threads and processes, is the vault's promise.
    """

    def __init__(
        self, vault: TokenVault, login: Callable[[Token | None], Token]
    ) -> None:
        self._vault = vault
        self._login = login
        self._token: Token | None = None

    def current(self) -> Token:
        token = self._token or self._vault.load()
        if token is None or token.has_expired(clock.now()):
            return self.renewed(token)
        self._token = token
        return token

    def renewed(self, seen: Token | None) -> Token:
        """Return a token newer than `seen`; whoever comes second pays no login."""
        generation = seen.generation if seen else None
        self._token = self._vault.renew(generation, self._login)
        return self._token


class SessionAuth(AuthBase):
    """
    Signs the requests of one thread, and repeats one that was refused with 401.

    The repeat is the same prepared request with every header and the whole body:
    simple-salesforce's own repeat loses the caller's headers, its Bulk calls never
    repeat, and its logins can recurse without an end. One renewal, one repeat; a
    second 401 is left for the caller to see.
    """

    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._token: Token | None = None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        self._token = self._source.current()
        request.headers["Authorization"] = f"Bearer {self._token.access}"
        request.register_hook("response", self._repeat)  # type: ignore[no-untyped-call]  # untyped in its stubs
        return request

    # `Any`: requests hands the adapter's own keywords through.
    def _repeat(self, answer: Response, **kwargs: Any) -> Response:  # noqa: ANN401 -- see above
        if answer.status_code != UNAUTHORIZED or self._token is None:
            return answer
        # Read to the end, so that the connection can be used again.
        answer.content  # noqa: B018 -- the property reads
        answer.close()
        used, self._token = self._token, None
        renewed = self._source.renewed(used)
        if renewed.instance_url != used.instance_url:
            raise RemoteUnavailable(
                SERVICE, "renew session", detail="the org has moved to another host"
            )
        request = answer.request.copy()
        request.headers["Authorization"] = f"Bearer {renewed.access}"
        # As requests itself does when a redirect repeats a body.
        if request._body_position is not None:  # type: ignore[attr-defined]  # noqa: SLF001 -- no public way
            rewind_body(request)
        adapter: requests.adapters.HTTPAdapter = answer.connection
        repeated = adapter.send(request, **kwargs)
        repeated.history.append(answer)
        repeated.request = request
        return repeated
