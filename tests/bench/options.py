"""What a measurement is told on the command line."""

from __future__ import annotations

import argparse
from typing import NamedTuple


class Options(NamedTuple):
    """`members` None: each benchmark's own number."""

    names: tuple[str, ...]
    members: int
    latency_ms: float
    databases: tuple[str, ...]
    pairs: int


def options(names: tuple[str, ...], arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--latency-ms", type=float, default=150)
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql", "both"), default="both"
    )
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.names) - set(names))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    both = ("sqlite", "postgresql")
    return Options(
        tuple(given.names) or names,
        given.members,
        given.latency_ms,
        both if given.database == "both" else (given.database,),
        given.pairs,
    )
