"""What the slow fields take of a run: calls spent, members served, members waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import report
from tests.bench.next_runs import slow_calls
from tests.bench.scene import scene

if TYPE_CHECKING:
    from tests.bench.options import Options

MEMBERS = 2_000
RUNS = 4


def run(options: Options) -> None:
    del options
    with scene(members=MEMBERS) as place:
        told = [place.run(full=number == 0 or None) for number in range(RUNS)]
    rows = [
        (
            f"run {number}",
            slow_calls(one["remote_calls"]["aurora"]),
            one["remote_calls"]["aurora"]["total"],
            one["extra"].get("slow_fields_written", 0),
            one["extra"].get("slow_fields_waiting", 0),
        )
        for number, one in enumerate(told, start=1)
    ]
    report.table(
        f"slow fields, {MEMBERS:,} members, default budget",
        ("", "slow-field calls", "all community calls", "members written", "waiting"),
        rows,
    )
    report.keep("slow_fields", {"members": MEMBERS, "runs": told})
