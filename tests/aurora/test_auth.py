"""Ways in: session key, OAuth code and refresh, prefixes, HT-access, the caller."""

import logging
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from freezegun import freeze_time

from worker.aurora import auth
from worker.aurora.client import Caller, check
from worker.domain.tokens import Token
from worker.errors import ConfigurationError, RemoteUnavailable, TokenRefused


def test_gets_a_session_key_for_twenty_eight_minutes(remote):
    obtain = auth.session_login(remote.settings())

    with freeze_time("2026-03-01 12:00:00", real_asyncio=True):
        token = obtain(None)

    assert token == Token(
        token.access, expires_at=datetime(2026, 3, 1, 12, 28, tzinfo=UTC)
    )


def test_puts_no_login_or_password_into_an_url(remote, monkeypatch):
    urls = []
    send = requests.Session.send
    monkeypatch.setattr(
        requests.Session,
        "send",
        lambda self, request, **kwargs: (
            urls.append(request.url) or send(self, request, **kwargs)
        ),
    )

    remote.client().ping()

    assert all("login=" not in url and "password" not in url for url in urls)
    assert len(urls) == 2


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "nobody"}])
def test_refuses_wrong_credentials(remote, wrong):
    with pytest.raises(TokenRefused) as caught:
        remote.client(**wrong).ping()

    assert "not accepted" in str(caught.value)
    assert all(value not in str(caught.value) for value in wrong.values())


def test_tells_a_sick_community_from_wrong_credentials(remote):
    remote.community.faults.add("status", status=503, path="login")

    with pytest.raises(RemoteUnavailable):
        remote.client().ping()


def test_sends_the_administrator_to_the_community_s_root(remote):
    settings = remote.settings(auth="oauth", api_prefix="t5/s")

    url = auth.authorization_url(settings, "s t/+=")

    given = remote.sandbox.credentials(remote.base_url)
    assert url.startswith(f"{remote.base_url}/auth/oauth2/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": [given["client_id"]],
        "redirect_uri": [given["redirect_uri"]],
        "state": ["s t/+="],
    }


def test_writes_a_public_community_s_url_with_https(remote):
    settings = remote.settings(auth="oauth", base_url="https://c.example/community")

    url = auth.authorization_url(settings, "s")

    assert url.startswith("https://c.example/community/auth/oauth2/authorize?")


@pytest.mark.parametrize("wrapped", [True, False])
def test_exchanges_a_code_in_both_envelopes(remote, wrapped):
    remote.community.switches.change(token_envelope_is_wrapped=wrapped)
    back = remote.authorised()

    with freeze_time("2026-03-01 12:00:00", real_asyncio=True):
        token = auth.exchange_code(remote.settings(auth="oauth"), back["code"][0])

    assert back["state"] == ["a state/+="]
    assert token == Token(
        token.access,
        refresh=token.refresh,
        expires_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
        subject="0",
    )
    assert token.refresh


def test_refuses_a_code_that_was_used(remote):
    code = remote.authorised()["code"][0]
    settings = remote.settings(auth="oauth")
    auth.exchange_code(settings, code)

    with pytest.raises(TokenRefused):
        auth.exchange_code(settings, code)


def test_reads_with_a_bearer_token(remote):
    remote.register(2)
    remote.connected()

    [page] = remote.client(auth="oauth").member_pages(1, None)

    assert [member.member_id for member in page] == [1, 2]
    assert remote.vault.renewals == 0


def test_renews_with_the_new_refresh_token_each_time(remote):
    first = remote.connected()
    client = remote.client(auth="oauth")
    remote.sandbox.sessions.expire_all()
    client.ping()
    second = remote.vault.token
    remote.sandbox.sessions.expire_all()

    client.ping()

    third = remote.vault.token
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    assert (second.generation, third.generation) == (2, 3)
    assert third.subject == "0"


