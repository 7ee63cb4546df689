"""Signing in: what each grant sends, what comes back, and what a refusal says."""

import traceback
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from freezegun import freeze_time
from lxml import etree

from worker.domain.tokens import Token
from worker.errors import (
    ContractBroken,
    RateLimited,
    RemoteUnavailable,
    TokenRefused,
    WorkerError,
)

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
USER = "005000000000001AAA"
GRANTED = {
    "access_token": "00D000000000001!secret-session",
    "instance_url": "https://acme-api.my.org.example",
    "id": f"https://login.org.example/id/00D000000000001AAA/{USER}",
    "token_type": "Bearer",
    "issued_at": "1795341600000",
    "signature": "x",
}
SOAP = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result>
<serverUrl>https://acme-api.my.org.example/services/Soap/u/62.0/00D000000000001</serverUrl>
<sessionId>00D000000000001!secret&amp;session</sessionId>
<userId>005000000000001AAA</userId>
</result></loginResponse></soapenv:Body></soapenv:Envelope>"""
FAULT = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>
<faultcode>sf:{code}</faultcode><faultstring>worker@org.example is wrong</faultstring>
<detail><sf:LoginFault><sf:exceptionCode>{code}</sf:exceptionCode>
<sf:exceptionMessage>worker@org.example is wrong</sf:exceptionMessage></sf:LoginFault>
</detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"""


@pytest.fixture(scope="session")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(key, tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def form(seen):
    return {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}


@freeze_time(NOW)
def test_signs_in_as_the_app(script, settings_for, a_login):
    script.say(200, GRANTED)

    token = a_login(settings_for(script.base_url))(None)

    assert token == Token(
        access="00D000000000001!secret-session",
        expires_at=datetime(2026, 11, 22, 11, 50, tzinfo=UTC),
        instance_url="https://acme-api.my.org.example",
        subject=USER,
    )
    (seen,) = script.seen
    assert (seen.method, seen.path) == ("POST", "/services/oauth2/token")
    assert form(seen) == {"grant_type": "client_credentials"}
    basic = b64encode(b"app:s3cret-of-the-app").decode()
    assert seen.headers["authorization"] == f"Basic {basic}"


@freeze_time(NOW)
def test_signs_in_with_a_certificate(script, settings_for, a_login, key, key_file):
    script.say(200, GRANTED)
    settings = settings_for(script.base_url, auth="jwt", private_key_file=key_file)

    token = a_login(settings)(None)

    assert token.subject == USER
    sent = form(script.seen[0])
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        sent["assertion"],
        key.public_key(),
        algorithms=["RS256"],
        audience=script.base_url,
    )
    assert claims == {
        "iss": "app",
        "sub": "worker@org.example",
        "aud": script.base_url,
        "exp": int(NOW.timestamp()) + 180,
    }


def test_signs_in_with_password_and_security_token(script, settings_for, a_login):
    script.say(200, GRANTED)

    token = a_login(settings_for(script.base_url, auth="password"))(None)

    assert token.access == "00D000000000001!secret-session"
    assert form(script.seen[0]) == {
        "grant_type": "password",
        "client_id": "app",
        "client_secret": "s3cret-of-the-app",
        "username": "worker@org.example",
        "password": "p<ss&wordT0KEN",
    }


@freeze_time(NOW)
def test_signs_in_over_soap(script, settings_for, a_login):
    script.say(200, SOAP.encode())

    token = a_login(settings_for(script.base_url, auth="soap"))(None)

    # simple-salesforce alone would leave `&amp;` in the session, take `-api` out of
    # the host, and forget the scheme and the user.
    assert token == Token(
        access="00D000000000001!secret&session",
        expires_at=datetime(2026, 11, 22, 11, 50, tzinfo=UTC),
        instance_url="https://acme-api.my.org.example",
        subject=USER,
    )
    (seen,) = script.seen
    assert seen.path == "/services/Soap/u/62.0"
    password = etree.fromstring(seen.body.strip()).findtext(".//{*}password")
    assert password == "p<ss&wordT0KEN"


def test_asks_soap_for_the_last_version_that_has_it(script, settings_for, a_login):
    script.say(200, SOAP.encode())
    settings = settings_for(script.base_url, auth="soap", api_version="66.0")

    a_login(settings)(None)

    assert script.seen[0].path == "/services/Soap/u/64.0"


@pytest.mark.parametrize("auth", ["client_credentials", "jwt", "password", "soap"])
def test_signs_in_to_an_org_by_each_grant(served, tmp_path, auth):
    known = served.sandbox.credentials(served.base_url)
    (tmp_path / "key.pem").write_text(known["private_key"])

    with served.connect(auth=auth, private_key_file=tmp_path / "key.pem") as client:
        identity = client.identity()

    assert identity.user_id == served.org.admin_id == served.vault.token.subject
    assert served.vault.token.instance_url == served.base_url


