from __future__ import annotations

import pytest

from worker.sandbox.aurora.errors import BadQuery
from worker.sandbox.aurora.liql import (
    All,
    Comparison,
    Either,
    Field,
    Query,
    Sort,
    from_object,
    parse,
)

ID = Field(("id",))
LOGIN = Field(("login",))


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT id FROM users", Query("users", (ID,))),
        ("select * from users;", Query("users")),
        ("SELECT count(*) FROM users", Query("users", (Field((), "count(*)"),))),
        (
            "SELECT rank.name, kudos_received.SUM(weight) FROM users",
            Query(
                "users",
                (Field(("rank", "name")), Field(("kudos_received",), "sum(weight)")),
            ),
        ),
        (
            "SELECT id FROM users WHERE id >= '1' AND id <= 99",
            Query(
                "users",
                (ID,),
                All((Comparison(ID, ">=", "1"), Comparison(ID, "<=", 99))),
            ),
        ),
        (
            'SELECT id FROM users WHERE (login="a" OR login MATCHES "b") AND id != 3',
            Query(
                "users",
                (ID,),
                All(
                    (
                        Either(
                            (
                                Comparison(LOGIN, "=", "a"),
                                Comparison(LOGIN, "matches", "b"),
                            )
                        ),
                        Comparison(ID, "!=", 3),
                    )
                ),
            ),
        ),
        (
            r"SELECT id FROM users WHERE login IN ('O\'Brien', 'a\\b', 'x')",
            Query(
                "users",
                (ID,),
                Comparison(LOGIN, "in", ("O'Brien", "a\\b", "x")),
            ),
        ),
        (
            (
                "SELECT id FROM users WHERE deleted = false AND t >= 1650000000000 "
                "AND t < 2024-08-07T00:00:00.000+00:00"
            ),
            Query(
                "users",
                (ID,),
                All(
                    (
                        Comparison(Field(("deleted",)), "=", value=False),
                        Comparison(Field(("t",)), ">=", 1650000000000),
                        Comparison(Field(("t",)), "<", "2024-08-07T00:00:00.000+00:00"),
                    )
                ),
            ),
        ),
        (
            "SELECT id FROM users ORDER BY last_visit_time DESC, id LIMIT 5 OFFSET 10",
            Query(
                "users",
                (ID,),
                order=(
                    Sort(Field(("last_visit_time",)), descending=True),
                    Sort(ID, descending=False),
                ),
                limit=5,
                offset=10,
            ),
        ),
        (
            "SELECT id FROM users LIMIT 5 CURSOR 'Ab+/='",
            Query("users", (ID,), limit=5, cursor="Ab+/="),
        ),
    ],
)
def test_reads_a_query(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT FROM users",
        "SELECT id, FROM users",
        "SELECT id users",
        "SELECT id FROM users WHERE",
        "SELECT id FROM users WHERE id",
        "SELECT id FROM users WHERE id = ",
        "SELECT id FROM users WHERE id = nobody",
        "SELECT id FROM users WHERE (id = 1",
        "SELECT id FROM users WHERE login = 'O'Brien'",
        "SELECT id FROM users WHERE login = 'open",
        "SELECT id FROM users WHERE id IN ()",
        "SELECT id FROM users WHERE t > 2024-08-07T00:00:00.000+0000",
        "SELECT id FROM users LIMIT -1",
        "SELECT id FROM users LIMIT 1.5",
        "SELECT id FROM users LIMIT 1 OFFSET 1 CURSOR 'x'",
        "SELECT id FROM users ORDER id",
        "SELECT id FROM users LIMIT 5 WHERE id = 1",
        "DELETE FROM users",
        "SELECT id FROM users # comment",
    ],
)
def test_refuses_what_is_no_query(text: str) -> None:
    with pytest.raises(BadQuery, match="Invalid query syntax"):
        parse(text)


def test_reads_the_structured_form_as_the_same_query() -> None:
    structured = from_object(
        {
            "users": {
                "fields": ["id", "kudos_received.sum(weight)"],
                "constraints": [{"login": "ada"}, {"id": {">=": "5"}}],
                "sorts": ["last_visit_time desc", "id"],
                "limit": 500,
                "cursor": "X",
            }
        }
    )

    assert structured == parse(
        "SELECT id, kudos_received.sum(weight) FROM users "
        "WHERE login = 'ada' AND id >= '5' "
        "ORDER BY last_visit_time DESC, id LIMIT 500 CURSOR 'X'"
    )


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"users": []},
        {"users": {"field": ["id"]}},
        {"users": {"fields": "id"}},
        {"users": {"fields": ["id FROM messages WHERE depth"]}},
        {"users": {"fields": ["id"], "sorts": ["id asc LIMIT 1"]}},
        {"users": {"fields": ["id"], "limit": "5"}},
        {"users": {"fields": ["id"], "constraints": [{"id": {"like": 1}}]}},
        {"users": {"fields": ["id"], "constraints": ["id = 1"]}},
        {"users": {"fields": ["id"], "cursor": 5}},
        {"users": {}, "roles": {}},
    ],
)
def test_refuses_a_structure_that_is_no_query(body: object) -> None:
    with pytest.raises(BadQuery):
        from_object(body)
