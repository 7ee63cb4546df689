"""
Members a second of the worker's own CPU time: everything the process does in a run,
HTTP included, nothing injected. A PostgreSQL server's own time is apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench import report
from tests.bench.databases import database
from tests.bench.scene import scene

if TYPE_CHECKING:
    from tests.bench.options import Options

MEMBERS = 50_000
LEAST_PER_SECOND = 15_000


def run(options: Options) -> None:
    for kind in options.databases:
        with (
            database(kind) as url,
            scene(members=MEMBERS, database_url=url) as place,
        ):
            told = {
                "first pass, all new": place.run(full=True),
                "unchanged pass": place.run(full=True),
            }
        profile = report.BUILD / f"profile-{kind}.txt"
        with (
            database(kind) as url,
            scene(members=MEMBERS, database_url=url) as place,
        ):
            place.run(full=True, profile=str(profile))
            again = report.BUILD / f"profile-{kind}-unchanged.txt"
            place.run(full=True, profile=str(again))
        tell(kind, told)
        print(f"  profiles: build/{profile.name}, build/{again.name}")


def tell(kind: str, told: dict[str, dict[str, Any]]) -> None:
    speeds = {name: MEMBERS / one["cpu_s"] for name, one in told.items()}
    report.table(
        f"local work on one core, {MEMBERS:,} members, {kind}",
        ("", "CPU", "members/s", ""),
        [
            (
                name,
                f"{told[name]['cpu_s']:.2f} s",
                f"{speed:,.0f}",
                report.verdict(holds=speed >= LEAST_PER_SECOND),
            )
            for name, speed in speeds.items()
        ],
    )
    report.keep(
        "local",
        {
            "members": MEMBERS,
            "database": kind,
            "members_per_cpu_s": {name: round(speed) for name, speed in speeds.items()},
            "runs": told,
            "holds": min(speeds.values()) >= LEAST_PER_SECOND,
        },
    )
