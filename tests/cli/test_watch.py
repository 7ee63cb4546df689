from __future__ import annotations

import pytest

from worker.domain.state import ContactLink

pytestmark = pytest.mark.usefixtures("deployed")


@pytest.fixture
def synced(run, ada, twins):
    """Have both members synced: ada is linked, byron is parked."""
    run("sync", "members")
    return ada[0], twins[0]


def test_tells_the_status_as_json(run, synced):
    assert synced

    ended = run("status", "--json")

    [community] = ended.json["communities"]
    [stream] = community["streams"]
    assert (ended.code, community["connection"]) == (0, "active")
    assert (stream["running"], stream["last_run"]["state"]) == (None, "succeeded")
    assert stream["members"] == {
        "known": 2,
        "by_state": {"synced": 2},
        "linked": 1,
    }
    assert stream["backlog"]["failures_by_reason"] == {"ambiguous_email": 1}
    assert community["usage"]["org"]["allowed"] > community["usage"]["org"]["used"] > 0


def test_tells_the_status_to_a_person(run, synced):
    assert synced

    ended = run("status")

    words = {line.split("  ")[0] for line in ended.out.splitlines() if line}
    assert ended.code == 0
    assert words >= {
        "Community",
        "Connection",
        "Stream",
        "Last run",
        "Last success 0 s ago",
        "Next sync",
        "Members",
        "Waiting",
        "Worker",
    }
    assert "1 failures" in ended.out


def test_lists_the_runs_newest_first(run, synced):
    assert synced
    run("sync", "members")

    listed = run("runs", "--json").json

    assert [each["kind"] for each in listed["runs"]] == ["sync", "sync"]
    assert listed["before"] is None
    newest = listed["runs"][0]["run"]
    older = run("runs", "--json", "--before", newest).json
    assert [each["run"] for each in older["runs"]] == [listed["runs"][1]["run"]]
    assert newest in run("runs").out


def test_lists_failures_with_and_without_the_word_list(run, synced):
    bare, listed = run("failures", "--json"), run("failures", "list", "--json")

    assert bare.json == listed.json
    [failure] = bare.json["failures"]
    assert (failure["record"], failure["reason"], failure["waits_for"]) == (
        f"member:{synced[1]}",
        "ambiguous_email",
        "person",
    )
    assert failure["record"] in run("failures").out


def test_assigns_the_contact_a_person_chose_and_the_next_run_links_it(
    run, synced, twins, org, store
):
    member_id, contacts = twins
    [failure] = store.failures.open("demo")

    ended = run("failures", "assign", failure.id, contacts[1], "--json")
    synced_again = run("sync", "members", "--full")

    assert ended.json == {
        "failure": failure.id,
        "done": "goes to that Contact in the next run",
    }
    assert synced_again.code == 0, synced_again
    link = store.members.by_ids("demo", [member_id])[member_id]
    assert link.contact_link is ContactLink.ASSIGNED
    records = {
        row["Khoros_User_ID__c"]: row for row in org.records("Community_User__c")
    }
    assert records[member_id]["Contact__c"] == contacts[1]
    assert store.failures.open("demo") == []
    assert synced


def test_has_a_failure_tried_again(run, synced, store):
    assert synced
    [failure] = store.failures.open("demo")

    ended = run("failures", "retry", failure.id)

    assert (ended.code, ended.out) == (
        0,
        f"failure {failure.id} is tried again in the next run\n",
    )
    assert store.failures.get(failure.id).next_try_at is not None


def test_gives_a_failure_up(run, synced, store):
    assert synced
    [failure] = store.failures.open("demo")

    ended = run("failures", "discard", failure.id, "--why", "left the company")

    after = store.failures.get(failure.id)
    assert (ended.code, after.state, after.resolution) == (
        0,
        "discarded",
        "left the company",
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["retry", "77"], "there is no failure 77"),
        (["discard", "77", "--why", " "], "why: say why the record is given up"),
        (
            ["assign", "77", "001000000000001"],
            "contact_id: give a Contact's id, 003… with 15 or 18 letters",
        ),
    ],
    ids=lambda value: value[0],
)
def test_refuses_what_cannot_be_done_with_a_failure(run, arguments, problem):
    ended = run("failures", *arguments)

    assert (ended.code, ended.out, ended.err) == (2, "", f"error: {problem}\n")


def test_explains_a_member(run, synced):
    linked, parked = (f"member:{number}" for number in synced)

    assert run("explain", linked).out.splitlines()[0] == (
        f"{linked}: In step: linked to the only Contact with its e-mail address."
    )
    answer = run("explain", parked, "--json").json
    assert answer["record"] == parked
    assert answer["failure"]["reason"] == "ambiguous_email"
    assert len(answer["failure"]["candidates"]) == 2


def test_refuses_to_explain_what_is_no_member(run):
    ended = run("explain", "thread:1")

    assert ended.code == 2
    assert ended.err == (
        "error: thread:1: give a record as member:41, with the member's id\n"
    )


def test_shows_and_changes_the_settings(run):
    before = run("settings", "--json").json
    changed = run("settings", "set", "create_new_contact", "on")

    assert before["create_new_contact"] is False
    assert (changed.code, changed.out) == (0, "create_new_contact = on\n")
    assert run("settings", "get", "create_new_contact").out == "on\n"
    assert run("settings", "get", "sync_interval_minutes", "--json").json == {
        "sync_interval_minutes": 60
    }
    assert run("settings", "--json").json == {**before, "create_new_contact": True}
    assert "create_new_contact" in run("settings").out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["get", "colour"], "colour: unknown; known are user_synchronization, "),
        (["set", "colour", "red"], "colour: unknown; known are user_synchronization, "),
        (["set", "breaker_percent", "0"], "breaker_percent: give a whole number from "),
        (["set", "link_contacts", "maybe"], "link_contacts: give on or off"),
    ],
    ids=lambda value: str(value[0]),
)
def test_refuses_settings_that_make_no_sense(run, arguments, problem):
    ended = run("settings", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {problem}")


def test_prints_no_personal_data(run, synced, community):
    assert synced
    community.register(login="eve", email="eve@secret.example", last_name="Evesdropper")
    run("sync", "members")

    told = "".join(
        ended.out + ended.err
        for ended in (
            run("status", "--json"),
            run("runs", "--json"),
            run("failures", "--json"),
            run("explain", f"member:{synced[1]}", "--json"),
        )
    )

    for private in ("@x.example", "secret.example", "Lovelace", "Evesdropper"):
        assert private not in told
