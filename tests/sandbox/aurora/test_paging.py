"""Whatever the order, filter and page size: the pages are the sorted list, cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.sandbox.aurora import AuroraSandbox
from worker.sandbox.aurora.liql import parse
from worker.sandbox.aurora.search import Caller, Rights, run

ADMINISTRATOR = Caller(0, Rights.ADMINISTRATOR)
COUNT = 60

ORDERS = {
    "id": lambda m: m.id,
    "last_visit_time": lambda m: -1 if m.last_visit_time is None else m.last_visit_time,
    "login": lambda m: m.login.casefold(),
    "metrics.posts": lambda m: m.posts,
}
FILTERS = {
    "": lambda _: True,
    "WHERE id >= 20 AND id < '50'": lambda m: 20 <= m.id < 50,
    "WHERE id > 20 AND deleted = false": lambda m: m.id > 20 and not m.deleted,
    "WHERE id IN ('3', '9', '27', '81')": lambda m: m.id in {3, 9, 27, 81},
    "WHERE id = 5 OR id >= 55": lambda m: m.id == 5 or m.id >= 55,
    "WHERE last_visit_time >= 3": lambda m: (m.last_visit_time or 0) >= 3,
    "WHERE last_visit_time < 4 AND id != 7": lambda m: (
        m.last_visit_time is not None and m.last_visit_time < 4 and m.id != 7
    ),
}


@pytest.fixture(scope="module")
def community():
    community = AuroraSandbox().community
    community.switches.change(time_constraints=True)
    for number in range(COUNT):
        community.register(
            login=f"{'Bab'[number % 3]}{number}",
            last_visit_time=None if number % 11 == 0 else number % 7,
            posts=number % 5,
            deleted=number % 4 == 0,
        )
    return community


def paged(community, query):
    found, cursor = [], ""
    while True:
        data = run(community, parse(query + cursor), ADMINISTRATOR)
        found.append([int(item["id"]) for item in data["items"]])
        if "next_cursor" not in data:
            return found
        cursor = f" CURSOR '{data['next_cursor']}'"


@settings(max_examples=150, deadline=None)
@given(
    order=st.sampled_from(sorted(ORDERS)),
    descending=st.booleans(),
    where=st.sampled_from(sorted(FILTERS)),
    limit=st.integers(1, 70),
)
def test_pages_are_the_sorted_list_cut(community, order, descending, where, limit):
    key, fits = ORDERS[order], FILTERS[where]
    members = sorted(
        filter(fits, community.members.values()),
        key=lambda m: (key(m), m.id),
        reverse=descending,
    )
    ids = [member.id for member in members]

    direction = "DESC" if descending else "ASC"
    pages = paged(
        community,
        f"SELECT id FROM users {where} ORDER BY {order} {direction} LIMIT {limit}",
    )

    cut = [ids[start : start + limit] for start in range(0, len(ids), limit)]
    assert pages == (cut or [[]])
