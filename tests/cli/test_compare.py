from __future__ import annotations

import pytest

from worker.cli.compare import Difference, Sides, compare
from worker.cli.sameness import (
    CONTACT_FIELDS,
    FIELDS,
    SLOW_FIELDS,
    same_email,
    same_ending,
    same_flag,
    same_instant,
    same_number,
    same_or_empty,
    same_roles,
    same_text,
)

CONTACT = "003000000000001AAA"


def a_member(**changed):
    return {
        "id": "41",
        "login": "ada",
        "email": "Ada@x.example",
        "first_name": "Ada",
        "last_name": None,
        "deleted": False,
        "rank": "Guru",
        "registration_time": "2025-01-02T03:04:05.678+00:00",
        "last_visit_time": "2025-06-02T03:04:05.678+00:00",
        "biography": "one\ntwo",
        "location": "London",
        "sso_id": "sso-41",
        "avatar_url": "http://c.example/a.png",
        "view_href": "http://c.example/u/41",
        "href": "/users/41",
        "logins": 1,
        "minutes_online": 2,
        "page_views": 3,
        "posts": 4,
        "messages_read": 5,
        "private_messages_sent": 6,
        "private_messages_received": 7,
        "kudos_received": 8,
        "solutions": 9,
        "roles": ["Moderator", "Employee"],
        "average_message_rating": 4.5,
        "administrative_notes": None,
        **changed,
    }


def a_record(**changed):
    return {
        "Id": "a00000000000041AAA",
        "Community_User_Key__c": "demo:41",
        "Community__c": "demo",
        "Name": "ada",
        "Community_ID__c": "ada",
        "Khoros_User_ID__c": 41,
        "First_Name__c": "Ada",
        "Last_Name__c": None,
        "Email__c": "ada@x.example",
        "Is_Deleted__c": False,
        "Rank__c": "Guru",
        "Registration_Time__c": "2025-01-02T03:04:05.000+0000",
        "Last_Visit_Time__c": "2025-06-02T03:04:05.000+0000",
        "Biography__c": "one\r\ntwo",
        "Location__c": "London",
        "Khoros_SSO_ID__c": "sso-41",
        "Avatar_URL__c": "http://c.example/a.png",
        "Community_User_URL__c": "http://c.example/u/41",
        "REST_URL__c": "http://c.example/api/2.0/users/41",
        "Metric_Logins__c": 1,
        "Metric_Minutes_Online__c": 2,
        "Metric_Page_Views__c": 3,
        "Metric_Posts__c": 4,
        "Metric_Messages_Read__c": 5,
        "Metric_Private_Messages_Sent__c": 6,
        "Metric_Private_Messages_Received__c": 7,
        "Kudos_Count__c": 8,
        "Accepted_Solutions__c": 9,
        "Roles__c": "Employee;Moderator",
        "Metric_Average_Message_Rating__c": 4.5,
        "Administrative_Notes__c": None,
        "Contact__c": CONTACT,
        "Contact_Link__c": "Linked",
        **changed,
    }


def a_contact(**changed):
    return {
        "Id": CONTACT,
        "Email": "ada@x.example",
        "Community_Rank__c": "Guru",
        "Community_Posts__c": 4,
        "Community_Kudos__c": 8,
        "Community_Accepted_Solutions__c": 9,
        "Community_Last_Visit_Time__c": "2025-06-02T03:04:05.000+0000",
        "Community_Profile_URL__c": "http://c.example/u/41",
        **changed,
    }


def a_stranger(**changed):
    """A Contact without any field of ours."""
    return {"Id": "003000000000002AAA", "Email": "eve@x.example", **changed}


def differences(members=None, records=None, contacts=None, **how):
    sides = Sides(
        [a_member()] if members is None else members,
        [a_record()] if records is None else records,
        [a_contact(), a_stranger()] if contacts is None else contacts,
    )
    return compare(sides, "demo", **how).differences


def test_finds_nothing_where_both_sides_agree():
    verdict = compare(
        Sides([a_member()], [a_record()], [a_contact(), a_stranger()]), "demo"
    )

    assert verdict._asdict() == {
        "members": 1,
        "records": 1,
        "links": {"Linked": 1},
        "fitted": 0,
        "unwritten": 0,
        "waiting": 0,
        "differences": [],
    }
    assert verdict.agree


@pytest.mark.parametrize("field", [field for field, _, _ in (*FIELDS, *SLOW_FIELDS)])
def test_notices_each_field_that_is_not_the_same(field):
    before = a_record()[field]
    after = not before if isinstance(before, bool) else 77.7
    if isinstance(before, str):
        after = "2024-01-01T00:00:00.000+0000" if before[:2] == "20" else "other"
    if before is None:
        after = "something"

    assert differences(records=[a_record(**{field: after})]) == [
        Difference("demo:41", field)
    ]


@pytest.mark.parametrize("field", [field for field, _, _ in CONTACT_FIELDS])
def test_notices_each_field_of_a_contact_that_is_not_the_same(field):
    after = "2024-01-01T00:00:00Z" if "Time" in field else "77"

    assert differences(contacts=[a_contact(**{field: after})]) == [
        Difference(f"Contact {CONTACT}", field)
    ]


