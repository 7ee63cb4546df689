"""What the slow fields take of a run: calls spent, members served, members waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import report
from tests.bench.scene import scene

if TYPE_CHECKING:
    from tests.bench.options import Options

MEMBERS = 2_000
RUNS = 4


def run(options: Options) -> None:
    del options
    with scene(members=MEMBERS) as place:
        told = [place.run(full=number == 0) for number in range(RUNS)]
    report.table(
        f"slow fields, {MEMBERS:,} members, default budget",
        ("", "v1 calls", "searches", "members written", "waiting"),
        [
            (
                f"run {number}",
                one["remote_calls"]["aurora"]["by_kind"].get("v1.user", 0),
                # The lists of roles are among them: one for 50 members.
                one["remote_calls"]["aurora"]["by_kind"].get("search", 0),
                one["extra"].get("slow_fields_written", 0),
                one["extra"].get("slow_fields_waiting", 0),
            )
            for number, one in enumerate(told, start=1)
        ],
    )
    report.keep("slow_fields", {"members": MEMBERS, "runs": told})
