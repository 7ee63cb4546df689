from __future__ import annotations

import re
import signal
import time
from datetime import timedelta

import pytest

from worker.cli.compare import compare, read_sides

pytestmark = pytest.mark.usefixtures("deployed")

NOTHING = {"applied": 0, "unchanged": 0, "skipped": 0, "deferred": 0, "failed": 0}


def test_prints_exactly_the_object_of_the_contract(run, ada, org):
    ended = run("sync", "members", "--json")

    answer = ended.json
    assert (ended.code, ended.err) == (0, "")
    assert list(answer) == ["run", "stream", "state", "counts", "calls", "seconds"]
    assert len(answer.pop("run")) == 32
    assert answer.pop("seconds") > 0
    assert answer["calls"].pop("salesforce") > 0
    assert answer["calls"].pop("aurora") > 0
    assert answer == {
        "stream": "members",
        "state": "succeeded",
        "counts": {**NOTHING, "applied": 1},
        "calls": {},
    }
    [record] = org.records("Community_User__c")
    assert record["Contact__c"] == ada[1]


def test_tells_a_person_what_happened(run, ada):
    assert ada

    ended = run("sync", "members")

    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("members: sync succeeded in ")
    assert ended.out.splitlines()[1] == (
        "  1 applied, 0 unchanged, 0 skipped, 0 deferred, 0 failed"
    )


def test_a_second_full_run_finds_nothing_to_write(run, ada):
    assert ada
    run("sync", "members")

    ended = run("sync", "members", "--full", "--json")

    assert (ended.code, ended.json["counts"]) == (0, {**NOTHING, "unchanged": 1})


def test_a_dry_run_writes_nothing(run, ada, org, store):
    assert ada

    ended = run("sync", "members", "--dry-run", "--json")

    assert (ended.code, ended.json["counts"]) == (0, {**NOTHING, "applied": 1})
    assert org.records("Community_User__c") == []
    assert store.members.count("demo") == {}


def test_a_dry_run_tells_what_it_would_write_and_cost(run, ada):
    ended = run("sync", "members", "--dry-run")

    lines = ended.out.splitlines()
    assert "  would write: members 1, contacts 1, salesforce calls 2" in lines
    assert lines[-1].startswith(f"    member {ada[0]}, action adopt, contact {ada[1]}")


def test_says_by_its_exit_code_that_some_failed(run, twins):
    assert twins

    ended = run("sync", "members")

    assert ended.code == 1
    assert "see `aurora-sync failures`" in ended.out


def test_names_the_run_that_is_at_work(run, store):
    busy = store.runs.request("demo", "members", "sync", "manual")

    ended = run("sync", "members", "--json")

    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        f"error: members is already running as run {busy.id}; "
        "wait for it (`aurora-sync status`)\n"
    )


def test_says_when_a_stream_is_free_whose_holder_may_have_died(run, store):
    busy = store.runs.request("demo", "members", "sync", "manual")
    ttl = timedelta(seconds=50)
    store.streams.acquire("demo", "members", busy.id, "somebody", ttl)

    ended = run("sync", "members")

    first, second = ended.err.splitlines()
    left_s = int(
        re.fullmatch(r"if its process is gone, members is free in (\d+) s", first)[1]
    )
    assert (ended.code, 40 < left_s <= 50) == (3, True)
    assert busy.id in second


def test_names_the_credentials_that_the_community_refused(run, forget_token):
    forget_token("aurora")

    ended = run("sync", "members", "--json", SYNC_AURORA__PASSWORD="wrong")

    assert (ended.code, ended.json["state"]) == (4, "stopped")
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("error: aurora log in ")
    assert "SYNC_AURORA__AUTH" in ended.err


def test_names_the_credentials_that_the_org_refused(run, forget_token):
    forget_token("salesforce")

    ended = run("sync", "members", "--json", SYNC_SALESFORCE__CLIENT_SECRET="wrong")

    assert (ended.code, ended.json["state"]) == (4, "stopped")
    assert ended.err.startswith("error: salesforce ")
    assert "SYNC_SALESFORCE__AUTH" in ended.err


def test_says_when_a_remote_does_not_answer(run, forget_token):
    forget_token("aurora")

    ended = run("sync", "members", "--json", SYNC_AURORA__BASE_URL="http://127.0.0.1:9")

    assert (ended.code, ended.json["state"]) == (4, "failed")
    assert "SYNC_AURORA__BASE_URL" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_knows_only_its_streams(run):
    ended = run("sync", "cases")

    assert ended.code == 2
    assert "members" in ended.err


def test_ctrl_c_stops_between_batches_and_the_next_run_goes_on(
    spawn, shell, community, urls, store
):
    for number in range(60):
        community.register(login=f"member{number}")
    community.switches.change(latency_ms=150, page_size=5)
    slow = {"SYNC_AURORA__PARALLEL_READS": "1", "SYNC_AURORA__PAGE_SIZE": "5"}
    child = spawn("sync", "members", "--json", **slow)
    while not any(run.progress_done for run in store.runs.recent("demo")):
        assert child.poll() is None
        time.sleep(0.02)

    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)

    assert child.returncode == 1, (out, err)
    [stopped] = store.runs.recent("demo")
    assert (stopped.state, stopped.error_code) == ("stopped", "interrupted")
    community.switches.change(latency_ms=0)
    assert shell("sync", "members", "--json").code == 0
    verdict = compare(read_sides(*urls), "demo")
    assert (verdict.members, verdict.records, verdict.differences) == (60, 60, [])
