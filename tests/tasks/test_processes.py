"""Starting in a home: one supervisor each, and workers that look for its broker."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from freezegun import freeze_time

from worker import clock
from worker.cli import processes, start
from worker.queue import record_tick


def test_a_home_has_one_supervisor(tmp_path):
    with start.alone_in(tmp_path) as first, start.alone_in(tmp_path) as second:
        holders = (first, second)

    with start.alone_in(tmp_path) as after:
        assert (*holders, after) == (None, str(os.getpid()), None)


def test_a_second_start_in_a_home_says_who_has_it(settings, capsys):
    settings.home.mkdir(parents=True)
    with start.alone_in(settings.home):
        code = start.run(settings)

    assert code == 3
    assert f"(process {os.getpid()})" in capsys.readouterr().err


@pytest.mark.parametrize("process", [processes.worker, processes.beat])
def test_says_what_to_do_where_no_broker_answers(settings, capsys, process):
    code = process(settings)

    assert code == 2
    assert "aurora-sync start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("age", "ticked_ago", "said"),
    [
        (200, None, None),
        (500, None, "no tick for 500 s"),
        (500, 10, None),
        (500, 430, "no tick for 430 s"),
        (10, 430, None),
    ],
)
def test_a_worker_without_ticks_is_ill_once_it_had_its_time(
    tmp_path, age, ticked_ago, said
):
    ailment = start.ticks_overdue(tmp_path, timedelta(minutes=5))
    if ticked_ago is not None:
        record_tick(tmp_path)
        at = clock.now().timestamp() - ticked_ago
        os.utime(tmp_path / "last-tick", (at, at))

    with freeze_time(clock.now()):
        assert ailment(age) == said
