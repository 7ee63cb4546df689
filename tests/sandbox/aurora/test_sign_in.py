from __future__ import annotations

import pytest

LOGIN = "/restapi/vc/authentication/sessions/login"
CURRENT = (
    "/restapi/vc/authentication/sessions/current/user?restapi.response_format=json"
)
INVALID_KEY = {
    "response": {
        "status": "error",
        "error": {"code": 301, "message": "Invalid session key."},
    }
}


def who(caller):
    user = caller.get(CURRENT).json()["response"]["user"]
    return user["login"]["$"]


@pytest.mark.parametrize("where", ["params", "data"])
@pytest.mark.parametrize("path", [LOGIN, f"{LOGIN}/"])
def test_signs_in_by_query_string_or_form(stranger, where, path):
    fields = {
        "user.login": stranger.credentials["username"],
        "user.password": stranger.credentials["password"],
        "restapi.response_format": "json",
    }

    body = stranger.post(path, **{where: fields}).json()

    key = body["response"]["value"]["$"]
    assert body == {
        "response": {"status": "success", "value": {"type": "string", "$": key}}
    }
    stranger.http.headers["li-api-session-key"] = key
    assert who(stranger) == "integration.admin"


def test_answers_in_xml_unless_json_is_asked_for(stranger):
    answer = stranger.post(
        LOGIN,
        data={
            "user.login": stranger.credentials["username"],
            "user.password": stranger.credentials["password"],
        },
    )

    [key] = stranger.sandbox.sessions.keys
    assert answer.headers["Content-Type"] == "application/xml;charset=UTF-8"
    assert answer.text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<response status="success">'
        f'<value type="string">{key}</value></response>'
    )


def test_a_wrong_password_is_answered_with_a_page(stranger):
    answer = stranger.post(
        LOGIN,
        data={"user.login": "integration.admin", "user.password": "wrong"},
    )

    assert answer.status_code == 403
    assert answer.text.startswith("<html>")
    assert "<body><h1>HTTP Status 403 - " in answer.text


@pytest.mark.parametrize("closed", [{"banned": True}, {"deleted": True}])
def test_a_closed_account_cannot_sign_in(stranger, closed):
    stranger.sandbox.community.register(login="ada", password="p", **closed)

    answer = stranger.post(LOGIN, data={"user.login": "ada", "user.password": "p"})

    assert answer.status_code == 403


def test_sign_in_by_password_can_be_switched_off(stranger):
    stranger.sandbox.community.switches.change(session_login=False)

    answer = stranger.post(LOGIN, data={"user.login": "x", "user.password": "y"})

    assert answer.status_code == 403


def test_a_key_lives_for_half_an_hour(caller):
    clock = caller.sandbox.community.clock

    clock.advance(29 * 60)
    used = caller.get(CURRENT).json()["response"]["status"]
    clock.advance(60)

    assert used == "success"
    assert caller.get(CURRENT).json() == INVALID_KEY


def test_use_keeps_a_key_alive_by_switch(caller):
    caller.sandbox.community.switches.change(use_extends_session=True)

    statuses = []
    for _ in range(3):
        caller.sandbox.community.clock.advance(29 * 60)
        statuses.append(caller.get(CURRENT).json()["response"]["status"])

    assert statuses == ["success"] * 3


def test_a_bad_key_is_http_200_in_v1_and_401_in_v2(stranger):
    stranger.http.headers["li-api-session-key"] = "nonsense"

    v1 = stranger.get(CURRENT)
    v2 = stranger.ask("SELECT id FROM users")

    assert (v1.status_code, v1.json()) == (200, INVALID_KEY)
    assert (v2.status_code, v2.json()["data"]["code"]) == (401, 301)


def test_signing_out_ends_the_key(caller):
    caller.post("/restapi/vc/authentication/sessions/logout")

    assert caller.get(CURRENT).json() == INVALID_KEY


def test_an_administrator_may_act_as_a_member(caller):
    caller.sandbox.community.register(login="ada")

    answer = caller.post(
        LOGIN, data={"user.login": "ada", "restapi.response_format": "json"}
    )

    caller.http.headers["li-api-session-key"] = answer.json()["response"]["value"]["$"]
    assert who(caller) == "ada"


