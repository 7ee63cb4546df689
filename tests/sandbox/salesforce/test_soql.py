from datetime import UTC, datetime, timedelta

import pytest

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.soql.run import run


@pytest.fixture(scope="module")
def people():
    """Four contacts, two accounts, two cases; nothing here changes them."""
    org = Org()
    org.clock.freeze(datetime(2026, 11, 18, 12, tzinfo=UTC))
    acme = org.insert("Account", Name="Acme", AnnualRevenue=10)
    other = org.insert("Account", Name="Other", ParentId=acme)
    ada = org.insert(
        "Contact",
        LastName="Lovelace",
        FirstName="Ada",
        Email="Ada@x.example",
        AccountId=other,
        Birthdate="1815-12-10",
    )
    org.insert("Contact", LastName="Byron", AccountId=acme, Title="100%_sure")
    org.clock.advance(timedelta(days=-8))
    org.insert("Contact", LastName="O'Brien", Email="ob@x.example")
    org.insert("Contact", LastName="Zuse", LeadSource="Web")
    org.insert("Case", Subject="First", ContactId=ada, Status="Closed")
    org.insert("Case", Subject="Second", ContactId=ada)
    org.clock.set(datetime(2026, 11, 18, 12, tzinfo=UTC))
    return org


def names(org, where):
    found = run(org, f"SELECT LastName FROM Contact {where}", user_id=org.admin_id)
    return [r["LastName"] for r in found.records(0, 100, "v62.0")]


def one(org, statement):
    found = run(org, statement, user_id=org.admin_id)
    return found.records(0, 100, "v62.0")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("WHERE LastName = 'lovelace'", ["Lovelace"]),
        ("WHERE LastName != 'lovelace'", ["Byron", "O'Brien", "Zuse"]),
        ("WHERE Email IN ('ada@X.example', 'nobody@x.example')", ["Lovelace"]),
        ("WHERE Email NOT IN ('ada@x.example')", ["Byron", "O'Brien", "Zuse"]),
        ("WHERE Email = null", ["Byron", "Zuse"]),
        ("WHERE Email != null ORDER BY LastName", ["Lovelace", "O'Brien"]),
        ("WHERE LastName = 'O\\'Brien'", ["O'Brien"]),
        (
            "WHERE LastName LIKE '%O%' ORDER BY LastName",
            ["Byron", "Lovelace", "O'Brien"],
        ),
        ("WHERE LastName LIKE '_use'", ["Zuse"]),
        ("WHERE Title LIKE '100\\%\\_s%'", ["Byron"]),
        ("WHERE Title LIKE '100\\%\\%s%'", []),
        ("WHERE LastName > 'M'", ["O'Brien", "Zuse"]),
        ("WHERE LastName >= 'byron' AND LastName <= 'lovelace'", ["Lovelace", "Byron"]),
        ("WHERE NOT LastName = 'Zuse'", ["Lovelace", "Byron", "O'Brien"]),
        ("WHERE (NOT Email = null) AND LastName < 'M'", ["Lovelace"]),
        ("WHERE (LastName='Zuse' OR LastName='Byron') AND Title=null", ["Zuse"]),
        ("WHERE Account.Name = 'acme'", ["Byron"]),
        ("WHERE Account.Parent.Name = 'Acme'", ["Lovelace"]),
        ("WHERE Account.AnnualRevenue >= 10", ["Byron"]),
        ("WHERE CreatedDate = TODAY", ["Lovelace", "Byron"]),
        ("WHERE CreatedDate < TODAY", ["O'Brien", "Zuse"]),
        ("WHERE CreatedDate = LAST_N_DAYS:3", ["Lovelace", "Byron"]),
        ("WHERE CreatedDate = LAST_WEEK", ["O'Brien", "Zuse"]),
        ("WHERE CreatedDate = THIS_MONTH", ["Lovelace", "Byron", "O'Brien", "Zuse"]),
        ("WHERE CreatedDate > 2026-11-18T11:59:59Z", ["Lovelace", "Byron"]),
        ("WHERE CreatedDate >= 2026-11-18T13:00:00+01:00", ["Lovelace", "Byron"]),
        ("WHERE Birthdate = 1815-12-10", ["Lovelace"]),
        ("WHERE IsDeleted = false AND LastName = 'Zuse'", ["Zuse"]),
        (
            "WHERE Id IN (SELECT ContactId FROM Case WHERE IsClosed = true)",
            ["Lovelace"],
        ),
        ("WHERE Id NOT IN (SELECT ContactId FROM Case)", ["Byron", "O'Brien", "Zuse"]),
        ("ORDER BY Email NULLS LAST, LastName LIMIT 2", ["Lovelace", "O'Brien"]),
        ("ORDER BY Email DESC, LastName LIMIT 2", ["Byron", "Zuse"]),
        ("ORDER BY LastName DESC", ["Zuse", "O'Brien", "Lovelace", "Byron"]),
        ("ORDER BY LastName LIMIT 1 OFFSET 2", ["O'Brien"]),
        ("ORDER BY Account.Name NULLS LAST, LastName LIMIT 2", ["Byron", "Lovelace"]),
    ],
)
def test_selects(people, where, expected):
    assert names(people, where) == expected


def test_nests_parents_and_children(people):
    (account,) = one(
        people,
        "SELECT a.Name, Parent.Name, (SELECT LastName FROM Contacts) "
        "FROM Account a WHERE a.Name = 'Other'",
    )

    attributes = account.pop("attributes")
    inner = account["Contacts"]["records"][0].pop("attributes")
    parent = account["Parent"].pop("attributes")
    assert attributes["type"] == parent["type"] == "Account"
    assert inner["url"].startswith("/services/data/v62.0/sobjects/Contact/003")
    assert account == {
        "Name": "Other",
        "Parent": {"Name": "Acme"},
        "Contacts": {
            "totalSize": 1,
            "done": True,
            "records": [{"LastName": "Lovelace"}],
        },
    }