def test_covers_every_field_that_the_worker_writes():
    # The one look at the worker's own table: that none of its fields is left out.
    from worker.domain import mapping  # noqa: PLC0415 -- see above

    written = {
        rule.field for rule in (*mapping.MEMBER_FIELDS, *mapping.SLOW_FIELDS)
    } | set(mapping.LINK_FIELDS)
    compared = {field for field, _, _ in (*FIELDS, *SLOW_FIELDS)}

    assert written == compared | {
        "Community_User_Key__c",
        "Community__c",
        "Contact__c",
        "Contact_Link__c",
    }
    assert {rule.field for rule in mapping.CONTACT_FIELDS} == {
        field for field, _, _ in CONTACT_FIELDS
    }


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"records": []}, [("demo:41", "has no record")]),
        (
            {"records": [a_record(), a_record(Id="a00000000000042AAA")]},
            [("demo:41", "two records have this key")],
        ),
        (
            {"records": [a_record(), a_record(Community_User_Key__c="demo:42")]},
            [("demo:42", "is nobody's record")],
        ),
        (
            {"records": [a_record(Contact__c="003000000000009AAA")]},
            [("demo:41", "its Contact is gone")],
        ),
        (
            {"records": [a_record(Contact_Link__c="None")]},
            [("demo:41", "Contact_Link__c")],
        ),
        (
            {"contacts": [a_contact(), a_contact(Id="003000000000003AAA")]},
            [("demo:41", "Contact__c")],
        ),
    ],
    ids=[
        "missing",
        "twice",
        "nobody's",
        "contact gone",
        "link word",
        "ambiguous but linked",
    ],
)
def test_notices_what_is_missing_surplus_or_wrongly_linked(given, found):
    assert [tuple(each) for each in differences(**given)][: len(found)] == found


def test_leaves_other_communities_alone():
    other = a_record(Community_User_Key__c="other:41", Community__c="other")

    assert differences(records=[a_record(), other]) == []


def test_accepts_the_record_of_a_purged_member():
    gone = a_record(Community_User_Key__c="demo:7", Is_Deleted__c=True, Contact__c=None)

    assert differences(records=[a_record(), gone]) == []


def test_counts_a_parked_member_without_a_record():
    sides = Sides([a_member()], [], [a_stranger()])

    verdict = compare(sides, "demo", parked={"member:41"})

    assert (verdict.unwritten, verdict.differences) == (1, [])


def test_counts_members_whose_slow_fields_wait():
    slow = dict.fromkeys((field for field, _, _ in SLOW_FIELDS), None)
    sides = Sides([a_member()], [a_record(**slow)], [a_contact()])

    verdict = compare(sides, "demo")

    assert (verdict.waiting, verdict.differences) == (1, [])


def test_a_contact_shows_the_member_who_was_seen_last():
    older = a_member(id="40", login="old", last_visit_time="2020-01-01T00:00:00+00:00")
    record = a_record(
        Community_User_Key__c="demo:40",
        Khoros_User_ID__c=40,
        Name="old",
        Community_ID__c="old",
        Last_Visit_Time__c="2020-01-01T00:00:00.000+0000",
    )

    assert differences([older, a_member()], [record, a_record()]) == []


@pytest.mark.parametrize(
    ("same", "expected", "actual", "verdict"),
    [
        (same_text, " Ada ", "Ada", True),
        (same_text, "a\x00b", "ab", True),
        (same_text, "", None, True),
        (same_text, "Lovelace", "Love…", None),
        (same_text, "Lovelace", "Byro…", False),
        (same_text, "Lovelace", None, False),
        (same_or_empty, "http://long.example", None, None),
        (same_or_empty, "http://a.example", "http://b.example", False),
        (same_email, "Ada@X.example", "ada@x.example", True),
        (same_email, "ada@x.example", None, False),
        (same_email, "жд@x.example", None, None),
        (same_email, "a..b@x.example", None, None),
        (same_email, "nobody", None, None),
        (same_number, 1, 1.0, True),
        (same_number, None, 0, False),
        (same_number, 4.12345, 4.1234, True),
        (same_flag, None, False, True),
        (same_flag, True, False, False),
        (same_instant, "2025-01-02T03:04:05.999+02:00", "2025-01-02T01:04:05Z", True),
        (same_instant, "2025-01-02T03:04:05Z", "2025-01-02T03:04:06Z", False),
        (same_instant, None, None, True),
        (same_instant, "2025-01-02T03:04:05Z", None, False),
        (same_roles, ["b", "a; c"], "a; c;b", True),
        (same_roles, [], None, True),
        (same_roles, ["a"], None, False),
        (same_ending, "/users/41", "http://c.example/api/2.0/users/41", True),
        (same_ending, "/users/41", "http://c.example/users/4", False),
    ],
)
def test_knows_what_the_same_means(same, expected, actual, verdict):
    assert same(expected, actual) is verdict
