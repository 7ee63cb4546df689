"""What runs after the first one cost: nothing changed, and 1,000 members changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench import report
from tests.bench.databases import database
from tests.bench.scene import Scene, scene

if TYPE_CHECKING:
    from tests.bench.options import Options

CHANGED = 1000
MOST_CRM_CALLS = 8
MOST_COMMUNITY_CALLS = 4
# Kinds of calls that write, as the Salesforce sandbox counts them.
SLOW_KINDS = ("search (list)", "v1")


def run(options: Options) -> None:
    for kind in options.databases:
        with (
            database(kind) as url,
            scene(members=options.members, database_url=url) as place,
        ):
            measure(options, kind, place)


def measure(options: Options, kind: str, place: Scene) -> None:
    place.run(full=True)
    told = {"delta, nothing changed": place.run()}
    told["full, nothing changed"] = place.run(full=True)
    place.change_members(CHANGED)
    told[f"delta, {CHANGED:,} changed"] = place.run()
    rows = [(name, *figures(one)) for name, one in told.items()]
    report.table(
        f"runs after the first, {options.members:,} members, {kind}",
        (
            "",
            "applied",
            "unchanged",
            "Salesforce calls",
            "writes",
            "community calls",
            "slow-field calls",
            "seconds",
        ),
        rows,
    )
    for name, one in told.items():
        print(f"  {name}: {methods(one['remote_calls']['salesforce'])}")
        print(f"    {report.by_kind(one['remote_calls']['aurora'])}")
    report.keep(
        "next_runs", {"members": options.members, "database": kind, "runs": told}
    )


def figures(one: dict[str, Any]) -> tuple[object, ...]:
    calls = one["remote_calls"]
    slow = slow_calls(calls["aurora"])
    return (
        one["counts"]["applied"],
        one["counts"]["unchanged"],
        calls["salesforce"]["total"],
        writes(calls["salesforce"]),
        calls["aurora"]["total"] - slow,
        slow,
        one["seconds"],
    )


def methods(crm: dict[str, Any]) -> str:
    return " ".join(f"{name}={n}" for name, n in sorted(crm["by_method"].items()))


def writes(crm: dict[str, Any]) -> int:
    return sum(n for kind, n in crm["by_kind"].items() if kind in WRITE_KINDS)


def slow_calls(community: dict[str, Any]) -> int:
    return sum(n for kind, n in community["by_kind"].items() if kind in SLOW_KINDS)


WRITE_KINDS = frozenset({"collections", "composite", "ingest", "row"})
