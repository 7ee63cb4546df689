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
# Kinds of calls that write, as the Salesforce sandbox counts them. A composite of the
# worker's may read (describe) or write (Collections); its parts are not told apart.
WRITE_KINDS = frozenset({"collections", "bulk.ingest", "rows"})


def run(options: Options) -> None:
    for kind in options.databases:
        with (
            database(kind) as url,
            scene(members=options.members, database_url=url) as place,
        ):
            measure(options, kind, place)


def measure(options: Options, kind: str, place: Scene) -> None:
    # Apart, for they go on with their waiting list whether anything changed or not.
    place.env["SYNC_AURORA__SLOW_FIELDS"] = "false"
    place.run(full=True)
    told = {"delta, nothing changed": place.run()}
    told["full, nothing changed"] = place.run(full=True)
    place.change_members(CHANGED)
    told[f"delta, {CHANGED:,} changed"] = place.run()
    place.change_members(CHANGED)
    place.env["SYNC_AURORA__SLOW_FIELDS"] = "true"
    told["the same with slow fields"] = place.run()
    report.table(
        f"runs after the first, {options.members:,} members, {kind}",
        ("", "applied", "unchanged", "Salesforce", "writes", "community", "seconds"),
        [(name, *figures(one)) for name, one in told.items()],
    )
    for name, one in told.items():
        print(f"  {name}: {methods(one['remote_calls']['salesforce'])}")
        print(f"    {report.by_kind(one['remote_calls']['aurora'])}")
    tell(told, options, kind)


def tell(told: dict[str, Any], options: Options, kind: str) -> None:
    quiet = [one for name, one in told.items() if "nothing" in name]
    delta = told[f"delta, {CHANGED:,} changed"]["remote_calls"]
    holds = (
        not any(writes(one["remote_calls"]["salesforce"]) for one in quiet)
        and delta["salesforce"]["total"] <= MOST_CRM_CALLS
        and delta["aurora"]["total"] <= MOST_COMMUNITY_CALLS
    )
    print(f"  {report.verdict(holds=holds)}")
    report.keep(
        "next_runs",
        {"members": options.members, "database": kind, "runs": told, "holds": holds},
    )


def figures(one: dict[str, Any]) -> tuple[object, ...]:
    calls = one["remote_calls"]
    return (
        one["counts"]["applied"],
        one["counts"]["unchanged"],
        calls["salesforce"]["total"],
        writes(calls["salesforce"]),
        calls["aurora"]["total"],
        one["seconds"],
    )


def methods(crm: dict[str, Any]) -> str:
    return " ".join(f"{name}={n}" for name, n in sorted(crm["by_method"].items()))


def writes(crm: dict[str, Any]) -> int:
    return sum(n for kind, n in crm["by_kind"].items() if kind in WRITE_KINDS)
