"""
The worker alone: records a first and an unchanged pass against the sandboxes, then
plays their answers to fresh databases, plain, by part and profiled. Prints JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from tests.bench.parts import metered
from tests.bench.profiles import profiled
from tests.bench.tape import Tape
from worker import bootstrap, logs
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PASSES = ("first pass, all new", "unchanged pass")


def main() -> None:
    what = json.loads(sys.argv[1])
    settings = load_settings()
    logs.configure(log_format="console", level=settings.log_level)
    # None of them has signed in yet: a played run must find its login on the tape.
    recorded, plain, by_part, deep = (
        settings.model_copy(update={"database_url": url}) for url in what["databases"]
    )
    tape = Tape()
    with tape.recording():
        passes(recorded, [nullcontext()] * 2)
    gc.collect()
    gc.freeze()
    with tape.playing():
        told = {"plain": passes(plain, [nullcontext()] * 2)}
    meters = [metered(), metered()]
    with tape.playing():
        told["parts"] = passes(by_part, meters)
    with tape.playing():
        passes(deep, [profiled(path) for path in what["profiles"]])
    print(json.dumps(told))


def passes(
    settings: Settings, around: list[AbstractContextManager[Any]]
) -> dict[str, Any]:
    """Perform both passes, each within its context; what a context yields is told."""
    told = {}
    with bootstrap.services(settings) as services:
        services.prepare()
        for name, context in zip(PASSES, around, strict=True):
            queued = services.sync.request("members", trigger="cli", full=True)
            with context as given:
                began = time.process_time()
                report = services.sync.perform(queued.id)
                cpu_s = time.process_time() - began
            if report is None or report.state != "succeeded":
                raise SystemExit(f"the run did not succeed: {report}")
            told[name] = {
                "cpu_s": round(cpu_s, 3),
                "counts": report.counts,
                "parts": dict(given) if given else {},
            }
    return told


if __name__ == "__main__":
    main()
