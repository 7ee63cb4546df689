"""What becomes of a run: its row, its stream, its community, its next time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import timedelta

import pytest
from freezegun import freeze_time

from worker import bootstrap, clock
from worker.domain.state import ConnectionStatus, RunState
from worker.errors import AlreadyRunning
from worker.sync import holder


def status(services):
    return services.store.streams.status("demo", "members")


def test_the_tick_queues_a_due_stream_and_wakes_a_worker(services_for, settings):
    sent = []
    services = services_for(settings, send=sent.append)

    first, second = services.sync.tick(), services.sync.tick()

    run = services.store.runs.recent("demo")[0]
    assert (first.claimed, second.claimed) == (1, 0)
    assert sent == [run.id]
    assert (run.trigger, run.state) == ("interval", "queued")


def test_the_tick_sends_a_lost_message_again(services_for, settings):
    sent = []
    services = services_for(settings, send=sent.append)
    run = services.sync.request("members")

    with freeze_time(clock.now() + timedelta(seconds=40)):
        report = services.sync.tick()

    assert report.resent == 1
    assert sent == [run.id, run.id]


def test_a_stream_that_is_not_due_is_left_alone(services_for, settings):
    services = services_for(settings)
    services.store.streams.set_due("demo", "members", clock.now() + timedelta(hours=1))

    assert services.sync.tick().claimed == 0


def test_takes_over_a_run_whose_worker_died(services, community, users):
    community.register(login="ada")
    run = services.sync.request("members")
    services.store.streams.acquire(
        "demo", "members", run.id, "a dead worker", timedelta(seconds=-1)
    )

    report = services.sync.tick()

    successor = status(services).run
    assert report.taken_over == 1
    assert services.store.runs.get(run.id).state is RunState.INTERRUPTED
    assert services.sync.perform(successor.id).state == "succeeded"
    assert len(users()) == 1


def test_sweeps_the_job_files_of_a_run_that_was_killed(services, settings):
    run = services.sync.request("members")
    left = settings.home / f"spool-{run.id}-x"
    left.mkdir()
    (left / "members-1.csv").write_text("personal data")
    services.store.streams.acquire(
        "demo", "members", run.id, "a worker", timedelta(seconds=60)
    )
    services.sync.tick()
    while_running = left.exists()
    services.store.streams.renew("demo", "members", 1, timedelta(seconds=-1))

    services.sync.tick()

    assert (while_running, left.exists()) == (True, False)


def test_a_run_that_lost_its_stream_sends_nothing_more(services, community, users):
    community.register(login="ada")
    run = services.sync.request("members")
    streams = services.store.streams

    def stolen():
        if streams.status("demo", "members").run.id == run.id:
            streams.expire("demo", "members", status(services).fence)
            [successor] = streams.expired()
            hour = timedelta(hours=1)
            streams.acquire("demo", "members", successor.id, "another", hour)
        return False

    report = services.sync.perform(run.id, stop=stolen)

    assert report is None
    assert users() == {}
    assert services.store.runs.get(run.id).state is RunState.INTERRUPTED


def begin_and_die(settings, step):
    services = bootstrap.build(settings)
    run = services.sync.request("members", trigger="cli")
    if step == "running":
        services.sync.perform(run.id, stop=lambda: os.kill(os.getpid(), signal.SIGKILL))
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("step", ["queued", "running"])
def test_a_killed_shells_run_holds_up_nobody_on_its_machine(
    services, settings, community, users, step
):
    community.register(login="ada")
    context = multiprocessing.get_context("spawn")
    shell = context.Process(target=begin_and_die, args=(settings, step))
    shell.start()
    shell.join(timeout=60)
    left = services.store.runs.recent("demo")[0]

    report = perform(services)

    assert (shell.exitcode, left.state) == (-signal.SIGKILL, step)
    assert report.state == "succeeded"
    assert len(users()) == 1
    ended = services.store.runs.get(left.id).state
    assert ended == {"queued": "stopped", "running": "interrupted"}[step]


@pytest.mark.parametrize("name", ["", "a dead worker", None, "elsewhere/1/0/x"])
def test_nobody_is_called_dead_on_a_guess(name):
    assert not holder.is_dead(name)


def test_a_living_holder_is_not_dead():
    assert not holder.is_dead(holder.name())


def test_a_reused_process_number_is_another_process():
    place, pid, started, token = holder.name().split("/")

    assert holder.is_dead(f"{place}/{pid}/{int(started) - 1}/{token}")


def test_refused_credentials_halt_the_community_until_a_run_succeeds(
    services, services_for, settings, sides
):
    wrong = settings.model_copy(deep=True)
    wrong.salesforce.client_secret = type(wrong.salesforce.client_secret)("wrong")
    sides[2].org.faults.add(kind="expire_sessions", times=1)
    other = services_for(wrong)

    refused = perform(other)
    halted = services.store.communities.get("demo")
    mended = perform(services)

    assert (refused.state, refused.error_kind) == ("stopped", "TokenRefused")
    assert halted.connection_status is ConnectionStatus.HALTED
    assert mended.state == "succeeded"
    active = services.store.communities.get("demo").connection_status
    assert active is ConnectionStatus.ACTIVE


def test_tries_again_sooner_than_the_interval_when_a_remote_is_away(services, org):
    org.faults.add(kind="status", status=503, body="html", times=None)

    report = perform(services)

    wait = status(services).due_at - clock.now()
    assert (report.state, report.error_kind) == ("failed", "RemoteUnavailable")
    assert timedelta(seconds=10) < wait < timedelta(minutes=1)


def test_stops_below_its_share_of_the_daily_calls(services, community, org, users):
    community.register(login="ada")
    services.store.communities.change_settings("demo", {"api_budget_percent": 1})
    org.usage.allowed = 100

    report = perform(services)

    assert (report.state, report.error_kind) == ("stopped", "QuotaExhausted")
    assert "api_budget_percent" in report.error
    assert users() == {}


def test_a_bug_ends_the_row_and_passes_through(services, monkeypatch):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("worker.sync.engine.MembersStream", broken)
    run = services.sync.request("members")

    with pytest.raises(ZeroDivisionError):
        services.sync.perform(run.id)

    ended = services.store.runs.get(run.id)
    assert (ended.state, ended.error_code) == (RunState.FAILED, "bug")
    assert not status(services).busy


def test_switched_off_it_says_so_and_reads_nothing(services, community):
    community.register(login="ada")
    services.store.communities.change_settings("demo", {"user_synchronization": False})

    report = perform(services)

    assert report.state == "succeeded"
    assert report.extra["skipped"] == "user_synchronization is off"
    assert report.calls == {"aurora": 0, "salesforce": 0}


def test_a_full_pass_comes_by_itself_after_its_interval(services, community):
    community.register(login="ada")
    kinds = []
    for hours in (0, 1, 26):
        with freeze_time(clock.now() + timedelta(hours=hours), tick=True):
            run = services.sync.request("members", trigger="cli")
            services.sync.perform(run.id)
            kinds.append(services.store.runs.get(run.id).full)

    assert kinds == [True, False, True]


def test_counts_the_calls_in_the_ledger(services, community):
    community.register(login="ada")

    report = perform(services)

    spent = services.store.usage.of_day("demo", clock.now().date())
    assert {(c.remote, c.stream): c.calls for c in spent} == {
        ("aurora", "members"): report.calls["aurora"],
        ("salesforce", "members"): report.calls["salesforce"],
    }


@pytest.fixture
def bulky(request, services_for, settings):
    """Services that send even few rows through Bulk jobs."""
    request.getfixturevalue("services")
    bulky = settings.model_copy(deep=True)
    bulky.salesforce.bulk_from_rows, bulky.salesforce.bulk_job_rows = 10, 20
    return lambda: services_for(bulky)


def test_writes_through_bulk_jobs_from_the_set_number_of_rows(bulky, community, users):
    names = [f'Zoë\n"{n}", 日本 🦉' for n in range(45)]
    ids = [community.register(login=f"m{n}", first_name=names[n]) for n in range(45)]
    services = bulky()

    report = perform(services)

    found = [services.store.batches.get(number) for number in range(1, 100)]
    batches = [batch for batch in found if batch and batch.purpose == "members"]
    assert report.counts["applied"] == 45
    assert [users()[number]["First_Name__c"] for number in ids] == names
    assert len(batches) > 1
    assert all(batch.job_id and batch.state == "done" for batch in batches)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("step", ["note_created", "settle"])
def test_settles_the_bulk_job_of_a_run_that_died(bulky, community, org, users, step):
    for n in range(30):
        community.register(login=f"m{n}")
    dying = bulky()
    kill_at(dying.store.members, step)
    run = dying.sync.request("members", trigger="cli")
    with pytest.raises(Killed):
        dying.sync.perform(run.id)
    jobs_before = len(org.records("Community_User__c"))

    survivor = bulky()
    report = perform(survivor)
    again = perform(survivor, full=True)

    assert jobs_before > 0
    assert report.state == "succeeded"
    assert len(users()) == 30
    assert survivor.store.batches.unfinished("demo", "members") == []
    assert again.counts["unchanged"] == 30


@pytest.mark.parametrize(
    ("shelf", "step"),
    [
        ("members", "stage"),
        ("members", "settle"),
        ("members", "note_created"),
        ("batches", "done"),
        ("contacts", "mark_due"),
        ("contacts", "written"),
        ("contacts", "add"),
        ("streams", "save_cursor"),
        ("failures", "park"),
        ("events", "add"),
    ],
)
def test_killed_at_any_step_the_next_run_leaves_no_gap_and_no_duplicate(  # noqa: PLR0917 -- both sides and two parameters
    services, services_for, settings, community, org, users, step, shelf
):
    services.store.communities.change_settings("demo", {"create_new_contact": True})
    org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    org.insert("Contact", LastName="Byron", Email="two@x.example")
    org.insert("Contact", LastName="King", Email="two@x.example")
    community.register(login="ada", email="ada@x.example", posts=3)
    community.register(login="two", email="two@x.example")
    community.register(login="new", email="new@x.example")
    dying = services_for(settings)
    kill_at(getattr(dying.store, shelf), step)
    run = dying.sync.request("members", trigger="cli")
    with pytest.raises(Killed):
        dying.sync.perform(run.id)

    report = perform(services)

    linked = sorted(row["Contact__c"] is not None for row in users().values())
    contacts = sorted(row["Email"] for row in org.records("Contact"))
    parked = [failure.reason for failure in services.store.failures.open("demo")]
    assert report.state == "succeeded"
    assert linked == [False, True, True]
    assert contacts == ["ada@x.example", "new@x.example"] + ["two@x.example"] * 2
    assert parked == ["ambiguous_email"]
    shown = [row["Community_Posts__c"] for row in org.records("Contact")]
    assert sorted(shown, key=str) == [0, 3, None, None]
    assert perform(services, full=True).counts["applied"] == 0


def kill_at(shelf, step):
    def killed(*_args, **_kwargs):
        raise Killed

    setattr(shelf, step, killed)


def perform(services, **asked):
    run = services.sync.request("members", trigger="cli", **asked)
    return services.sync.perform(run.id)


def race(settings, run_id, results):
    services = bootstrap.build(settings)
    report = services.sync.perform(run_id)
    results.put(report.state if report else None)
    services.close()


def test_of_two_processes_with_one_message_one_performs(
    services, settings, community, users
):
    community.register(login="ada")
    run = services.sync.request("members")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    racers = [
        context.Process(target=race, args=(settings, run.id, results)) for _ in range(2)
    ]

    for racer in racers:
        racer.start()
    ended = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(timeout=60)

    assert sorted(ended, key=str) == [None, "succeeded"]
    assert len(users()) == 1


def test_a_reset_is_refused_while_a_run_waits_and_the_other_way_round(services):
    services.sync.request("members")
    with pytest.raises(AlreadyRunning):
        services.sync.request("members", kind="reset")
