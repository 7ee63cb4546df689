from __future__ import annotations

import unicodedata
from collections import Counter

import pytest

from worker.sandbox import scenery
from worker.sandbox.aurora import generator
from worker.sandbox.aurora.members import PARTIALLY

COUNT = 5000


@pytest.fixture(scope="module")
def members():
    return list(generator.members(seed=1, count=COUNT))


def test_the_same_seed_gives_the_same_members(members):
    assert list(generator.members(seed=1, count=COUNT)) == members
    assert list(generator.members(seed=2, count=COUNT)) != members


def test_ids_ascend_with_gaps_and_logins_are_unique(members):
    ids = [member.id for member in members]

    assert ids == sorted(set(ids))
    assert COUNT < ids[-1] < COUNT * 1.5
    assert len({member.login.casefold() for member in members}) == COUNT


def test_names_come_in_many_scripts(members):
    scripts = Counter(
        unicodedata.name(letter, "?").split()[0]
        for member in members
        for letter in f"{member.first_name or ''}{member.last_name or ''}"
        if letter.isalpha()
    )

    wanted = (
        *("LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "THAI"),
        *("CJK", "HANGUL", "KATAKANA", "HIRAGANA"),
    )
    assert [script for script in wanted if scripts[script] == 0] == []


def test_some_letters_need_four_bytes(members):
    def wide(text):
        return any(ord(letter) > 0xFFFF for letter in text or "")

    assert any(wide(member.login) for member in members)
    assert any(wide(member.biography) for member in members)
    assert any(wide(member.last_name) for member in members)


def test_the_odd_ones_are_there_and_few(members):
    emails = Counter(m.email.casefold() for m in members if m.email)
    shared = sum(count for count in emails.values() if count > 1)
    of_a_thousand = {
        "without e-mail": sum(m.email is None for m in members),
        "sharing an e-mail": shared,
        "without last name": sum(m.last_name is None for m in members),
        "deleted": sum(m.deleted for m in members),
        "banned": sum(m.banned for m in members),
        "half registered": sum(m.status == PARTIALLY for m in members),
        "never seen": sum(m.last_visit_time is None for m in members),
        "with several roles": sum(len(m.roles) > 1 for m in members),
        "with an apostrophe": sum("'" in (m.last_name or "") for m in members),
    }

    few = {name: 1000 * n / COUNT for name, n in of_a_thousand.items()}
    assert {name: n for name, n in few.items() if not 1 <= n <= 60} == {}


def test_some_names_are_longer_than_any_field(members):
    assert max(len(member.last_name or "") for member in members) > 255


def test_counts_have_heavy_tails(members):
    posts = sorted(member.posts for member in members)

    assert posts[COUNT // 4] == 0
    assert posts[-1] > 50 * max(posts[COUNT // 2], 1)
    assert max(member.rank_id for member in members) > 7


def test_visits_follow_registrations(members):
    assert all(
        member.registration_time <= member.last_visit_time <= generator.LAST_MOMENT
        for member in members
        if member.last_visit_time is not None
    )


def test_the_orgs_contacts_fit_the_members(members):
    rows = list(scenery.contacts(1, COUNT, ["A1", "A2"]))

    contacts = Counter(
        str(row["Email"]).casefold() for row in rows if row["LastName"] != "Stranger"
    )
    emails = {member.email.casefold() for member in members if member.email}
    assert set(contacts) <= emails
    assert set(contacts.values()) == {1, 2}
    shares = Counter(contacts.values())
    assert 0.5 < shares[1] / COUNT < 0.6
    assert 0.02 < shares[2] / COUNT < 0.04
    assert len(rows) > sum(contacts.values())


def test_the_orgs_contacts_are_the_same_for_the_same_seed():
    assert list(scenery.contacts(1, 50, [])) == list(scenery.contacts(1, 50, []))


def test_contacts_hold_nothing_an_org_would_refuse():
    def units(text):
        return len(text.encode("utf-16-le")) // 2

    for row in scenery.contacts(1, 4 * COUNT, []):
        assert 1 <= units(row["LastName"]) <= 80
        assert units(row.get("FirstName", "")) <= 40
        assert len(row["Email"]) <= 80
