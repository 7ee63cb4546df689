"""Peak memory of the worker's process for a first full sync, small and large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import report
from tests.bench.databases import database
from tests.bench.scene import scene

if TYPE_CHECKING:
    from tests.bench.options import Options

SMALL, LARGE = 20_000, 200_000
MOST_MIB = 250
MOST_DIFFERENCE = 0.2


def run(options: Options) -> None:
    for kind in options.databases:
        peaks = {members: peak(kind, members) for members in (SMALL, LARGE)}
        tell(kind, peaks)


def peak(kind: str, members: int) -> float:
    with (
        database(kind) as url,
        scene(members=members, database_url=url) as place,
    ):
        return float(place.run(full=True)["peak_rss_mib"])


def tell(kind: str, peaks: dict[int, float]) -> None:
    largest = max(peaks.values())
    difference = (largest - min(peaks.values())) / largest
    holds = largest < MOST_MIB and difference <= MOST_DIFFERENCE
    report.table(
        f"peak memory of a first full sync, {kind}",
        ("members", "peak"),
        [(f"{members:,}", f"{mib:.0f} MiB") for members, mib in peaks.items()],
    )
    print(f"  difference {difference:.0%}: {report.verdict(holds=holds)}")
    report.keep(
        "memory",
        {
            "database": kind,
            "peak_mib": peaks,
            "difference": round(difference, 3),
            "holds": holds,
        },
    )
