"""`aurora-sync sandbox`: both sandboxes until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import leash, screen
from worker.cli.exits import Exit, fail

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")]


def sandbox(
    *,
    aurora_port: Port = 0,
    salesforce_port: Port = 0,
    members: Annotated[
        int, typer.Option(min=0, help="Members of the invented community.")
    ] = 500,
    seed: Annotated[int, typer.Option(help="The same seed, the same people.")] = 1,
    latency_ms: Annotated[
        int, typer.Option(min=0, help="Added to every remote call.")
    ] = 0,
    leashed: leash.Leashed = False,
) -> None:
    """Serve both sandboxes on loopback; prints one JSON line when ready."""
    # Loaded here alone: an installation at work never needs the sandboxes.
    from worker.sandbox.processes import (  # noqa: PLC0415 -- see above
        SandboxFailed,
        run_sandboxes,
    )

    if leashed:
        leash.follow()
    try:
        run_sandboxes(
            aurora_port=aurora_port,
            salesforce_port=salesforce_port,
            members=members,
            seed=seed,
            latency_ms=latency_ms,
            on_ready=screen.print_json,
        )
    except SandboxFailed as problem:
        fail(str(problem), Exit.WRONG_USE)
