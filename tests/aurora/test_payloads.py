"""Shapes the sandbox does not write: what is understood, and what is named."""

from datetime import UTC, datetime

import msgspec
import pytest

from worker.aurora import payloads
from worker.aurora.payloads import MemberDecoder
from worker.errors import ContractBroken

DECODER = MemberDecoder("https://c.example/community", ("c_team", "c_zone"))


def decode(*items, **fields):
    body = msgspec.json.encode({"type": "users", "items": list(items), **fields})
    return DECODER.page(msgspec.Raw(body), "search users")


def decode_one(**fields):
    [member] = decode({"id": "41", "login": "ada", **fields}).members
    return member


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2021-08-10T12:00:00.000-07:00", datetime(2021, 8, 10, 19, tzinfo=UTC)),
        ("2021-08-10T12:00:00.000-03:30", datetime(2021, 8, 10, 15, 30, tzinfo=UTC)),
        ("2021-08-10T12:00:00+0000", datetime(2021, 8, 10, 12, tzinfo=UTC)),
        ("2021-08-10T12:00:00Z", datetime(2021, 8, 10, 12, tzinfo=UTC)),
        (None, None),
    ],
)
def test_reads_times_of_any_zone_as_utc(written, read):
    assert decode_one(last_visit_time=written).last_visit_at == read


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"id": "forty"}, "`$.data.items[0].id`"),
        ({"id": None}, "`$.data.items[0].id`"),
        ({"login": None}, "`$.data.items[0]`"),
        ({"email": ["ada@x.example"]}, "`$.data.items[0].email`"),
        ({"deleted": "perhaps"}, "`$.data.items[0].deleted`"),
        ({"last_visit_time": "yesterday"}, "`$.data.items[0].last_visit_time`"),
        (
            {"last_visit_time": "2021-08-10T12:00:00"},
            "`$.data.items[0].last_visit_time`",
        ),
        ({"last_visit_time": 1650000000000}, "`$.data.items[0].last_visit_time`"),
        ({"metrics": {"posts": "many"}}, "`$.data.items[0].metrics.posts`"),
        ({"metrics": {"posts": 1.5}}, "`$.data.items[0].metrics.posts`"),
        ({"metrics": 7}, "`$.data.items[0].metrics`"),
        ({"rank": "Guru"}, "`$.data.items[0].rank`"),
        ({"c_team": 7}, "`$.data.items[0].c_team`"),
    ],
)
def test_names_the_path_and_not_the_value(fields, path):
    with pytest.raises(ContractBroken) as caught:
        decode_one(**fields)

    assert path in caught.value.detail
    assert "ada" not in str(caught.value)


def test_misses_the_list_by_name():
    with pytest.raises(ContractBroken, match=r"`items` - at `\$\.data`"):
        DECODER.page(msgspec.Raw(b"{}"), "search users")


def test_skips_the_anonymous_user_and_keeps_the_cursor():
    page = decode({"id": "-1"}, {"id": "0", "login": "x"}, next_cursor="MjU=")

    assert page == payloads.MemberPage([], "MjU=")


def test_takes_counts_written_as_floats_and_as_text():
    member = decode_one(
        metrics={"posts": 12.0, "logins": "340"},
        kudos_received={"sum": {"weight": 7.0}},
    )

    assert (member.posts, member.logins, member.kudos_received) == (12, 340, 7)


def test_takes_pointers_for_things_that_were_not_counted():
    pointer = {"query": "SELECT * FROM kudos WHERE message.author.id = '41'"}

    member = decode_one(kudos_received=pointer, solutions_authored=pointer, rank={})

    assert (member.kudos_received, member.accepted_solutions, member.rank) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/t5/image/a.png?v=1", "https://c.example/t5/image/a.png?v=1"),
        ("//cdn.example/a.png", "https://cdn.example/a.png"),
        ("http://cdn.example/a.png", "http://cdn.example/a.png"),
        ("image/a.png", "https://c.example/community/image/a.png"),
        ("", None),
        (None, None),
    ],
)
def test_makes_urls_absolute(written, read):
    member = decode_one(avatar={"profile": written}, view_href=written)

    assert (member.avatar_url, member.profile_url) == (read, read)


def test_keeps_a_name_that_looks_like_nothing():
    assert decode_one(last_name="null").last_name == "null"


def test_keeps_a_deleted_member_whose_login_is_gone():
    assert decode_one(login=None, deleted=True).login == ""


def test_hands_custom_fields_through_by_name():
    assert decode_one(c_zone="UTC", c_other="x").custom == (("c_zone", "UTC"),)


def test_names_the_query_of_a_list_that_broke():
    body = b'[{"items": []}, {"items": [{"id": "1", "login": 7}]}]'

    with pytest.raises(ContractBroken) as caught:
        DECODER.pages(msgspec.Raw(body), "search users by id")

    assert "`$.data[1].items[0].login`" in str(caught.value)


@pytest.mark.parametrize(
    ("profiles", "notes"),
    [
        ({}, None),
        ({"profile": []}, None),
        ({"profile": {"name": "administrative_notes", "$": "x"}}, "x"),
        ({"profile": [{"name": "url_icon", "$": "y"}]}, None),
        (None, None),
    ],
)
def test_finds_notes_among_the_legacy_profiles(profiles, notes):
    user = {"id": {"type": "int", "$": 41}, "profiles": profiles}
    body = msgspec.json.encode({"status": "success", "user": user})

    found = payloads.legacy_user(msgspec.Raw(body), "read user")

    assert payloads.administrative_notes(found) == notes
    assert payloads.rating(found) is None


@pytest.mark.parametrize("value", [b'{"$": ""}', b'{"$": 7}', b"{}"])
def test_takes_nothing_but_text_for_a_session_key(value):
    with pytest.raises(ContractBroken, match=r"\$.response.value"):
        payloads.session_key(msgspec.Raw(b'{"value": %s}' % value), "log in")


def test_names_the_path_in_a_token_answer():
    with pytest.raises(ContractBroken, match=r"`access_token` - at `\$\.data`"):
        payloads.token(msgspec.Raw(b'{"refresh_token": "RT="}'), "exchange code")
