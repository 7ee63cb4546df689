"""The first sync of a community, which nobody asks for and somebody disturbs."""

from __future__ import annotations

import os
import signal

MEMBERS = 1500


def test_all_members_arrive_once_although_their_worker_was_killed(bare, wait_until):
    bare.latency(150)
    bare.start()
    wait_until(lambda: 0 < bare.records() < MEMBERS)

    os.kill(bare.process("worker"), signal.SIGKILL)
    bare.latency(0)
    last = bare.wait_for_run()

    states = [run["state"] for run in bare.runs()]
    assert states == ["succeeded", "interrupted"]
    assert last["trigger"] == "interval"
    assert bare.differences() == []
