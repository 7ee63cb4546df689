from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

NOW = datetime(2025, 7, 1, 12, 0, 0, 925_000, tzinfo=UTC)


def refusal(answer):
    body = answer.json()
    return (answer.status_code, body["status"], body["message"], body["data"]["code"])


BAD_QUERY = (400, "error", "Invalid query syntax", 604)


def test_gives_the_fields_that_were_asked_for_and_leaves_out_empty_ones(caller):
    caller.sandbox.community.register(
        id=41,
        login="Ada",
        email="ada@x.example",
        first_name="Ada",
        rank="Guru",
        registration_time=datetime(2021, 1, 10, 12, tzinfo=UTC),
        last_visit_time=NOW,
        posts=9,
        kudos_received=7,
        accepted_solutions=3,
        c_uuid="u-1",
    )

    answer = caller.ask(
        "SELECT id, href, view_href, login, email, first_name, last_name, biography, "
        "rank.name, registration_data.registration_time, last_visit_time, "
        "metrics.posts, kudos_received.sum(weight), solutions_authored.count(*), "
        "roles, avatar.profile, c_uuid, c_company, deleted FROM users"
    )

    item = {
        "type": "user",
        "id": "41",
        "href": "/users/41",
        "view_href": "https://community.example/t5/user/viewprofilepage/user-id/41",
        "login": "Ada",
        "email": "ada@x.example",
        "first_name": "Ada",
        "rank": {"type": "rank", "name": "Guru"},
        "registration_data": {
            "type": "registration_data",
            "registration_time": "2021-01-10T08:30:00.000-03:30",
        },
        "last_visit_time": "2025-07-01T09:30:00.925-02:30",
        "metrics": {"type": "user_metrics", "posts": 9},
        "kudos_received": {"sum": {"weight": 7}},
        "solutions_authored": {"count": 3},
        "roles": {"query": "SELECT * FROM roles WHERE users.id = '41'"},
        "avatar": {
            "type": "avatar",
            "profile": "https://community.example/t5/image/serverpage/image-id/"
            "41i56E27D59/image-dimensions/profile",
        },
        "c_uuid": "u-1",
        "deleted": False,
    }
    assert answer.json() == {
        "status": "success",
        "message": "",
        "http_code": 200,
        "data": {
            "type": "users",
            "list_item_type": "user",
            "size": 1,
            "items": [item],
        },
        "metadata": {},
    }


def test_gives_all_seven_metrics_as_one_object(caller):
    caller.sandbox.community.register(logins=12, page_views=210)

    [item] = caller.data("SELECT metrics FROM users")["items"]

    assert item["metrics"] == {
        "type": "user_metrics",
        "logins": 12,
        "minutes_online": 0,
        "posts": 0,
        "private_messages_received": 0,
        "private_messages_sent": 0,
        "page_views": 210,
        "messages_read": 0,
    }


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("id = '2'", ["2"]),
        ("id = 2", ["2"]),
        ("id != 2", ["1", "3", "4"]),
        ("id >= '2' AND id < '4'", ["2", "3"]),
        ("id > 2 AND id <= 3", ["3"]),
        ("id IN ('4', '1', '99')", ["1", "4"]),
        ("login = 'ADA'", ["1"]),
        ('login = "o\'brien"', ["2"]),
        (r"login = 'o\'brien'", ["2"]),
        ("login != 'ada'", ["2", "3", "4"]),
        ("email = 'SAME@x.example'", ["1", "3"]),
        ("email IN ('same@x.example', 'o@x.example')", ["1", "2", "3"]),
        ("sso_id = 'ext-1'", ["1"]),
        ("first_name = 'ada' OR last_name = 'zuse'", ["1", "4"]),
        ("(id = 1 OR id = 2) AND first_name = 'Ada'", ["1"]),
        ("first_name MATCHES 'ad'", ["1"]),
        ("biography MATCHES 'printers paper'", ["3"]),
        ("deleted = true", ["3"]),
        ("banned = false AND deleted = false", ["1", "2", "4"]),
        ("registration_data.status = 'partially-registered'", ["4"]),
        ("roles.id = 't:Moderator'", ["2"]),
        ("rank.id = 2", ["2"]),
        ("online_status = 'online'", []),
    ],
)
def test_filters(caller, where, ids):
    register = caller.sandbox.community.register
    register(login="Ada", email="same@x.example", first_name="Ada", sso_id="ext-1")
    register(
        login="o'brien",
        email="o@x.example",
        roles=["Moderator"],
        rank="Occasional Visitor",
    )
    register(email="Same@x.example", deleted=True, biography="Paper in printers.")
    register(last_name="Zuse", status="partially-registered")

    assert caller.ids(f"SELECT id FROM users WHERE {where}") == ids
    count = caller.data(f"SELECT count(*) FROM users WHERE {where}")["count"]
    assert count == len(ids)


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("id", ["1", "2", "3"]),
        ("id DESC", ["3", "2", "1"]),
        ("last_visit_time DESC", ["2", "3", "1"]),
        ("last_visit_time", ["1", "3", "2"]),
        ("login ASC", ["3", "1", "2"]),
        ("registration_data.registration_time DESC", ["1", "3", "2"]),
        ("metrics.posts DESC, id ASC", ["1", "2", "3"]),
        ("metrics.posts DESC, last_visit_time ASC", ["1", "3", "2"]),
        ("metrics.posts, last_visit_time", ["3", "2", "1"]),
    ],
)
def test_sorts(caller, order, ids):
    register = caller.sandbox.community.register
    register(login="b", registration_time=3, last_visit_time=1, posts=5)
    register(login="C", registration_time=1, last_visit_time=3)
    register(login="a", registration_time=2, last_visit_time=2)

    assert caller.ids(f"SELECT id FROM users ORDER BY {order}") == ids


