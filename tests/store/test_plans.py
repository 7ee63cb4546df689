"""Queries that a full pass repeats must find their rows by an index, however many."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest
from sqlalchemy import event

from worker import clock
from worker.database import Database
from worker.domain.state import StagedMember
from worker.store import Store

KEYS = [number.to_bytes(16) for number in range(500)]
CALLS = {
    "by_email": lambda store: store.contacts.by_email("demo", KEYS),
    "contacts_due": lambda store: store.contacts.due("demo"),
    "by_ids": lambda store: store.members.by_ids("demo", [1, 2]),
    "between": lambda store: store.members.between("demo", 0, 9),
    "winners": lambda store: store.members.winners("demo", ["003A", "003B"]),
    "linked_to": lambda store: store.members.linked_to("demo", ["003A", "003B"]),
    "unlinked": lambda store: store.members.unlinked_with_email("demo", KEYS),
    "slow_due": lambda store: store.members.slow_due("demo", 9),
    "settle": lambda store: store.members.settle("demo", 1, failed=[1, 2]),
    "relink": lambda store: store.members.relink("demo", "003A", None),
    "failures_due": lambda store: store.failures.due("demo", "members", clock.now()),
    "healed": lambda store: store.failures.resolve_healed("demo", "members"),
    "unfinished": lambda store: store.batches.unfinished("demo", "members"),
    "timeline": lambda store: store.events.of("demo", "member:1"),
    "prune": lambda store: store.events.prune(clock.now()),
}


@pytest.fixture(scope="module")
def filled(migrated_file, box, tmp_path_factory):
    """A store with so many rows that a way around an index is dearer."""
    path = tmp_path_factory.mktemp("plans") / "state.db"
    shutil.copy(migrated_file, path)
    with closing(Database(f"sqlite:///{path}")) as database:
        store = Store(database, box)
        store.communities.ensure("demo", "https://demo.example", "demo", "")
        keys = [number.to_bytes(16) for number in range(2000)]
        store.contacts.add("demo", 1, [(f"003{n}", key) for n, key in enumerate(keys)])
        store.members.stage(
            "demo", [StagedMember(n, key, n // 9) for n, key in enumerate(keys)]
        )
        yield database, store


@pytest.mark.parametrize("name", CALLS)
def test_finds_its_rows_by_an_index(name, filled):
    database, store = filled
    plans = []
    explain = explain_into(plans)
    engines = (database._writer, database._reader)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", explain)
    CALLS[name](store)

    for engine in engines:
        event.remove(engine, "before_cursor_execute", explain)
    assert plans
    assert [plan for plan in plans if not is_narrow(plan)] == []


def explain_into(plans):
    def explain(_connection, cursor, statement, parameters, _context, is_many):
        if statement.split()[0] not in {"SELECT", "UPDATE", "DELETE"} or is_many:
            return
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(row[3] for row in cursor.fetchall())

    return explain


def is_narrow(plan):
    """Say whether a step reads little: by more of an index than the community."""
    if plan.startswith("SCAN"):
        return False
    whole_community = plan.endswith("(community=?)")
    by_partial_index = "INDEX ix_" in plan
    return not whole_community or by_partial_index
