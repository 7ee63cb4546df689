"""
Sends one call to the org: a session and a simple-salesforce client per thread, the
token, and what every answer tells besides its body. Knows no endpoint.
"""

from __future__ import annotations

import threading
import weakref
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import requests
from simple_salesforce.api import Salesforce

from worker import http
from worker.salesforce import responses
from worker.salesforce.auth import SessionAuth
from worker.salesforce.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from requests import Response

    from worker.domain.records import Usage
    from worker.domain.tokens import Token
    from worker.salesforce.auth import SessionSource
    from worker.settings import SalesforceSettings

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Body = bytes | IO[bytes] | None


class Call(NamedTuple):
    """
    One call. `path` is relative to the API version, or absolute.

    `operation` names it in errors; `subject` is the object that the path names, so
    that its absence is told as such.
    """

    method: Method
    path: str
    operation: str
    body: Body = None
    headers: Mapping[str, str] = MappingProxyType({})
    subject: str = ""
    stream: bool = False


class Desk:
    """One thread's simple-salesforce client over one session of ours."""

    def __init__(self, session: requests.Session, token: Token, version: str) -> None:
        self.session = session
        self.instance_url = token.instance_url
        self.call: Call | None = None
        # Direct mode: a client that logs in by itself can do so without an end.
        # The session id is a placeholder: SessionAuth signs every request.
        self.org = Salesforce(
            session_id="signed-by-the-session",
            instance_url=token.instance_url,
            session=session,
            version=version,
        )
        # A third of the bytes of an answer would be blanks.
        self.org.headers.pop("X-PrettyPrint", None)


class Wire:
    """
    Safe to use from several threads; each gets a session and a client of its own.

    `usage` and `server_time` are of the newest answer that any thread has had.
    """

    def __init__(
        self,
        source: SessionSource,
        settings: SalesforceSettings,
        *,
        on_call: Callable[[], None] | None,
        client_name: str,
    ) -> None:
        self._source = source
        self._settings = settings
        self._on_call = on_call
        self._client_name = client_name
        self._local = threading.local()
        # Weak: a finished thread's session is closed with the thread.
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.usage: Usage | None = None
        self.server_time: datetime | None = None

    def close(self) -> None:
        with self._lock:
            sessions = list(self._sessions)
            self._sessions = weakref.WeakSet()
            self._local = threading.local()
        for session in sessions:
            session.close()

    def token(self) -> Token:
        return self._source.current()

    def connection(self) -> Connection:
        token = self.token()
        return Connection(
            str(token.instance_url), token.access, self._settings.api_version
        )

    @property
    def root(self) -> str:
        """The path of the API version, as parts of composite requests name it."""
        return f"/services/data/v{self._settings.api_version}/"

    def send(self, call: Call) -> Response:
        """Send one call, repeated once on 401; return the good answer or raise."""
        desk = self._desk()
        desk.call = call
        absolute = call.path.startswith("/")
        base = f"https://{desk.org.sf_instance}" if absolute else desk.org.base_url
        try:
            # Not restful(): it decodes with json into ordered dicts and hides the
            # headers; this is the call beneath it.
            answer: Response = desk.org._call_salesforce(  # noqa: SLF001 -- see above
                call.method,
                base + call.path,
                name=call.operation,
                data=call.body,
                headers=dict(call.headers),
                stream=call.stream,
            )
        except requests.RequestException as error:
            # Without the cause: its text holds the URL and so the query.
            raise responses.unreachable(call.operation, error) from None
        return answer

    def _desk(self) -> Desk:
        desk: Desk | None = getattr(self._local, "desk", None)
        token = self._source.current()
        if desk is None or desk.instance_url != token.instance_url:
            desk = Desk(self._session(token), token, self._settings.api_version)
            desk.session.hooks["response"].append(_Observer(self, desk))
            self._local.desk = desk
        return desk

    def _session(self, token: Token) -> requests.Session:
        instance = str(token.instance_url)
        on_call = self._on_call
        session = http.session(
            connect_timeout=self._settings.connect_timeout,
            read_timeout=self._settings.read_timeout,
            on_call=(lambda _method: on_call()) if on_call else None,
            # simple-salesforce says https whatever the instance's scheme is.
            origin=instance if urlsplit(instance).scheme == "http" else None,
            headers={"Sforce-Call-Options": f"client={self._client_name}"},
        )
        session.auth = SessionAuth(self._source)
        with self._lock:
            self._sessions.add(session)
        return session


class _Observer:
    """
    Reads each answer before simple-salesforce does, and raises our error for a bad
    one: its own exceptions hold URL and body, and would lose the headers.
    """

    def __init__(self, wire: Wire, desk: Desk) -> None:
        self._wire = wire
        # Weak: the desk holds the session, and the session holds this hook.
        self._desk = weakref.ref(desk)

    def __call__(self, answer: Response, **_: Any) -> None:  # noqa: ANN401 -- requests' own keywords
        if (usage := responses.usage(answer.headers)) is not None:
            self._wire.usage = usage
        if (moment := responses.server_time(answer.headers)) is not None:
            self._wire.server_time = moment
        if answer.status_code < 300:
            return
        desk = self._desk()
        call = desk.call if desk else None
        raise responses.refusal(
            answer.status_code,
            answer.content,
            call.operation if call else "",
            headers=answer.headers,
            subject=call.subject if call else "",
        )