@pytest.mark.parametrize(
    ("auth", "code", "cure"),
    [
        ("client_credentials", "invalid_client_id", "check client id"),
        ("client_credentials", "invalid_client", "check client id"),
        ("client_credentials", "invalid_grant", "run-as user"),
        ("jwt", "invalid_grant", "pre-authorise the API user"),
        ("jwt", "invalid_app_access", "allow the API user"),
        ("password", "invalid_grant", "check user name, password"),
        ("password", "unsupported_grant_type", "enable this OAuth flow"),
        ("password", "inactive_user", "activate the API user"),
        ("password", "code_of_tomorrow", "check user name, password"),
    ],
)
def test_names_the_cure_of_a_refused_grant(  # noqa: PLR0917 -- three of them are cases
    script, settings_for, a_login, key_file, auth, code, cure
):
    script.say(400, {"error": code, "error_description": "worker@org.example!"})
    settings = settings_for(script.base_url, auth=auth, private_key_file=key_file)

    with pytest.raises(TokenRefused) as caught:
        a_login(settings)(None)

    assert (caught.value.code, caught.value.operation) == (code, f"login {auth}")
    assert cure in caught.value.detail


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("INVALID_LOGIN", "check user name, password and security token"),
        ("PASSWORD_LOCKOUT", "unlock the API user"),
        ("UNSUPPORTED_API_VERSION", "use client_credentials or jwt"),
        ("SOMETHING_NEW", "check user name, password and security token"),
    ],
)
def test_names_the_cure_of_a_soap_fault(script, settings_for, a_login, code, cure):
    script.say(500, FAULT.format(code=code).encode())

    with pytest.raises(TokenRefused) as caught:
        a_login(settings_for(script.base_url, auth="soap"))(None)

    assert caught.value.code == code
    assert cure in caught.value.detail


@pytest.mark.parametrize("auth", ["client_credentials", "password", "soap"])
@pytest.mark.parametrize(
    ("status", "family"), [(503, RemoteUnavailable), (429, RateLimited)]
)
def test_calls_a_login_that_is_down_unavailable(
    script, settings_for, a_login, auth, status, family
):
    script.say(status, b"<html>Down</html>", Retry_After="9")

    with pytest.raises(family) as caught:
        a_login(settings_for(script.base_url, auth=auth))(None)

    assert caught.value.status == status
    assert caught.value.retry_after.total_seconds() == 9


@pytest.mark.parametrize("auth", ["client_credentials", "soap"])
def test_calls_a_login_that_answers_nothing_unavailable(settings_for, a_login, auth):
    with pytest.raises(RemoteUnavailable, match="ConnectionError"):
        a_login(settings_for("http://127.0.0.1:1", auth=auth))(None)


@pytest.mark.parametrize("auth", ["client_credentials", "soap"])
def test_stops_at_an_answer_that_is_no_token(script, settings_for, a_login, auth):
    script.say(200, b"<html>Welcome</html" + b">" * (auth != "soap"))

    with pytest.raises(ContractBroken):
        a_login(settings_for(script.base_url, auth=auth))(None)


def test_sends_no_session_to_an_unencrypted_host(script, settings_for, a_login):
    script.say(200, {**GRANTED, "instance_url": "http://acme.org.example"})

    with pytest.raises(ContractBroken, match="no https host"):
        a_login(settings_for(script.base_url))(None)


@pytest.mark.parametrize("content", [None, b"not a key"])
def test_names_an_unusable_private_key(settings_for, a_login, tmp_path, content):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    settings = settings_for("http://127.0.0.1:1", auth="jwt", private_key_file=path)

    with pytest.raises(TokenRefused, match="SYNC_SALESFORCE__PRIVATE_KEY_FILE"):
        a_login(settings)(None)


@pytest.mark.parametrize("auth", ["client_credentials", "jwt", "password", "soap"])
def test_tells_no_secret_of_a_login(script, settings_for, a_login, key_file, auth):
    script.say(400, FAULT.format(code="INVALID_LOGIN").encode())
    settings = settings_for(script.base_url, auth=auth, private_key_file=key_file)

    with pytest.raises(WorkerError) as caught:
        a_login(settings)(None)

    text = "".join(traceback.format_exception(caught.value))
    for secret in ("s3cret-of-the-app", "p<ss", "T0KEN", "worker@org.example"):
        assert secret not in text
