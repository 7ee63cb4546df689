from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

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
        f"{method.upper()} {path}": sorted(operation["responses"])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/api")
    }
    assert documented == {
        "GET /api/failures": ["200", "401", "422", "503"],
        "GET /api/records/{key}": ["200", "401", "422", "503"],
        "GET /api/runs": ["200", "401", "422", "503"],
        "GET /api/runs/{run}": ["200", "401", "404", "422", "503"],
        "GET /api/settings": ["200", "401", "503"],
        "GET /api/status": ["200", "401", "503"],
        "POST /api/failures/{failure}/assign": ["200", "401", "404", "422", "503"],
        "POST /api/failures/{failure}/discard": ["200", "401", "404", "422", "503"],
        "POST /api/failures/{failure}/retry": ["200", "401", "404", "422", "503"],
        "POST /api/members/reset": ["202", "401", "409", "422", "503"],
        "POST /api/streams/{stream}/runs": ["202", "401", "404", "409", "422", "503"],
        "PUT /api/settings": ["200", "401", "422", "503"],
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
