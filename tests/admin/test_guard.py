from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

REFUSED = {
    "error": "unauthorized",
    "detail": "send the admin token: Authorization: Bearer …",
}
UNDER_API = [
    ("GET", "/api/status"),
    ("POST", "/api/streams/members/runs"),
    ("POST", "/api/members/reset"),
    ("GET", "/api/runs"),
    ("GET", "/api/runs/0"),
    ("GET", "/api/settings"),
    ("PUT", "/api/settings"),
    ("GET", "/api/failures"),
    ("POST", "/api/failures/1/retry"),
    ("POST", "/api/failures/1/discard"),
    ("POST", "/api/failures/1/assign"),
    ("GET", "/api/records/member:41"),
]


@pytest.mark.parametrize(("method", "path"), UNDER_API)
def test_refuses_every_api_call_without_a_token(client, method, path):
    answer = client.request(method, path, headers={"Authorization": ""})

    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "given",
    [
        "Bearer wrong",
        "Bearer",
        "Basic an-admin-token",
        "Bearer an-admin-tokens",
        "Bearer schlüssel".encode(),
    ],
)
def test_refuses_a_wrong_token(client, given):
    answer = client.get("/api/status", headers={"Authorization": given})

    assert (answer.status_code, answer.json()) == (401, REFUSED)


def test_names_the_setting_when_no_token_is_set(serving, services):
    services.settings.admin.token = SecretStr("")

    with serving(services) as client:
        answer = client.get("/api/status")

    assert answer.status_code == 503
    assert answer.json() == {
        "error": "no_admin_token",
        "detail": "set SYNC_ADMIN__TOKEN to open the admin endpoint",
    }


def test_tells_the_shape_of_its_answers_to_everybody(client):
    paths = httpx.get(f"{client.base_url}/openapi.json").json()["paths"]

    documented = {
        (method.upper(), path) for path, methods in paths.items() for method in methods
    }
    assert documented == {
        ("GET", "/api/failures"),
        ("GET", "/api/records/{key}"),
        ("GET", "/api/runs"),
        ("GET", "/api/runs/{run}"),
        ("GET", "/api/settings"),
        ("GET", "/api/status"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("POST", "/api/failures/{failure}/assign"),
        ("POST", "/api/failures/{failure}/discard"),
        ("POST", "/api/failures/{failure}/retry"),
        ("POST", "/api/members/reset"),
        ("POST", "/api/streams/{stream}/runs"),
        ("PUT", "/api/settings"),
    }


def test_documents_every_status_it_answers(client):
    paths = httpx.get(f"{client.base_url}/openapi.json").json()["paths"]

    documented = {
        f"{method.upper()} {path}": set(operation["responses"])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/api")
    }
    always = {"401", "500", "503"}
    assert all(always <= statuses for statuses in documented.values())
    assert {call: sorted(found - always) for call, found in documented.items()} == {
        "GET /api/failures": ["200", "422"],
        "GET /api/records/{key}": ["200", "422"],
        "GET /api/runs": ["200", "422"],
        "GET /api/runs/{run}": ["200", "404", "422"],
        "GET /api/settings": ["200"],
        "GET /api/status": ["200"],
        "POST /api/failures/{failure}/assign": ["200", "404", "422"],
        "POST /api/failures/{failure}/discard": ["200", "404", "422"],
        "POST /api/failures/{failure}/retry": ["200", "404", "422"],
        "POST /api/members/reset": ["202", "409", "422"],
        "POST /api/streams/{stream}/runs": ["202", "404", "409", "422"],
        "PUT /api/settings": ["200", "422"],
    }


@pytest.mark.parametrize("path", ["/api/status", "/healthz", "/nowhere"])
def test_keeps_browsers_careful_on_every_answer(client, path):
    answer = client.get(path)

    assert {
        name: answer.headers.get(name)
        for name in (
            "X-Content-Type-Options",
            "X-Frame-Options",
            "Referrer-Policy",
            "Content-Security-Policy",
            "Cache-Control",
        )
    } == {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/api/status", 405, "method_not_allowed"),
    ],
)
def test_answers_problems_for_what_is_not_there(client, method, path, status, error):
    answer = client.request(method, path)

    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "detail"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/runs?before=%00", None),
        ("GET", "/api/failures?reason=%00", None),
        ("GET", "/api/failures?stream=a%00b", None),
        ("GET", "/api/failures?after=99999999999999999999", None),
        ("GET", "/api/records/member:99999999999999999999", None),
        ("GET", "/api/records/member:%00", None),
        ("POST", "/api/failures/99999999999999999999/retry", None),
        ("POST", "/api/failures/1/discard", {"why": "a\x00b"}),
        ("POST", "/api/failures/1/assign", {"contact_id": "003" + "\x00" * 12}),
        ("POST", "/api/streams/members/runs", [1]),
        ("PUT", "/api/settings", {"breaker_percent": 10**400}),
        ("PUT", "/api/settings", {"\x00": 1}),
    ],
)
def test_refuses_what_no_database_could_hold(client, method, path, body):
    answer = client.request(method, path, json=body)

    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid"


@pytest.mark.parametrize("run", ["%00", "ä", "x" * 200, "..%2fstatus"])
def test_knows_no_run_by_an_odd_name(client, run):
    assert client.get(f"/api/runs/{run}").status_code == 404


def test_says_that_the_database_is_away(serving, services):
    services.store.communities.all = _away

    with serving(services) as client:
        answer = client.get("/api/status")

    assert answer.status_code == 503
    assert answer.json() == {
        "error": "no_database",
        "detail": "the database does not answer",
    }


def _away():
    raise OperationalError("SELECT secrets", {}, Exception("host db.example"))


def test_tells_nothing_of_a_fault_of_ours(serving, services):
    services.store.communities.all = lambda: 1 / 0

    with serving(services) as client:
        answer = client.get("/api/status")

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "internal",
        "detail": "a fault of ours; see the endpoint's log",
    }
