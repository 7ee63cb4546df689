from __future__ import annotations

from datetime import UTC, datetime

import pytest

JSON = {"restapi.response_format": "json"}
NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


def test_gives_a_user_with_typed_values(caller):
    caller.sandbox.community.register(
        id=41,
        login="Ada",
        email="ada@x.example",
        first_name="Ada",
        average_message_rating=4.5,
        administrative_notes="Careful.",
        registration_time=NOON,
        last_visit_time=NOON,
    )

    body = caller.get("/restapi/vc/users/id/41", params=JSON).json()

    at_noon = {"type": "date_time", "$": "2025-07-01T09:30:00.000-02:30"}
    assert body == {
        "response": {
            "status": "success",
            "user": {
                "type": "user",
                "href": "/users/id/41",
                "id": {"type": "int", "$": 41},
                "login": {"type": "string", "$": "Ada"},
                "email": {"type": "string", "$": "ada@x.example"},
                "average_message_rating": {"type": "float", "$": 4.5},
                "average_rating": {"type": "float", "$": 4.5},
                "registration_time": at_noon,
                "last_visit_time": at_noon,
                "registered": {"type": "boolean", "$": True},
                "anonymous": {"type": "boolean", "$": False},
                "deleted": {"type": "boolean", "$": False},
                "profiles": {
                    "profile": [
                        {"name": "name_first", "type": "string", "$": "Ada"},
                        {
                            "name": "administrative_notes",
                            "type": "string",
                            "$": "Careful.",
                        },
                    ]
                },
            },
        }
    }


def test_writes_xml_by_default_and_escapes_it(caller):
    caller.sandbox.community.register(login="A & <B>", roles=["Moderator"])

    user = caller.get("/restapi/vc/users/id/1").text
    roles = caller.get("/restapi/vc/users/id/1/roles").text

    assert '<login type="string">A &amp; &lt;B&gt;</login>' in user
    assert '<deleted type="boolean">false</deleted>' in user
    assert roles.endswith(
        '<response status="success"><roles><role href="/roles/id/t:Moderator" '
        'type="role"><id type="string">t:Moderator</id>'
        '<name type="string">Moderator</name></role></roles></response>'
    )


def test_finds_a_user_by_login_too(caller):
    caller.sandbox.community.register(id=41, login="Ada")

    body = caller.get("/restapi/vc/users/login/ada", params=JSON).json()

    assert body["response"]["user"]["id"]["$"] == 41


def test_gives_metrics_by_name(caller):
    caller.sandbox.community.register(kudos_received=7, posts=3)

    body = caller.get("/restapi/vc/users/id/1/metrics", params=JSON).json()

    metrics = {
        metric["name"]: metric["$"] for metric in body["response"]["metrics"]["metric"]
    }
    assert metrics == {
        "logins": 0,
        "minutes_online": 0,
        "overall_posts": 3,
        "posts": 3,
        "page_views": 0,
        "messages_read": 0,
        "private_messages_sent": 0,
        "private_messages_received": 0,
        "net_kudos_weight_received": 7,
        "net_kudos_weight_given": 0,
        "net_accepted_solutions": 0,
    }


def test_counts_kudos(caller):
    caller.sandbox.community.register(kudos_received=7)

    body = caller.get("/restapi/vc/users/id/1/kudos/received/count", params=JSON).json()

    assert body["response"]["value"] == {"type": "int", "$": 7}


def test_searches_users_by_email(caller):
    caller.sandbox.community.register(id=41, email="ada@x.example")

    found = caller.get(
        "/restapi/vc/search/users", params={**JSON, "q": "email:Ada@x.example"}
    ).json()

    assert [user["id"]["$"] for user in found["response"]["users"]["user"]] == [41]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/restapi/vc/users/id/99", 101),
        ("/restapi/vc/nonsense/x", 501),
        ("/restapi/vc/boards/id/x/messages/post", 501),
        ("/restapi/vc/search/users", 101),
    ],
)
def test_says_no_in_http_200(caller, path, code):
    params = {**JSON, "q": "phone:1"}

    answer = caller.get(path, params=params)

    assert answer.status_code == 200
    assert answer.json()["response"]["error"]["code"] == code


def test_an_unknown_path_is_named_in_xml_too(caller):
    text = caller.get("/restapi/vc/nonsense").text

    assert text.endswith(
        '<response status="error"><error code="501"><message>Unknown path element at '
        "node &#x27;community&#x27; and token &#x27;nonsense&#x27;</message></error>"
        "</response>"
    )


@pytest.mark.parametrize("path", ["", "/metrics", "/roles"])
def test_shows_a_stranger_nothing(stranger, path):
    stranger.sandbox.community.register()

    body = stranger.get(f"/restapi/vc/users/id/1{path}", params=JSON).json()

    assert body["response"]["error"]["code"] == 302


def test_shows_a_member_little_of_others(stranger):
    stranger.sandbox.community.register(login="ada", password="p")
    stranger.sandbox.community.register(login="bob", email="bob@x.example")
    stranger.sign_in("ada", "p")

    user = stranger.get("/restapi/vc/users/id/2", params=JSON).json()["response"][
        "user"
    ]
    metrics = stranger.get("/restapi/vc/users/id/2/metrics", params=JSON).json()

    assert ("email" in user, "profiles" in user) == (False, False)
    assert metrics["response"]["error"]["code"] == 302
