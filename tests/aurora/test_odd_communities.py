"""Communities that answer otherwise than the sandbox: nothing is lost in silence."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from worker.aurora import auth
from worker.aurora.client import Caller
from worker.domain.tokens import Token
from worker.errors import ContractBroken, RemoteUnavailable

OAUTH = {
    "auth": "oauth",
    "client_id": "APP=",
    "client_secret": "SECRET=",
    "redirect_uri": "https://worker.example/cb",
}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(*items, cursor=None):
    data = {"type": "users", "items": list(items)}
    if cursor:
        data["next_cursor"] = cursor
    return {"status": "success", "data": data}


def user(member_id, visited=None):
    fields = {"last_visit_time": visited.isoformat()} if visited else {}
    return {"id": str(member_id), "login": f"m{member_id}", **fields}


def ids(pages):
    return [[member.member_id for member in page] for page in pages]


@pytest.mark.parametrize(
    "pages",
    [
        [page(user(1), user(10), user(2))],
        [page(user(1), user(2), cursor="a"), page(user(2), user(3))],
        [page(user(1), user(2), cursor="a"), page(user(1), user(2), cursor="b")],
        [page(user(99))],
    ],
    ids=["sorted as text", "overlapping", "starting over", "outside the range"],
)
def test_refuses_ids_out_of_order_or_of_range(canned, pages):
    _, client, _ = canned(*pages)

    with pytest.raises(ContractBroken, match="out of order or of range"):
        list(client.member_pages(1, 50))


def test_goes_on_over_a_page_without_members(canned):
    _, client, _ = canned(page({"id": "-1"}, cursor="a"), page(user(3)))

    assert ids(client.member_pages(1, None)) == [[3]]


def test_repeats_the_same_query_with_each_cursor(canned):
    app, client, _ = canned(page(user(1), cursor="it's"), page(user(2)))

    list(client.member_pages(1, None))

    first, second = app.asked
    assert second == f"{first} CURSOR 'it\\'s'"


def test_looks_past_members_without_a_visit_that_come_first(canned):
    _, client, _ = canned(
        page(user(1), user(2), cursor="a"),
        page(user(3), user(4, NOON), cursor="b"),
        page(user(5, NOON - timedelta(hours=1)), user(6), cursor="c"),
    )

    assert ids(client.visited_pages(NOON)) == [[4]]


@pytest.mark.parametrize(
    "data",
    [[], [{"items": []}], {"items": []}, [{"items": [user(9)]}, {"items": []}]],
)
def test_refuses_a_list_that_does_not_answer_the_queries(canned, data):
    _, client, _ = canned({"status": "success", "data": data})

    with pytest.raises(ContractBroken):
        list(client.members([1, 2]))


@pytest.mark.parametrize("data", [[], [{"items": []}], {"items": []}])
def test_refuses_roles_that_do_not_answer_the_queries(canned, data):
    _, client, _ = canned({"status": "success", "data": data})

    with pytest.raises(ContractBroken):
        list(client.slow_fields([1, 2], calls=9))


def test_takes_the_secret_to_no_other_host(canned):
    elsewhere = {"Location": "http://127.0.0.2:9/steal"}
    app, _, settings = canned({}, status=307, headers=elsewhere, **OAUTH)

    with pytest.raises(ContractBroken, match="check the base URL"):
        auth.exchange_code(settings, "code")

    assert len(app.asked) == 1


def test_keeps_the_refresh_token_when_the_answer_has_no_new_one(canned):
    app, _, settings = canned(
        {"status": "success", "data": {"access_token": "AT=", "expires_in": "60"}},
        **OAUTH,
    )

    token = auth.oauth_refresh(settings)(Token("old", refresh="R+/=", subject="7"))

    assert (token.access, token.refresh, token.subject) == ("AT=", "R+/=", "7")
    assert msgspec.json.decode(app.asked[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "R+/=",
        "client_id": "APP=",
        "client_secret": "SECRET=",
    }


@pytest.mark.parametrize(
    "data",
    [
        {"access_token": "AT="},
        {"refresh_token": "RT="},
        {"access_token": "AT=", "refresh_token": "RT=", "error": "invalid_grant"},
    ],
)
def test_takes_no_half_of_a_token_answer(canned, data):
    _, _, settings = canned({"status": "success", "data": data}, **OAUTH)

    with pytest.raises(ContractBroken):
        auth.exchange_code(settings, "code")


def test_tells_that_the_caller_is_anonymous(canned):
    nobody = {"user": {"id": {"type": "int", "$": -1}}}
    _, client, _ = canned({"response": {"status": "success", **nobody}}, page())

    assert client.whoami() == Caller(-1, (), sees_emails=None)


def test_knows_no_time_from_a_date_that_is_none(canned):
    _, client, _ = canned(page(), headers={"Date": "soon"})

    client.ping()

    assert client.server_time is None


def test_says_that_nobody_listens(canned):
    _, _, settings = canned({})
    nobody = settings.model_copy(update={"base_url": "http://127.0.0.1:9"})

    with pytest.raises(RemoteUnavailable) as caught:
        auth.session_login(nobody)(None)

    assert caught.value.code == "ConnectionError"


def test_opens_new_sessions_after_closing(canned):
    _, client, _ = canned(page(user(1)))

    with client:
        client.ping()
    client.ping()