def test_nobody_else_may_act_as_a_member(stranger):
    stranger.sandbox.community.register(login="ada", password="p")
    stranger.sandbox.community.register(login="bob")
    nobody = stranger.post(LOGIN, data={"user.login": "bob"})
    stranger.sign_in("ada", "p")

    member = stranger.post(LOGIN, data={"user.login": "bob"})

    assert (nobody.status_code, member.status_code) == (403, 403)


def test_without_a_key_one_is_the_anonymous_user(stranger):
    user = stranger.get(CURRENT).json()["response"]["user"]

    assert (user["id"]["$"], user["anonymous"]["$"]) == (-1, True)


def test_signs_out_everywhere_by_v2(caller):
    member_id = str(caller.sandbox.community.administrator.id)

    body = caller.post("/api/2.0/auth/signout", json={"id": member_id}).json()

    assert body["data"]["signed_off_all_sessions"] is True
    assert caller.get(CURRENT).json() == INVALID_KEY


def authorize(caller, **changed):
    given = {
        "client_id": caller.credentials["client_id"],
        "redirect_uri": caller.credentials["redirect_uri"],
        "response_type": "code",
        "state": "s+/=",
        **changed,
    }
    return caller.get("/auth/oauth2/authorize", params=given, allow_redirects=False)


def test_consent_redirects_with_the_vendors_five_names(stranger):
    answer = authorize(stranger, approve="1")

    given = stranger.redirected(answer)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(stranger.credentials["redirect_uri"])
    assert given == {
        "code": given["code"],
        "state": "s+/=",
        "tenant-id": "demo",
        "user-id": "0",
        "proxy-host": "demo.api.example",
    }


def test_a_person_signs_in_on_the_page(stranger):
    stranger.sandbox.community.register(login="ada", password="p")
    page = authorize(stranger)
    fields = {
        "client_id": stranger.credentials["client_id"],
        "redirect_uri": stranger.credentials["redirect_uri"],
        "response_type": "code",
        "state": "s",
        "user.login": "ada",
    }

    wrong = stranger.post(
        "/auth/oauth2/authorize", data={**fields, "user.password": "x"}
    )
    right = stranger.post(
        "/auth/oauth2/authorize",
        data={**fields, "user.password": "p"},
        allow_redirects=False,
    )

    assert (page.status_code, "<form" in page.text) == (200, True)
    assert "incorrect" in wrong.text
    assert stranger.redirected(right)["user-id"] == "1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "other"},
        {"redirect_uri": "http://evil.example/"},
        {"response_type": "token"},
    ],
)
def test_a_wrong_request_for_consent_is_not_redirected(stranger, wrong):
    assert authorize(stranger, approve="1", **wrong).status_code == 400


def test_changes_a_code_for_tokens_once(stranger):
    code = stranger.authorize()

    first = stranger.exchange("accessToken", code=code, grant_type="authorization_code")
    again = stranger.exchange("accessToken", code=code, grant_type="authorization_code")

    data = first.json()["data"]
    assert first.json() == {
        "status": "success",
        "message": "OK",
        "http_code": 200,
        "data": {
            "access_token": data["access_token"],
            "expires_in": 86400,
            "lithiumUserId": "0b7c0000-0000-4000-8000-000000000000",
            "userId": "0",
            "refresh_token": data["refresh_token"],
            "token_type": "bearer",
        },
    }
    assert (again.status_code, again.json()["status"]) == (401, "error")


def test_wraps_the_tokens_by_switch(stranger):
    stranger.sandbox.community.switches.change(token_envelope_is_wrapped=True)

    body = stranger.exchange(
        "accessToken", code=stranger.authorize(), grant_type="authorization_code"
    ).json()

    assert list(body) == ["response"]
    assert body["response"]["httpCode"] == 200
    assert body["response"]["data"]["expires_in"] == 86400


def test_a_code_is_short_lived(stranger):
    code = stranger.authorize()
    stranger.sandbox.community.clock.advance(301)

    answer = stranger.exchange(
        "accessToken", code=code, grant_type="authorization_code"
    )

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "other"},
        {"client_id": "other"},
        {"grant_type": "password"},
        {"redirect_uri": "http://other.example/"},
        {"code": "other"},
    ],
)
def test_refuses_a_wrong_exchange(stranger, wrong):
    given = {"code": stranger.authorize(), "grant_type": "authorization_code"}

    assert stranger.exchange("accessToken", **{**given, **wrong}).status_code == 401