def test_puts_members_who_never_came_behind_the_latest(caller):
    caller.sandbox.community.register(last_visit_time=None)
    caller.sandbox.community.register(last_visit_time=5)

    items = caller.data(
        "SELECT id, last_visit_time FROM users ORDER BY last_visit_time DESC"
    )["items"]

    assert items == [
        {
            "type": "user",
            "id": "2",
            "last_visit_time": "1969-12-31T20:30:00.005-03:30",
        },
        {"type": "user", "id": "1"},
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT nickname FROM users",
        "SELECT id, rank.nickname FROM users",
        "SELECT id, kudos.count(*) FROM users",
        "SELECT id.x FROM users",
        "SELECT c_unknown FROM users",
        "SELECT id FROM users WHERE nickname = 'x'",
        "SELECT id FROM users WHERE id = 'x'",
        "SELECT id FROM users WHERE login > 'x'",
        "SELECT id FROM users WHERE deleted = 'true'",
        "SELECT id FROM users WHERE last_visit_time > 5",
        "SELECT id FROM users ORDER BY biography",
        "SELECT id FROM users LIMIT 1001",
        "SELECT id FROM users LIMIT 10 OFFSET 2001",
        "SELECT id FROM users CURSOR 'nonsense'",
        "SELECT id FROM users CURSOR 'bm9uc2Vuc2U='",
        "SELECT id FROM threads",
        "SELECT views FROM messages",
        "SELECT id FROM messages WHERE post_time > 5",
        "SELECT id FROM roles WHERE name = 'x'",
        "SELECT nickname FROM ranks",
        "",
    ],
)
def test_refuses_as_the_vendor_does_without_saying_why(caller, query):
    assert refusal(caller.ask(query)) == BAD_QUERY


@pytest.mark.parametrize(
    ("query", "feature"),
    [
        ("SELECT settings FROM users", "the field settings"),
        (
            "SELECT id FROM users WHERE followers.id = '1'",
            "the constraint followers.id",
        ),
        ("SELECT id FROM boards", "the collection boards"),
        ("SELECT id FROM kudos", "the rows of the collection kudos"),
    ],
)
def test_says_by_name_what_is_not_emulated(caller, query, feature):
    message = f"{feature} is not emulated by this sandbox"

    assert refusal(caller.ask(query)) == (501, "error", message, 501)


DOCUMENTED = """
    albums avatar banned biography bonus_points cover_image deleted email email_excluded
    first_name followers following href id images is_owner join_date kudos_given
    kudos_received kudos_weight language last_name last_visit_time location login
    messages metrics nodes online_status personal_data public_images rank
    registration_data reviews roles settings signature_topics solutions_authored sso_id
    threads_participated topics user_badges videos view_href web_page_url
"""


def test_knows_every_documented_field_of_a_user(caller):
    statuses = {
        name: caller.ask(f"SELECT {name} FROM users").status_code
        for name in DOCUMENTED.split()
    }

    refused = {name for name, status in statuses.items() if status == 501}
    assert refused == {"personal_data", "reviews", "settings", "signature_topics"}
    assert set(statuses.values()) == {200, 501}


def test_pages_by_25_unless_told_otherwise_and_ends_without_a_cursor(caller):
    for _ in range(60):
        caller.sandbox.community.register()

    pages = list(caller.pages("SELECT id FROM users"))

    assert [len(page) for page in pages] == [25, 25, 10]
    assert [int(item["id"]) for page in pages for item in page] == [*range(1, 61)]


