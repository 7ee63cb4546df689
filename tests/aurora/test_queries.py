"""LiQL and the structured form: quoting, whitelists, and what text comes out."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.aurora.queries import (
    MEMBER_FIELDS,
    Constraint,
    MemberQueries,
    Query,
    last_member,
    literal,
    roles_of,
)
from worker.sandbox.aurora import liql


def unquote(text):
    """Read a quoted LiQL text back, without any code of the builder."""
    assert text[0] == text[-1] == "'"
    assert re.fullmatch(r"(?:[^'\\]|\\.)*", text[1:-1], re.DOTALL)
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


@settings(deadline=None)
@given(st.text())
def test_any_text_survives_quoting(text):
    assert unquote(literal(text)) == text


@settings(deadline=None)
@given(st.text(min_size=1))
def test_a_strict_reader_reads_any_text_back(text):
    query = Query("users", ("id",), (Constraint("id", "=", text),)).liql()

    parsed = liql.parse(query)

    assert parsed.where.value == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("O'Brien", r"'O\'Brien'"),
        ("a\\", r"'a\\'"),
        ("", "''"),
        (True, "true"),
        (False, "false"),
        (-3, "-3"),
        (datetime(2022, 4, 15, 5, 20, tzinfo=UTC), "1650000000000"),
        (
            datetime(2022, 4, 15, 1, 50, tzinfo=timezone(timedelta(hours=-3.5))),
            "1650000000000",
        ),
    ],
)
def test_writes_values_as_liql_takes_them(value, written):
    assert literal(value) == written


def test_writes_a_range_of_members():
    query = MemberQueries(("c_company",), 500).between(7, 99)

    assert query.liql("abc=") == (
        f"SELECT {', '.join(MEMBER_FIELDS)}, c_company FROM users "
        "WHERE id >= '7' AND id <= '99' ORDER BY id ASC LIMIT 500 CURSOR 'abc='"
    )


def test_asks_for_the_last_member_by_id():
    assert last_member().liql() == "SELECT id FROM users ORDER BY id DESC LIMIT 1"


def test_writes_the_structured_form():
    assert roles_of(41).structured() == {
        "roles": {
            "fields": ["id", "name"],
            "constraints": [{"users.id": "41"}],
            "limit": 1000,
        }
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": ("password",)},
        {"fields": ("*",)},
        {"fields": ("id FROM users; x",)},
        {"fields": ("c_x FROM y",)},
        {"constraints": (Constraint("login", "=", "x"),)},
        {"constraints": (Constraint("id", "= '1' OR id =", "x"),)},
        {"sort": "id ASC, login"},
        {"limit": 0},
        {"limit": 1001},
    ],
)
def test_refuses_names_outside_the_whitelist(wrong):
    with pytest.raises(ValueError, match=r"cannot|constraint|sorted|rows"):
        Query(**{"collection": "users", "fields": ("id",), **wrong})


def test_refuses_a_range_in_the_structured_form():
    with pytest.raises(ValueError, match="equality"):
        MemberQueries((), 10).between(1, 2).structured()


def test_refuses_a_custom_field_that_is_none():
    with pytest.raises(ValueError, match="custom"):
        MemberQueries(("company",), 10)
