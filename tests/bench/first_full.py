"""
A first full sync against the bare floor, in pairs on fresh scenes, and its calls.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import report
from tests.bench.databases import database
from tests.bench.scene import scene

if TYPE_CHECKING:
    from tests.bench.options import Options

MOST_RATIO = 2.0
MOST_CALLS = 60


def run(options: Options) -> None:
    files = Path(tempfile.mkdtemp(prefix="bench-files-"))
    try:
        record(options, files)
        for kind in options.databases:
            measure(options, kind, files)
    finally:
        shutil.rmtree(files)


def record(options: Options, files: Path) -> None:
    """What a run uploads; ids come from counters, so every fresh org gives the same."""
    with scene(members=options.members) as place:
        place.run(full=True, keep=str(files))


def measure(options: Options, kind: str, files: Path) -> None:
    pairs = []
    for number in range(options.pairs):
        # Whoever goes first finds the machine in another state: take turns.
        order = ("floor", "worker") if number % 2 == 0 else ("worker", "floor")
        told = {who: one(options, kind, files, who) for who in order}
        pairs.append(told)
        print_pair(number, told)
    tell(options, kind, pairs)


def one(options: Options, kind: str, files: Path, who: str) -> dict[str, Any]:
    with (
        database(kind) as url,
        scene(
            members=options.members, database_url=url, latency_ms=options.latency_ms
        ) as place,
    ):
        if who == "worker":
            return place.run(full=True)
        plan = place.child("worker_process", {"do": "plan"})
        names = sorted(path for path in files.iterdir())
        plan["member_files"] = [str(n) for n in names if "members" in n.name]
        plan["contact_files"] = [str(n) for n in names if "contact_fields" in n.name]
        place.forget_calls()
        before = place.sandbox_cpu()
        told = place.child("floor_process", plan)
        told["remote_calls"] = place.calls()
        told["sandbox_cpu_s"] = [
            round(now - then, 2)
            for now, then in zip(place.sandbox_cpu(), before, strict=True)
        ]
        return told


def print_pair(number: int, told: dict[str, dict[str, Any]]) -> None:
    floor, worker = told["floor"], told["worker"]
    print(
        f"pair {number + 1}: floor {floor['seconds']:.1f} s, "
        f"worker {worker['seconds']:.1f} s (CPU {worker['cpu_s']:.1f} s), "
        f"ratio {worker['seconds'] / floor['seconds']:.2f}, "
        f"sandbox CPU {floor['sandbox_cpu_s']} and {worker['sandbox_cpu_s']}",
        flush=True,
    )


def tell(options: Options, kind: str, pairs: list[dict[str, dict[str, Any]]]) -> None:
    ratios = [pair["worker"]["seconds"] / pair["floor"]["seconds"] for pair in pairs]
    median = statistics.median(ratios)
    last = pairs[-1]["worker"]
    crm = last["remote_calls"]["salesforce"]
    report.table(
        f"first full sync, {options.members:,} members, "
        f"{options.latency_ms:g} ms a call, {kind}",
        ("", "floor", "worker", "ratio", "worker CPU"),
        [
            *(
                (
                    f"pair {number}",
                    f"{pair['floor']['seconds']:.1f} s",
                    f"{pair['worker']['seconds']:.1f} s",
                    f"{ratio:.2f}",
                    f"{pair['worker']['cpu_s']:.1f} s",
                )
                for number, (pair, ratio) in enumerate(
                    zip(pairs, ratios, strict=True), start=1
                )
            ),
            ("median", "", "", f"{median:.2f}", report.verdict(holds=median <= 2)),
        ],
    )
    tell_calls(pairs[-1])
    report.keep(
        "first_full",
        {
            "members": options.members,
            "latency_ms": options.latency_ms,
            "database": kind,
            "pairs": pairs,
            "ratios": [round(ratio, 3) for ratio in ratios],
            "median_ratio": round(median, 3),
            "holds": median <= MOST_RATIO and crm["total"] <= MOST_CALLS,
        },
    )


def tell_calls(pair: dict[str, dict[str, Any]]) -> None:
    worker, floor = pair["worker"], pair["floor"]
    rows = []
    for name in ("salesforce", "aurora"):
        calls = worker["remote_calls"][name]
        rows += [
            (
                f"{name}: {kind}",
                n,
                floor["remote_calls"][name]["by_kind"].get(kind, 0),
            )
            for kind, n in sorted(calls["by_kind"].items())
        ]
        rows.append(
            (
                f"{name}: all (we counted {worker['calls'].get(name, 0)})",
                calls["total"],
                floor["remote_calls"][name]["total"],
            )
        )
    report.table("calls, as the sandboxes counted them", ("", "worker", "floor"), rows)
    used = worker["remote_calls"]["salesforce"]["total"]
    print(f"  Salesforce calls {used} of {MOST_CALLS}: ", end="")
    print(report.verdict(holds=used <= MOST_CALLS))
    print(f"  outcomes: {worker['counts']}")
