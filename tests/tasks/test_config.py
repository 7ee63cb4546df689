"""Facts of the Celery settings that the rest leans on."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import celeryconfig
from worker import queue
from worker.app import SyncApp
from worker.broker import EmbeddedBroker
from worker.errors import ConfigurationError
from worker.queue import Queue, last_tick_at, record_tick, send_run


@pytest.fixture
def app(settings):
    with SyncApp("test", config_source="celeryconfig", set_as_current=False) as made:
        made.use(settings)
        yield made


LIST_TASKS = """
import json, pathlib
from worker.app import app
from worker.settings import Settings
app.use(Settings.model_construct(home=pathlib.Path("home"), broker_url="memory://"))
app.loader.import_default_modules()
print(json.dumps([name for name in app.tasks if not name.startswith("celery.")]))
"""


@pytest.fixture(scope="module")
def own_tasks():
    # In a process of its own: asking the product's application configures it for good.
    done = subprocess.run(
        [sys.executable, "-c", LIST_TASKS], stdout=subprocess.PIPE, check=True
    )
    return set(json.loads(done.stdout))


def test_every_task_has_a_queue_of_ours(own_tasks):
    queues = {q.name for q in celeryconfig.task_queues}

    assert set(celeryconfig.task_routes) == own_tasks
    assert {r["queue"] for r in celeryconfig.task_routes.values()} <= queues
    assert queues == {queue.value for queue in Queue}


def test_beat_names_tasks_that_exist(own_tasks):
    named = {entry["task"] for entry in celeryconfig.beat_schedule.values()}

    assert named <= own_tasks
    assert named == set(celeryconfig.beat_schedule)


def test_a_backlog_of_ticks_cannot_form():
    (tick,) = celeryconfig.beat_schedule.values()

    assert (tick["schedule"], tick["options"]["expires"]) == (5.0, 15)


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 900), (5, 900), (20, 3600)])
def test_a_message_outlives_the_slice_of_a_run_by_far(app, settings, minutes, seconds):
    run_slice = timedelta(minutes=minutes)
    app.use(settings.model_copy(update={"run_slice": run_slice}))

    assert app.conf.broker_transport_options["visibility_timeout"] == seconds


def test_takes_the_embedded_broker_where_none_is_set(app, settings):
    assert app.conf.broker_url == EmbeddedBroker(settings.home).url


def test_rabbitmq_confirms_what_it_stored(app, settings):
    app.use(settings.model_copy(update={"broker_url": "amqp://127.0.0.1:1//"}))

    assert app.conf.broker_transport_options == {"confirm_publish": True}


def test_keeps_no_results_and_schedules_no_clean_up_of_them(app):
    beat = app.Beat(quiet=True)
    scheduler = beat.Service(app=app, scheduler_cls=beat.scheduler_cls).get_scheduler()

    assert app.conf.result_backend is None
    assert list(scheduler.schedule) == ["streams.tick"]


def test_wrong_settings_end_the_first_use_instead_of_a_default_broker(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNC_SECRET_KEY", "no key at all")
    app = SyncApp("test", config_source="celeryconfig", set_as_current=False)

    with pytest.raises(ConfigurationError, match="SYNC_SECRET_KEY"):
        assert app.conf.broker_url


@pytest.mark.parametrize("module", ["celeryconfig", "worker.app", "worker.queue"])
def test_importing_reads_no_settings(module, tmp_path):
    script = (
        f"import {module}, worker.app, sys;"
        "assert not worker.app.app.configured;"
        "assert 'worker.tasks.members' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)

    assert done.returncode == 0


def test_a_broker_that_is_away_defers_a_message(app, monkeypatch, log_lines):
    monkeypatch.setattr(queue, "app", app)

    send_run("run-1")

    assert log_lines == [
        {
            "event": "message.deferred",
            "task": "members.run",
            "run_id": "run-1",
            "log_level": "warning",
        }
    ]


def test_remembers_the_last_tick(tmp_path):
    home = tmp_path / "home"

    before = last_tick_at(home)
    record_tick(home)
    after = last_tick_at(home)

    assert before is None
    assert after is not None
    assert abs((datetime.now(UTC) - after).total_seconds()) < 60
