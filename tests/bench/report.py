"""What a benchmark tells: one table for people, one line of JSON to keep."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILD = Path(__file__).parents[2] / "build"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [list(header), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    print(f"\n{title}")
    for number, row in enumerate(cells):
        line = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(line).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    sys.stdout.flush()


def keep(name: str, figures: dict[str, Any]) -> None:
    """Append the figures to build/bench.json, one object a line."""
    BUILD.mkdir(exist_ok=True)
    line = {
        "benchmark": name,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **figures,
    }
    with (BUILD / "bench.json").open("a") as file:
        file.write(json.dumps(line) + "\n")


def by_kind(calls: dict[str, Any]) -> str:
    return " ".join(f"{kind}={n}" for kind, n in sorted(calls["by_kind"].items()))


def verdict(*, holds: bool) -> str:
    return "ok" if holds else "MISS"
