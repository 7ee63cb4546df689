"""A community on loopback and a plain caller of it; no code of the adapter."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests

from worker.sandbox.aurora import AuroraSandbox
from worker.sandbox.server import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGIN = "/restapi/vc/authentication/sessions/login"


class Caller:
    """A session of `requests` with the few moves the tests repeat."""

    def __init__(self, sandbox: AuroraSandbox, base_url: str) -> None:
        self.sandbox = sandbox
        self.base_url = base_url
        self.http = requests.Session()
        self.credentials = sandbox.credentials(base_url)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.http.get(self.base_url + path, timeout=5, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.http.post(self.base_url + path, timeout=5, **options)

    def delete(self, path: str) -> requests.Response:
        return self.http.delete(self.base_url + path, timeout=5)

    def sign_in(self, login: str | None = None, password: str | None = None) -> str:
        answer = self.post(
            LOGIN,
            data={
                "user.login": login or self.credentials["username"],
                "user.password": password or self.credentials["password"],
                "restapi.response_format": "json",
            },
        )
        key: str = answer.json()["response"]["value"]["$"]
        self.http.headers["li-api-session-key"] = key
        return key

    def ask(self, query: str) -> requests.Response:
        return self.get("/api/2.0/search", params={"q": query})

    def data(self, query: str) -> dict[str, Any]:
        body = self.ask(query).json()
        assert body["status"] == "success", body
        return body["data"]

    def ids(self, query: str) -> list[str]:
        return [item["id"] for item in self.data(query)["items"]]

    def pages(self, query: str, limit: int = 1000) -> Iterator[list[dict[str, Any]]]:
        cursor = ""
        for _ in range(limit):
            data = self.data(query + cursor)
            yield data["items"]
            if "next_cursor" not in data:
                return
            cursor = f" CURSOR '{data['next_cursor']}'"

    def authorize(self) -> str:
        """Consent as the administrator and return the code."""
        answer = self.get(
            "/auth/oauth2/authorize",
            params={
                "client_id": self.credentials["client_id"],
                "redirect_uri": self.credentials["redirect_uri"],
                "response_type": "code",
                "state": "s+/=",
                "approve": "1",
            },
            allow_redirects=False,
        )
        return self.redirected(answer)["code"]

    def redirected(self, answer: requests.Response) -> dict[str, str]:
        url = requests.models.PreparedRequest()
        url.prepare_url(answer.headers["Location"], None)
        assert url.url is not None
        query = requests.utils.urlparse(url.url).query
        pairs = (pair.split("=", 1) for pair in query.split("&"))
        return {name: requests.utils.unquote(value) for name, value in pairs}

    def exchange(self, path: str, **body: str) -> requests.Response:
        keys = ("client_id", "client_secret", "redirect_uri")
        known = {key: self.credentials[key] for key in keys}
        return self.post(
            f"/api/2.0/auth/{path}",
            json={**known, **body},
            headers={"client-id": self.credentials["client_id"]},
        )

    def tokens(self) -> dict[str, Any]:
        answer = self.exchange(
            "accessToken", code=self.authorize(), grant_type="authorization_code"
        )
        return answer.json()["data"]

    def bear(self, token: str) -> None:
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.http.headers["client-id"] = self.credentials["client_id"]


@pytest.fixture
def serve() -> Iterator[Callable[..., Caller]]:
    with ExitStack() as stack:

        def start(**options: Any) -> Caller:
            sandbox = AuroraSandbox(**options)
            caller = Caller(sandbox, stack.enter_context(run_in_thread(sandbox.app)))
            stack.callback(caller.http.close)
            return caller

        yield start


@pytest.fixture
def stranger(serve: Callable[..., Caller]) -> Caller:
    """Nobody yet: an empty community, and no session."""
    return serve()


@pytest.fixture
def caller(stranger: Caller) -> Caller:
    """An administrator of an empty community."""
    stranger.sign_in()
    return stranger