def test_gives_null_for_no_parent_and_no_children(people):
    (account,) = one(
        people,
        "SELECT Parent.Name, (SELECT Id FROM Cases) FROM Account WHERE Name='Acme'",
    )

    assert (account["Parent"], account["Cases"]) == (None, None)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT COUNT(Id) FROM Contact", [{"expr0": 4}]),
        ("SELECT COUNT(Email) n FROM Contact", [{"n": 2}]),
        ("SELECT MAX(LastName) FROM Contact", [{"expr0": "Zuse"}]),
        (
            "SELECT Status, COUNT(Id) n FROM Case GROUP BY Status ORDER BY Status",
            [{"Status": "Closed", "n": 1}, {"Status": "New", "n": 1}],
        ),
        (
            "SELECT ContactId FROM Case GROUP BY ContactId HAVING COUNT(Id) > 5",
            [],
        ),
        (
            (
                "SELECT CALENDAR_YEAR(CreatedDate) y FROM Case "
                "GROUP BY CALENDAR_YEAR(CreatedDate)"
            ),
            [{"y": 2026}],
        ),
    ],
)
def test_aggregates(people, statement, expected):
    records = one(people, statement)

    assert all(r.pop("attributes") == {"type": "AggregateResult"} for r in records)
    assert records == expected


def test_counts_without_records(people):
    found = run(people, "SELECT COUNT() FROM Contact", user_id=people.admin_id)

    assert (found.total, found.records(0, 10, "v62.0")) == (4, [])


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ("SELECT Id FROM Nothing", "INVALID_TYPE", "sObject type 'Nothing' is not"),
        (
            "SELECT Nope FROM Contact",
            "INVALID_FIELD",
            "No such column 'Nope' on entity",
        ),
        (
            "SELECT Id FROM Contact WHERE",
            "MALFORMED_QUERY",
            "unexpected token: '<EOF>'",
        ),
        ("SELECT FROM Contact", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Contact WHERE Id IN ()", "MALFORMED_QUERY", "token: ')'"),
        (
            "SELECT Id FROM Contact WHERE Name='a' AND Name='b' OR Name='c'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        (
            "SELECT Id FROM Contact WHERE Name = Name",
            "MALFORMED_QUERY",
            "token: 'NAME'",
        ),
        (
            "SELECT Id FROM Contact WHERE Name = 5",
            "INVALID_FIELD",
            "of type string and",
        ),
        (
            "SELECT Id FROM Contact WHERE CreatedDate > '2024-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Contact WHERE Description = 'x'",
            "INVALID_FIELD",
            "can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Contact WHERE Id = 'x'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "ID",
        ),
        (
            "SELECT Foo.Name FROM Contact",
            "INVALID_FIELD",
            "understand relationship 'Foo'",
        ),
        (
            "SELECT Id, (SELECT Id FROM Foos) FROM Contact",
            "INVALID_TYPE",
            "Didn't understand relationship 'Foos'",
        ),
        ("SELECT Id FROM Contact OFFSET 2001", "MALFORMED_QUERY", "offset allowed"),
        (
            "SELECT Id, COUNT(Id) FROM Contact",
            "MALFORMED_QUERY",
            "grouped or aggregated",
        ),
        (
            "SELECT TYPEOF Owner WHEN User THEN Id END FROM Case",
            "NOT_IMPLEMENTED",
            "TYPE",
        ),
        ("SELECT Id FROM Contact WHERE Name = 'x", "MALFORMED_QUERY", "alternative"),
    ],
)
def test_refuses(people, statement, code, message):
    with pytest.raises(RequestRefused) as refused:
        run(people, statement, user_id=people.admin_id)

    assert refused.value.code.startswith(code)
    assert message in refused.value.message


def test_points_at_the_place_of_the_fault(people):
    with pytest.raises(RequestRefused) as refused:
        run(people, "SELECT Id FROM Foo", user_id=people.admin_id)

    assert refused.value.message.startswith(
        "\nSELECT Id FROM Foo\n               ^\nERROR at Row:1:Column:16\n"
    )


def test_finds_by_a_15_character_id(people):
    (contact,) = people.find("Contact", LastName="Zuse")

    assert names(people, f"WHERE Id = '{contact['Id'][:15]}'") == ["Zuse"]


def test_looks_into_the_bin_only_when_asked():
    org = Org()
    gone = org.insert("Contact", LastName="Gone")
    org.delete("Contact", gone)

    statement = f"SELECT IsDeleted FROM Contact WHERE Id = '{gone}'"
    live = run(org, statement, user_id=org.admin_id)
    binned = run(org, statement, user_id=org.admin_id, deleted=True)

    assert (live.total, binned.total) == (0, 1)


def test_uses_an_index_for_keys_and_names(people, monkeypatch):
    table = people.tables["Contact"]
    names(people, "WHERE LastName = 'x' OR Email = 'x'")  # builds the indexes

    class NoScan(dict):
        def values(self):
            raise AssertionError("scanned")

    monkeypatch.setattr(table, "rows", NoScan(table.rows))

    assert names(people, "WHERE LastName = 'Zuse' AND Title = null") == ["Zuse"]
    assert names(people, "WHERE Email IN ('ob@x.example')") == ["O'Brien"]
    assert names(people, "WHERE Email = 'ob@x.example' OR LastName = 'Zuse'") == [
        "O'Brien",
        "Zuse",
    ]
