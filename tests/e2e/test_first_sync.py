"""The first sync of a community, which nobody asks for and somebody disturbs."""

from __future__ import annotations

import os
import signal
import time

MEMBERS = 1500


def test_all_members_arrive_once_although_their_worker_was_killed(bare):
    bare.latency(150)
    bare.start()
    wait_for_the_middle(bare)

    os.kill(bare.process("worker"), signal.SIGKILL)
    bare.latency(0)
    last = bare.wait_for_run()

    states = [run["state"] for run in bare.runs()]
    assert states == ["succeeded", "interrupted"]
    assert last["trigger"] == "interval"
    assert bare.differences() == []


def wait_for_the_middle(installation) -> None:
    deadline = time.monotonic() + 40
    while not 0 < (records := installation.records()) < MEMBERS:
        assert time.monotonic() < deadline, f"{records} records, never some of them"
        time.sleep(0.05)