def test_takes_tokens_requests_as_json_only_and_with_the_client_id_header(stranger):
    known = {
        "client_id": stranger.credentials["client_id"],
        "client_secret": stranger.credentials["client_secret"],
        "redirect_uri": stranger.credentials["redirect_uri"],
        "code": stranger.authorize(),
        "grant_type": "authorization_code",
    }

    form = stranger.post("/api/2.0/auth/accessToken", data=known)
    headerless = stranger.post("/api/2.0/auth/accessToken", json=known)

    assert (form.status_code, headerless.status_code) == (400, 401)


def test_a_token_calls_the_api_with_the_client_id(stranger):
    token = stranger.tokens()["access_token"]
    stranger.sandbox.community.register()

    stranger.bear(token)
    ids = stranger.ids("SELECT id FROM users")
    del stranger.http.headers["client-id"]

    assert ids == ["1"]
    assert stranger.ask("SELECT id FROM users").status_code == 401


def test_an_access_token_expires_and_is_renewed(stranger):
    tokens = stranger.tokens()
    stranger.bear(tokens["access_token"])
    stranger.sandbox.community.clock.advance(86_400)
    expired = stranger.ask("SELECT id FROM users")

    answer = stranger.exchange(
        "refreshToken",
        refresh_token=tokens["refresh_token"],
        grant_type="refresh_token",
    )
    stranger.bear(answer.json()["data"]["access_token"])

    assert (expired.status_code, expired.json()["status"]) == (401, "error")
    assert stranger.ask("SELECT id FROM users").status_code == 200


@pytest.mark.parametrize(("dies", "status"), [(True, 401), (False, 200)])
def test_the_old_refresh_token_dies_by_switch(stranger, dies, status):
    stranger.sandbox.community.switches.change(old_refresh_token_dies=dies)
    old = stranger.tokens()["refresh_token"]
    given = {"refresh_token": old, "grant_type": "refresh_token"}

    new = stranger.exchange("refreshToken", **given).json()["data"]["refresh_token"]

    assert new != old
    assert stranger.exchange("refreshToken", **given).status_code == status
    assert (
        stranger.exchange("refreshToken", **{**given, "refresh_token": new}).status_code
        == 200
    )


def test_a_refresh_token_lives_for_five_years(stranger):
    old = stranger.tokens()["refresh_token"]
    stranger.sandbox.community.clock.advance(1826 * 86_400)

    answer = stranger.exchange(
        "refreshToken", refresh_token=old, grant_type="refresh_token"
    )

    assert answer.status_code == 401


def test_an_expired_token_may_answer_403(stranger):
    stranger.sandbox.community.switches.change(expired_token_status=403)
    stranger.bear("nonsense")

    answer = stranger.ask("SELECT id FROM users")

    assert (answer.status_code, answer.json()["http_code"]) == (403, 403)


def test_an_administrator_edits_the_redirect_uri_of_the_app(stranger):
    uri = "http://127.0.0.1:9999/cb"

    stranger.post("/_sandbox/app", json={"redirect_uri": uri})

    assert authorize(stranger, redirect_uri=uri, approve="1").status_code == 302
    assert stranger.sandbox.credentials("b")["redirect_uri"] == uri


def test_tenant_and_context_name_may_lead_every_path(serve):
    caller = serve(prefix="/community/s")
    caller.sign_in()
    search = "/api/2.0/search?q=SELECT id FROM users"

    paths = ["", "/demo", "/t5/s", "/t5/s/demo", "/community/s"]

    assert [caller.get(path + search).status_code for path in paths] == [200] * 5
    assert caller.get("/other" + search).status_code == 404


def test_an_unprefixed_path_is_nobodys_by_switch(serve):
    caller = serve(prefix="/t5/s")
    caller.sandbox.community.switches.change(unprefixed_paths=False)

    assert caller.ask("SELECT id FROM users").status_code == 404
    assert caller.get("/t5/s/api/2.0/search?q=SELECT id FROM users").status_code == 200


def test_a_stage_asks_for_its_password_before_all_else(caller):
    caller.sandbox.community.switches.change(ht_access="stage:secret")

    without = caller.ask("SELECT id FROM users")
    with_it = caller.get(
        "/api/2.0/search",
        params={"q": "SELECT id FROM users"},
        auth=("stage", "secret"),
    )

    assert without.status_code == 401
    assert without.headers["WWW-Authenticate"].startswith("Basic")
    assert with_it.status_code == 200
