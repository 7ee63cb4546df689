"""
What the demo plays on: the sandboxes and the supervisor as child processes with an
environment of their own, so that nothing of the caller's settings gets in.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from worker.errors import ConfigurationError
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

# The supervisor lets a run reach the end of its batch.
STOPS_WITHIN_S = 75.0
FIRST_ADMIN_PORT = 8600


class Stage(NamedTuple):
    """Both sandboxes at work; `env` points a worker at them and at `home`."""

    aurora_url: str
    salesforce_url: str
    env: dict[str, str]
    home: Path


class StagedSettings(Settings):
    """Settings from given variables alone: neither environment nor `.env` is read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- so pydantic-settings calls it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_from(variables: Mapping[str, str]) -> Settings:
    """Build settings from `SYNC_…` variables, as the environment would give them."""
    values: dict[str, Any] = {}
    for name, value in variables.items():
        *groups, key = name.removeprefix("SYNC_").lower().split("__")
        place = values
        for group in groups:
            place = place.setdefault(group, {})
        place[key] = value
    return StagedSettings(**values)


@contextmanager
def sandboxes(home: Path, *, members: int, seed: int) -> Iterator[Stage]:
    """Start both sandboxes and stop them at the end of the block."""
    arguments = ["sandbox", "--members", str(members), "--seed", str(seed), "--leashed"]
    with running(arguments, clean(home), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None  # noqa: S101 -- asked for in the line above
        line = child.stdout.readline()
        if not line:
            raise ConfigurationError(["the sandboxes did not start"])
        ready = json.loads(line)
        env = {**ready["env"], "SYNC_HOME": str(home)}
        env["SYNC_ADMIN__PORT"] = str(free_port(FIRST_ADMIN_PORT))
        yield Stage(
            ready["aurora"]["base_url"],
            ready["salesforce"]["instance_url"],
            env,
            home,
        )


@contextmanager
def running(
    arguments: list[str], env: dict[str, str], stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `aurora-sync …` while the block runs; ask it to stop, then make it stop."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "worker.cli.main", *arguments],
        env=env,
        # Its end is the child's sign to stop, should this process be killed.
        stdin=subprocess.PIPE,
        stdout=stdout,
        # Ctrl-C is ours alone: the order of stopping matters.
        start_new_session=True,
    )
    try:
        yield child
    finally:
        _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def clean(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with what a child needs, and no `SYNC_…` but ours."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    basics = {"PATH": path, "HOME": str(home), "PYTHONUTF8": "1", "LANG": "C.UTF-8"}
    return {**basics, **(more or {})}


def free_port(first: int) -> int:
    """Return `first` where nobody listens on it, else any free port."""
    for port in (first, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise ConfigurationError(["no port is free on 127.0.0.1"])


def write_exports(stage: Stage) -> Path:
    """Write the environment for another shell to read; for this user alone."""
    path = stage.home / "demo.env"
    lines = (f"export {name}={shlex.quote(value)}" for name, value in stage.env.items())
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
