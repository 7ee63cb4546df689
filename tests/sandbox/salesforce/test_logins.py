import base64
from datetime import timedelta

import jwt
import pytest
import requests

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def token(client):
    """Asks the token endpoint with a form."""

    def ask(headers=None, **form):
        with requests.Session() as http:
            http.trust_env = False
            return http.post(
                f"{client.base_url}/services/oauth2/token",
                data=form,
                headers=headers,
                timeout=10,
            )

    ask.known = client.credentials
    return ask


@pytest.fixture
def app(token):
    return {
        "client_id": token.known["client_id"],
        "client_secret": token.known["client_secret"],
    }


def assertion(known, **changes):
    claims = {
        "iss": known["client_id"],
        "sub": known["username"],
        "aud": "https://login.salesforce.com",
        "exp": "9999999999",
    }
    return jwt.encode(claims | changes, known["private_key"], algorithm="RS256")


def test_gives_what_clients_read(client, token, app):
    known = token.known

    answer = token(grant_type="client_credentials", **app).json()

    assert answer["access_token"].startswith(f"{known['org_id'][:15]}!AQ")
    assert answer["instance_url"] == client.base_url
    assert answer["id"] == (
        f"{client.base_url}/id/{known['org_id']}/0055g0000000001AAA"
    )
    assert (answer["token_type"], answer["issued_at"].isdigit()) == ("Bearer", True)


def test_takes_the_app_in_a_basic_header(token, app):
    pair = base64.b64encode(":".join(app.values()).encode()).decode()

    answer = token({"Authorization": f"Basic {pair}"}, grant_type="client_credentials")

    assert answer.status_code == 200


@pytest.mark.parametrize("audience", ["https://test.salesforce.com", "instance"])
def test_takes_a_signed_assertion(client, token, audience):
    aud = client.base_url if audience == "instance" else audience

    answer = token(grant_type=JWT, assertion=assertion(token.known, aud=aud))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"grant_type": "magic"}, "unsupported_grant_type", "grant type not supported"),
        ({"client_id": "x"}, "invalid_client_id", "client identifier invalid"),
        ({"client_secret": "x"}, "invalid_client", "invalid client credentials"),
        ({"password": "x"}, "invalid_grant", "authentication failure"),
        ({"username": "x"}, "invalid_grant", "authentication failure"),
        (
            {"grant_type": "refresh_token", "refresh_token": "x"},
            "invalid_grant",
            "expired access/refresh token",
        ),
        (
            {"grant_type": JWT, "assertion": "x"},
            "invalid_grant",
            "invalid assertion",
        ),
    ],
)
def test_refuses_with_the_vendors_pair(token, app, changes, error, description):
    known = token.known
    form = {
        "grant_type": "password",
        **app,
        "username": known["username"],
        "password": known["password"] + known["security_token"],
    }

    answer = token(**form | changes)

    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"aud": "https://elsewhere.example"}, "audience is invalid"),
        ({"exp": "1"}, "expired assertion"),
        ({"sub": "nobody"}, "authentication failure"),
    ],
)
def test_reads_the_claims_of_an_assertion(token, changes, description):
    answer = token(grant_type=JWT, assertion=assertion(token.known, **changes))

    assert answer.json()["error_description"] == description


def test_counts_logins_by_grant(token, app, sandbox):
    token(grant_type="client_credentials", **app)
    token(grant_type="refresh_token", refresh_token=token.known["refresh_token"], **app)

    assert dict(sandbox.services.identity.attempts) == {
        "client_credentials": 1,
        "refresh_token": 1,
    }


def test_ends_idle_sessions(client, org):
    org.clock.advance(timedelta(minutes=119))
    active = client.get("limits")
    org.clock.advance(timedelta(minutes=121))
    idle = client.get("limits")

    assert active.status_code == 200
    assert idle.status_code == 401
    assert idle.json() == [
        {
            "message": "Session expired or invalid",
            "errorCode": "INVALID_SESSION_ID",
        }
    ]


def test_ends_a_revoked_session(client):
    form = {"token": client.credentials["access_token"]}

    client.call("POST", "/services/oauth2/revoke", data=form)

    assert client.get("limits").status_code == 401


def test_tells_who_is_logged_in(client):
    told = client.get("/services/oauth2/userinfo").json()

    assert told["organization_id"] == client.credentials["org_id"]
    assert told["preferred_username"] == client.credentials["username"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/services/data/v30.0/limits", 410),
        ("/services/data/v31.0/limits", 200),
        ("/services/data/v68.0/limits", 200),
        ("/services/data/v69.0/limits", 404),
        ("/services/data/62.0/limits", 404),
        ("//services//data/v62.0/limits/", 200),
    ],
)
def test_knows_the_versions_of_its_time(client, path, status):
    assert client.get(path).status_code == status
