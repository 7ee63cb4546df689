from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from worker.salesforce import queries


def test_quotes_what_would_break_out_of_a_literal():
    query = queries.contacts_by_email(["o'brien\\@x.example"])

    expected = r"SELECT Id, Email FROM Contact WHERE Email IN ('o\'brien\\@x.example')"
    assert query == expected


def test_refuses_an_empty_list():
    with pytest.raises(ValueError, match="at least one"):
        queries.contacts_by_email([])


def test_leaves_braces_of_a_value_alone():
    query = queries.community_users("{moment}")

    assert query.endswith("WHERE Community__c = '{moment}'")


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 22, 10, 0, 30, 999_999, tzinfo=UTC),
        datetime(2026, 11, 22, 12, 0, 30, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_writes_instants_in_whole_seconds_of_utc(moment):
    assert queries.instant(moment) == "2026-11-22T10:00:30Z"


def test_refuses_an_instant_without_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        queries.instant(datetime(2026, 11, 22))


def test_asks_for_changes_by_others_in_a_stable_order():
    moment = datetime(2026, 11, 22, 10, tzinfo=UTC)

    query = queries.contacts_changed_since(
        moment, moment + timedelta(hours=1), "005000000000001AAA"
    )

    assert query == (
        "SELECT Id, Email, IsDeleted, MasterRecordId FROM Contact "
        "WHERE SystemModstamp >= 2026-11-22T10:00:00Z "
        "AND SystemModstamp < 2026-11-22T11:00:00Z "
        "AND LastModifiedById != '005000000000001AAA' "
        "ORDER BY SystemModstamp, Id"
    )


def test_takes_wildcards_of_a_community_name_literally():
    query = queries.contacts_created_by("my_forum", "005000000000001AAA")

    assert r"LIKE 'my\_forum:%'" in query


def test_splits_addresses_to_fit_a_url_and_keeps_each_once():
    emails = [f"member{number}@x.example" for number in range(2000)]

    chunks = list(queries.email_chunks([*emails, *emails]))

    assert [email for chunk in chunks for email in chunk] == emails
    sizes = [len(quote(queries.contacts_by_email(chunk), safe="")) for chunk in chunks]
    assert max(sizes) <= queries.STATEMENT_LENGTH
    assert len(chunks) == 6
