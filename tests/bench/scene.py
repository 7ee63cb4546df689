"""
Where a measurement takes place: both sandboxes in processes of their own, a fresh home
and database, and the worker in yet another process, started anew for each run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

_SANDBOXES = """
import json, sys
from worker.sandbox.server import run_sandboxes
members, latency_ms = json.loads(sys.argv[1])
run_sandboxes(members=members, latency_ms=latency_ms,
              on_ready=lambda ready: print(json.dumps(ready), flush=True))
"""
ROOT = Path(__file__).parents[2]
SEED_OF_CHANGES = 7


class ProcessFailed(RuntimeError):
    """A child ended with an error; its last words are the message."""


class Scene:
    """Two sandboxes that a worker can be sent at; all of it is gone with the block."""

    def __init__(
        self, ready: dict[str, Any], home: Path, database_url: str, pid: int
    ) -> None:
        self.home = home
        self.aurora: str = ready["aurora"]["base_url"]
        self.salesforce: str = ready["salesforce"]["instance_url"]
        self.env = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG")
            if name in os.environ
        }
        self.env |= ready["env"]
        self.env |= {"SYNC_HOME": str(home), "SYNC_LOG_LEVEL": "warning"}
        self.env["SYNC_DATABASE_URL"] = database_url
        self._pid = pid
        self._control = requests.Session()
        self._control.trust_env = False

    def close(self) -> None:
        self._control.close()

    def prepare(self) -> None:
        """Migrate, and put the package into the bare org; nothing of it is timed."""
        self.child("worker_process", {"do": "prepare"})

    def run(self, **what: object) -> dict[str, Any]:
        """One run of the stream in a fresh process; see `worker_process`."""
        self.forget_calls()
        before = self.sandbox_cpu()
        told = self.child("worker_process", {"do": "run", **what})
        told["remote_calls"] = self.calls()
        told["sandbox_cpu_s"] = [
            round(now - then, 2)
            for now, then in zip(self.sandbox_cpu(), before, strict=True)
        ]
        return told

    def child(self, module: str, what: dict[str, object]) -> dict[str, Any]:
        errors = self.home / "stderr.txt"
        with errors.open("wb") as stderr:
            done = subprocess.run(
                [sys.executable, "-m", f"tests.bench.{module}", json.dumps(what)],
                env=self.env,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=stderr,
                check=False,
            )
        if done.returncode:
            raise ProcessFailed(errors.read_text(errors="replace")[-3000:])
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    def change_members(self, count: int) -> None:
        self._post("members/change", {"count": count, "seed": SEED_OF_CHANGES})

    def calls(self) -> dict[str, dict[str, Any]]:
        """What the sandboxes counted themselves: the truth about calls."""
        return {
            name: self._control.get(f"{url}/_sandbox/calls").json()
            for name, url in (("aurora", self.aurora), ("salesforce", self.salesforce))
        }

    def forget_calls(self) -> None:
        for url in (self.aurora, self.salesforce):
            self._control.delete(f"{url}/_sandbox/calls")

    def sandbox_cpu(self) -> list[float]:
        """CPU seconds of each sandbox process, where the system tells them."""
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
        if not children.exists():
            return []
        seconds = []
        tick = os.sysconf("SC_CLK_TCK")
        for pid in children.read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            seconds.append((int(fields[11]) + int(fields[12])) / tick)
        # The resource tracker of multiprocessing is a child too, and does nothing.
        return sorted(seconds, reverse=True)[:2]

    def _post(self, path: str, body: dict[str, object]) -> None:
        answer = self._control.post(f"{self.aurora}/_sandbox/{path}", json=body)
        answer.raise_for_status()


@contextmanager
def scene(
    *, members: int, database_url: str | None = None, latency_ms: float = 0
) -> Iterator[Scene]:
    """Yield a scene whose org has the package and no Community User yet."""
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    database_url = database_url or f"sqlite:///{home}/state.db"
    child = subprocess.Popen(
        [sys.executable, "-c", _SANDBOXES, json.dumps([members, latency_ms])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        made = Scene(json.loads(child.stdout.readline()), home, database_url, child.pid)
        try:
            made.prepare()
            yield made
        finally:
            made.close()
    finally:
        child.terminate()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
        shutil.rmtree(home)
