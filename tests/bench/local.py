"""
Members a second of the worker's own CPU time, alone on a core: the sandboxes' answers
are played from memory, all else is as in a real run. A PostgreSQL server's own time is
apart.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.bench import report
from tests.bench.databases import database
from tests.bench.scene import scene

if TYPE_CHECKING:
    from tests.bench.options import Options

# One job's worth, so that each answer belongs to the same rows when it is played.
MEMBERS = 50_000
LEAST_PER_SECOND = 15_000
# Beyond parse, map, fit, fingerprint, compare and record.
BESIDES = (
    "job file",
    "mirror of the Contacts",
    "our fields on Contacts",
    "HTTP, without sockets",
)


def run(options: Options) -> None:
    for kind in options.databases:
        with ExitStack() as made:
            urls = [made.enter_context(database(kind)) for _ in range(4)]
            place = made.enter_context(scene(members=MEMBERS))
            place.env["SYNC_SALESFORCE__BULK_JOB_ROWS"] = str(MEMBERS)
            place.env["SYNC_AURORA__SLOW_FIELDS"] = "false"
            profiles = [report.BUILD / f"profile-{kind}-{n}.txt" for n in (1, 2)]
            told = place.child(
                "local_process",
                {"databases": urls, "profiles": [str(path) for path in profiles]},
            )
        tell(kind, told)
        print(f"  profiles: {', '.join(f'build/{path.name}' for path in profiles)}")


def tell(kind: str, told: dict[str, Any]) -> None:
    rows = []
    figures: dict[str, dict[str, float]] = {}
    for name, one in told["plain"].items():
        parts = told["parts"][name]["parts"]
        besides = sum(parts.get(part, 0) for part in BESIDES) / sum(parts.values())
        everything = MEMBERS / one["cpu_s"]
        asked = everything / (1 - besides)
        figures[name] = {"all": round(everything), "members alone": round(asked)}
        holds = asked >= LEAST_PER_SECOND
        rows.append(
            (
                name,
                f"{one['cpu_s']:.2f} s",
                f"{everything:,.0f}",
                f"{asked:,.0f}",
                report.verdict(holds=holds),
            )
        )
    report.table(
        f"local work on one core, {MEMBERS:,} members, {kind}",
        ("", "CPU", "all of it: members/s", "members alone: members/s", ""),
        rows,
    )
    tell_parts(told["parts"])
    report.keep("local", {"members": MEMBERS, "database": kind, **told} | figures)


def tell_parts(passes: dict[str, Any]) -> None:
    names = list(passes)
    parts = {name: one["parts"] for name, one in passes.items()}
    longest_first = sorted(parts[names[0]], key=parts[names[0]].get, reverse=True)
    report.table(
        "CPU by part, microseconds a member (metering itself costs a little)",
        ("", *names),
        [
            (part, *(f"{parts[n].get(part, 0) / MEMBERS * 1e6:.1f}" for n in names))
            for part in longest_first
        ],
    )