def test_gives_no_cursor_when_the_last_page_is_full(caller):
    for _ in range(4):
        caller.sandbox.community.register()

    pages = list(caller.pages("SELECT id FROM users ORDER BY id LIMIT 2"))

    assert [[item["id"] for item in page] for page in pages] == [["1", "2"], ["3", "4"]]


def test_pages_through_equal_sort_values_without_a_gap_or_a_repeat(caller):
    for number in range(9):
        caller.sandbox.community.register(last_visit_time=number // 3)

    query = "SELECT id FROM users ORDER BY last_visit_time DESC LIMIT 2"
    pages = list(caller.pages(query))

    found = [int(item["id"]) for page in pages for item in page]
    assert found == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_pages_through_a_filter(caller):
    for number in range(20):
        caller.sandbox.community.register(banned=number % 2 == 0)

    query = "SELECT id FROM users WHERE banned = true AND id > 4 ORDER BY id LIMIT 3"
    pages = list(caller.pages(query))

    found = [[int(item["id"]) for item in page] for page in pages]
    assert found == [[5, 7, 9], [11, 13, 15], [17, 19]]


def test_a_small_page_size_gives_short_pages_that_are_not_the_end(serve):
    caller = serve(page_size=2)
    caller.sign_in()
    for _ in range(5):
        caller.sandbox.community.register()

    pages = list(caller.pages("SELECT id FROM users LIMIT 1000"))

    assert [len(page) for page in pages] == [2, 2, 1]


def test_a_cursor_is_good_for_its_own_query_only(caller):
    for _ in range(5):
        caller.sandbox.community.register()
    cursor = caller.data("SELECT id FROM users LIMIT 2")["next_cursor"]

    same = caller.ids(f"SELECT id FROM users LIMIT 2 CURSOR '{cursor}'")
    others = [
        caller.ask(f"SELECT id, login FROM users LIMIT 2 CURSOR '{cursor}'"),
        caller.ask(f"SELECT id FROM users LIMIT 3 CURSOR '{cursor}'"),
        caller.ask(f"SELECT id FROM users WHERE id > 0 LIMIT 2 CURSOR '{cursor}'"),
        caller.ask(f"SELECT id FROM users ORDER BY id LIMIT 2 CURSOR '{cursor}'"),
    ]

    assert same == ["3", "4"]
    assert [refusal(other) for other in others] == [BAD_QUERY] * 4


def test_a_cursor_looks_like_the_vendors(caller):
    for _ in range(30):
        caller.sandbox.community.register()

    cursor = caller.data("SELECT id FROM users")["next_cursor"]

    assert base64.b64decode(cursor).startswith(b"25.2|2.0|i|25|")


def test_a_cursor_survives_members_coming_and_going(caller):
    for _ in range(6):
        caller.sandbox.community.register()
    cursor = caller.data("SELECT id FROM users LIMIT 3")["next_cursor"]

    caller.sandbox.community.delete(2, hard=True)
    caller.sandbox.community.delete(3, hard=True)
    caller.sandbox.community.register()

    rest = caller.ids(f"SELECT id FROM users LIMIT 3 CURSOR '{cursor}'")
    assert rest == ["4", "5", "6"]


def test_skips_by_offset_up_to_the_maximum(caller):
    for _ in range(5):
        caller.sandbox.community.register()

    assert caller.ids("SELECT id FROM users LIMIT 2 OFFSET 3") == ["4", "5"]


def test_an_anonymous_caller_gets_no_users_and_no_error(stranger):
    stranger.sandbox.community.register()

    data = stranger.data("SELECT id FROM users")
    count = stranger.data("SELECT count(*) FROM users")["count"]

    assert (data["size"], data["items"], count) == (0, [], 0)


def test_an_anonymous_caller_is_refused_where_the_switch_says_so(stranger):
    stranger.sandbox.community.switches.change(anonymous_search_is_refused=True)

    assert refusal(stranger.ask("SELECT id FROM users")) == (
        403,
        "error",
        "You are not authorized to make this request",
        203,
    )


def test_an_ordinary_member_sees_the_private_fields_of_nobody_else(stranger):
    register = stranger.sandbox.community.register
    register(login="ada", email="ada@x.example", password="p")
    register(login="bob", email="bob@x.example", posts=3)
    stranger.sign_in("ada", "p")

    items = stranger.data("SELECT login, email, metrics.posts FROM users")["items"]

    assert items == [
        {
            "type": "user",
            "login": "ada",
            "email": "ada@x.example",
            "metrics": {"type": "user_metrics", "posts": 0},
        },
        {"type": "user", "login": "bob"},
    ]


def test_lists_the_roles_of_a_member(caller):
    caller.sandbox.community.register(roles=["Moderator", "Crew"])

    data = caller.data("SELECT id, name FROM roles WHERE users.id = '1'")

    assert data == {
        "type": "roles",
        "list_item_type": "role",
        "size": 2,
        "items": [
            {"type": "role", "id": "t:Moderator", "name": "Moderator"},
            {"type": "role", "id": "t:Crew", "name": "Crew"},
        ],
    }


def test_pages_small_collections_too(caller):
    pages = list(caller.pages("SELECT name FROM ranks LIMIT 4"))

    assert [len(page) for page in pages] == [4, 4, 3]


def test_counts_kudos_of_a_member(caller):
    caller.sandbox.community.register(kudos_received=7, kudos_given=2)

    received = caller.data("SELECT count(*) FROM kudos WHERE message.author.id = '1'")
    given = caller.data("SELECT count(*) FROM kudos WHERE user.id = '1'")

    assert (received["count"], given["count"]) == (7, 2)


def test_has_no_messages_yet(caller):
    data = caller.data("SELECT id, subject FROM messages WHERE depth = 0 LIMIT 5")

    assert (data["size"], data["items"]) == (0, [])


def test_answers_the_structured_form(caller):
    for _ in range(3):
        caller.sandbox.community.register()

    body = {"users": {"fields": ["id"], "sorts": ["id desc"], "limit": 2}}
    first = caller.post("/api/2.0/search", json=body).json()["data"]
    body["users"]["cursor"] = first["next_cursor"]
    second = caller.post("/api/2.0/search", json=body).json()["data"]

    assert [item["id"] for item in first["items"]] == ["3", "2"]
    assert [item["id"] for item in second["items"]] == ["1"]


def test_answers_several_queries_in_one_call(caller):
    caller.sandbox.community.register(roles=["Moderator"])
    caller.sandbox.community.register()
    queries = [
        {"roles": {"fields": ["name"], "constraints": [{"users.id": str(number)}]}}
        for number in (1, 2)
    ]
    caller.sandbox.community.calls.reset()

    body = caller.post("/api/2.0/search", json=queries).json()

    assert [part["items"] for part in body["data"]] == [
        [{"type": "role", "name": "Moderator"}],
        [],
    ]
    calls = caller.sandbox.community.calls
    assert (calls.total, calls.queries) == (1, 2)


def test_gives_one_user_whole(caller):
    caller.sandbox.community.register(login="Ada")

    body = caller.get("/api/2.0/users/1").json()

    assert body["data"]["login"] == "Ada"
    assert body["data"]["roles"] == {
        "query": "SELECT * FROM roles WHERE users.id = '1'"
    }
    assert caller.get("/api/2.0/users/2").status_code == 404


@pytest.mark.parametrize(
    ("switches", "query"),
    [
        ({"in_operator": False}, "SELECT id FROM users WHERE id IN ('1')"),
        ({"offset_maximum": 1}, "SELECT id FROM users OFFSET 2"),
    ],
)
def test_refuses_more_by_switch(caller, switches, query):
    assert caller.ask(query).status_code == 200
    caller.sandbox.community.switches.change(**switches)

    assert refusal(caller.ask(query)) == BAD_QUERY


@pytest.mark.parametrize(
    ("switches", "query"),
    [
        ({"limit_above_maximum_is_clamped": True}, "SELECT id FROM users LIMIT 5000"),
        ({"offset_maximum": None}, "SELECT id FROM users OFFSET 5000"),
        ({"time_constraints": True}, "SELECT id FROM users WHERE last_visit_time > 5"),
        (
            {"time_constraints": True},
            (
                "SELECT id FROM users WHERE registration_data.registration_time "
                ">= 2024-08-07T00:00:00.000+00:00 ORDER BY last_visit_time DESC"
            ),
        ),
        ({"post_time_constraint": True}, "SELECT id FROM messages WHERE post_time > 5"),
    ],
)
def test_allows_more_by_switch(caller, switches, query):
    assert caller.ask(query).status_code == 400
    caller.sandbox.community.switches.change(**switches)

    assert caller.ask(query).status_code == 200


def test_a_matches_of_two_words_breaks_the_gateway_by_switch(caller):
    caller.sandbox.community.switches.change(multi_word_matches_fails=True)

    answer = caller.ask("SELECT id FROM users WHERE biography MATCHES 'two words'")

    assert answer.status_code == 502
    assert answer.text.startswith("<html>")


def test_time_constraints_bound_what_is_walked(caller):
    caller.sandbox.community.switches.change(time_constraints=True)
    for number in range(10):
        caller.sandbox.community.register(last_visit_time=1000 + number)

    ids = caller.ids(
        "SELECT id FROM users WHERE last_visit_time > 1002 AND last_visit_time <= 1005 "
        "ORDER BY last_visit_time DESC"
    )

    assert ids == ["6", "5", "4"]
