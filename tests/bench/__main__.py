"""
Measures speed, calls and memory: `python -m tests.bench [NAME …]`. Each benchmark
prints a table and appends a line to build/bench.json; nothing here asserts a time.
"""

from __future__ import annotations

import sys

from tests.bench import first_full, local, memory, next_runs, parse, slow_fields
from tests.bench.options import options

BENCHMARKS = {
    "parse": parse.run,
    "local": local.run,
    "next_runs": next_runs.run,
    "slow_fields": slow_fields.run,
    "memory": memory.run,
    "first_full": first_full.run,
}


def main() -> None:
    asked = options(tuple(BENCHMARKS), sys.argv[1:])
    for name in asked.names:
        BENCHMARKS[name](asked)


if __name__ == "__main__":
    main()