@pytest.mark.parametrize("stored", [None, Token("access")])
def test_asks_to_be_connected_first(remote, stored):
    with pytest.raises(TokenRefused, match="run aurora-sync connect"):
        auth.oauth_refresh(remote.settings(auth="oauth"))(stored)


def test_stops_when_the_refresh_token_is_withdrawn(remote):
    token = remote.connected()._replace(refresh="withdrawn", generation=1)
    remote.vault.token = token._replace(expires_at=token.expires_at - timedelta(2))

    with pytest.raises(TokenRefused) as caught:
        remote.client(auth="oauth").ping()

    assert "withdrawn" not in str(caught.value)
    assert remote.vault.token.refresh == "withdrawn"


def test_keeps_the_refresh_token_when_the_exchange_is_cut_off(remote):
    remote.connected()
    remote.sandbox.sessions.expire_all()
    held = remote.vault.token
    remote.community.faults.add("drop_before", path="refreshToken")

    with pytest.raises(RemoteUnavailable):
        remote.client(auth="oauth").ping()

    assert remote.vault.token == held


def test_logs_no_token_at_any_level(remote, caplog):
    caplog.set_level(logging.DEBUG)

    token = remote.connected()
    renewed = auth.oauth_refresh(remote.settings(auth="oauth"))(token)

    secrets = [token.access, token.refresh, renewed.access, renewed.refresh]
    assert not [secret for secret in secrets if secret in caplog.text]


@pytest.mark.parametrize("prefix", ["t5/s", "/t5/s/demo/", "/demo"])
@pytest.mark.parametrize("way", ["session", "oauth"])
def test_finds_everything_under_the_prefix(remote, prefix, way):
    remote.community.register()
    if way == "oauth":
        remote.connected()
    remote.community.switches.change(unprefixed_paths=False)

    [page] = remote.client(api_prefix=prefix, auth=way).member_pages(1, None)

    assert len(page) == 1


def test_goes_through_ht_access_with_a_session_key(remote):
    remote.community.switches.change(ht_access="stage:p:ässword")

    remote.client(ht_user="stage", ht_password="p:ässword").ping()

    assert remote.vault.renewals == 1


def test_says_that_ht_access_is_in_the_way(remote):
    remote.community.switches.change(ht_access="stage:secret")

    with pytest.raises(TokenRefused) as caught:
        remote.client().ping()

    assert caught.value.code == "ht_access"


def test_renews_no_key_for_ht_access_that_came_up_later(remote):
    client = remote.client()
    client.ping()
    remote.community.switches.change(ht_access="stage:secret")

    with pytest.raises(TokenRefused, match="HT-access"):
        client.ping()

    assert remote.vault.renewals == 1


def test_tells_who_authorised_the_worker(remote):
    remote.register(3)
    remote.connected()

    caller = remote.client(auth="oauth").whoami()

    assert caller == Caller(0, ("Administrator",), sees_emails=True)


def test_check_finds_the_clash_of_ht_access_and_oauth(remote):
    settings = remote.settings(auth="oauth", ht_user="stage")

    problems = check(settings)

    assert len(problems) == 2
    assert "SYNC_AURORA__AUTH=session" in problems[0]
    assert check(remote.settings()) == []
    assert ConfigurationError(problems).problems == problems


def test_tells_the_administrator_who_sees_emails(remote):
    remote.register(3)

    assert remote.client().whoami() == Caller(0, ("Administrator",), sees_emails=True)


def test_tells_an_ordinary_member_who_sees_no_emails(remote):
    remote.register(3)
    user = remote.community.register(password="secret", login="ordinary")

    caller = remote.client(username="ordinary", password="secret").whoami()

    assert caller == Caller(user, (), sees_emails=False)


def test_tells_roles_and_nothing_of_emails_without_members(remote):
    user = remote.community.register(
        password="secret", login="boss", roles=["Moderator", "Administrator"]
    )

    caller = remote.client(username="boss", password="secret").whoami()

    assert caller == Caller(user, ("Administrator", "Moderator"), sees_emails=None)
