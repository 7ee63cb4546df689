"""The members stream end to end, in one process: both sandboxes, real clients."""

from __future__ import annotations

from datetime import timedelta

import pytest

from worker.errors import AlreadyRunning


def later(org):
    """Let the org's clock run past what a run wrote: its stamps are whole seconds."""
    org.clock.advance(timedelta(seconds=2))


def test_writes_every_member_with_profile_and_metrics(community, users, sync):
    member_id = community.register(
        login="ada",
        email="ada@x.example",
        first_name="Ada",
        last_name="Lovelace",
        rank="Guru",
        posts=9,
    )

    report = sync()

    assert (report.state, report.counts["failed"]) == ("succeeded", 0)
    row = users()[member_id]
    shown = {
        name: row[name]
        for name in (
            "Community_User_Key__c",
            "Name",
            "First_Name__c",
            "Email__c",
            "Rank__c",
            "Metric_Posts__c",
            "Is_Deleted__c",
            "Contact__c",
            "Contact_Link__c",
        )
    }
    assert shown == {
        "Community_User_Key__c": f"demo:{member_id}",
        "Name": "ada",
        "First_Name__c": "Ada",
        "Email__c": "ada@x.example",
        "Rank__c": "Guru",
        "Metric_Posts__c": 9,
        "Is_Deleted__c": False,
        "Contact__c": None,
        "Contact_Link__c": "None",
    }


def test_writes_nothing_when_nothing_changed(community, org, sync):
    community.register(login="ada", email="ada@x.example")
    org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    sync()
    stamps = {row["Id"]: row["SystemModstamp"] for row in org.records("Contact")}

    again, full = sync(), sync(full=True)

    assert (again.counts["applied"], full.counts["applied"]) == (0, 0)
    assert full.counts["unchanged"] >= 1
    assert stamps == {r["Id"]: r["SystemModstamp"] for r in org.records("Contact")}


def test_links_the_only_contact_with_that_email(community, org, users, sync):
    contact_id = org.insert("Contact", LastName="Lovelace", Email="ADA@x.example")
    member_id = community.register(login="ada", email="ada@x.example", rank="Guru")

    sync()

    assert users()[member_id]["Contact__c"] == contact_id
    assert users()[member_id]["Contact_Link__c"] == "Linked"
    assert org.get("Contact", contact_id)["Community_Rank__c"] == "Guru"


def test_parks_a_member_whose_email_matches_two_contacts(
    community, org, users, services, sync
):
    first = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    second = org.insert("Contact", LastName="Byron", Email="ada@x.example")
    member_id = community.register(login="ada", email="ada@x.example")

    report = sync()

    [failure] = services.store.failures.open("demo")
    assert report.counts["failed"] == 1
    assert users()[member_id]["Contact_Link__c"] == "Ambiguous"
    assert (failure.record_key, failure.reason, set(failure.candidates)) == (
        f"member:{member_id}",
        "ambiguous_email",
        {first, second},
    )


def test_links_what_a_person_assigned_and_keeps_it(
    community, org, users, services, sync
):
    org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    chosen = org.insert("Contact", LastName="Byron", Email="ada@x.example")
    member_id = community.register(login="ada", email="ada@x.example")
    sync()
    [failure] = services.store.failures.open("demo")

    services.store.failures.assign(failure.id, chosen)
    sync()
    sync(full=True)

    assert users()[member_id]["Contact__c"] == chosen
    assert users()[member_id]["Contact_Link__c"] == "Assigned"
    assert services.store.failures.open("demo") == []


def test_creates_one_contact_for_members_who_share_an_email(
    community, org, users, change_settings, sync
):
    change_settings(create_new_contact=True)
    names = {"last_name": "Lovelace", "first_name": "Ada"}
    ids = [
        community.register(login="ada", email="ada@x.example", **names),
        community.register(login="ada2", email="Ada@x.example", **names),
    ]

    sync()
    sync(full=True)

    # Which of them is read first is up to the readers.
    [contact] = [c for c in org.records("Contact") if c["Email"]]
    creator = int(contact["Community_Member_Key__c"].removeprefix("demo:"))
    [other] = set(ids) - {creator}
    links = {n: (u["Contact__c"], u["Contact_Link__c"]) for n, u in users().items()}
    assert (contact["FirstName"], contact["LastName"]) == ("Ada", "Lovelace")
    assert links[creator] == (contact["Id"], "Created")
    assert links[other] == (contact["Id"], "Linked")


def test_uses_the_login_as_last_name_of_a_created_contact(
    community, org, change_settings, sync
):
    change_settings(create_new_contact=True)
    community.register(login="ada", email="ada@x.example", first_name=None)

    sync()

    assert [c["LastName"] for c in org.records("Contact") if c["Email"]] == ["ada"]


def test_sends_a_changed_member_again_in_a_delta(community, users, sync):
    member_id = community.register(login="ada", email="ada@x.example", rank="New")
    sync()
    community.change(member_id, rank="Guru")
    community.visit(member_id)

    report = sync()

    assert report.counts["applied"] == 1
    assert users()[member_id]["Rank__c"] == "Guru"


def test_finds_new_members_in_a_delta(community, users, sync):
    community.register(login="ada")
    sync()
    member_id = community.register(login="byron")

    sync()

    assert users()[member_id]["Community_ID__c"] == "byron"


def test_keeps_a_line_of_each_decision_in_the_members_timeline(
    community, services, sync
):
    community.register(login="ada")
    sync()
    member_id = community.register(login="byron")
    sync()
    community.change(member_id, rank="Guru")
    community.visit(member_id)
    sync()

    told = [e.what for e in services.store.events.of("demo", f"member:{member_id}")]

    assert told == ["member.update", "member.create"]


def test_sees_an_admins_edit_in_the_next_full_pass(community, users, sync):
    member_id = community.register(login="ada", rank="New")
    sync()
    community.change(member_id, rank="Guru")

    sync(full=True)

    assert users()[member_id]["Rank__c"] == "Guru"


@pytest.mark.parametrize("hard", [False, True])
def test_marks_a_member_who_left_and_keeps_the_record(community, users, sync, hard):
    member_id = community.register(login="ada", email="ada@x.example")
    community.register(login="byron")
    sync()
    community.delete(member_id, hard=hard)

    sync(full=True)
    again = sync(full=True)

    assert users()[member_id]["Is_Deleted__c"] is True
    assert again.counts["applied"] == 0


def test_parks_what_the_org_refuses_and_writes_the_rest(
    community, org, users, services, sync
):
    refused = community.register(login="refuse-me")
    taken = community.register(login="ada")
    org.faults.add(
        kind="reject_row",
        field="Community_ID__c",
        value="refuse-me",
        times=None,
    )

    report = sync()

    [failure] = services.store.failures.open("demo")
    assert taken in users()
    assert refused not in users()
    assert report.counts["failed"] == 1
    assert (failure.record_key, failure.reason, failure.fields) == (
        f"member:{refused}",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ("Community_ID__c",),
    )


def test_tries_a_parked_member_again_when_a_person_asks(
    community, org, users, services, sync
):
    member_id = community.register(login="refuse-me")
    org.faults.add(
        kind="reject_row",
        field="Community_ID__c",
        value="refuse-me",
        times=None,
    )
    sync()
    [failure] = services.store.failures.open("demo")
    waiting = sync(full=True)
    org.faults.clear()

    services.store.failures.retry([failure.id])
    sync()

    assert waiting.counts["deferred"] == 1
    assert member_id in users()
    assert services.store.failures.open("demo") == []


def test_an_ambiguous_member_tried_in_vain_waits_for_a_person_again(
    community, org, services, sync
):
    org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    org.insert("Contact", LastName="Byron", Email="ada@x.example")
    community.register(login="ada", email="ada@x.example")
    sync()
    [failure] = services.store.failures.open("demo")

    services.store.failures.retry([failure.id])
    sync()

    [again] = services.store.failures.open("demo")
    assert (again.id, again.attempts, again.next_try_at) == (failure.id, 2, None)


def test_a_refused_contact_heals_when_it_is_written_again(
    community, org, services, sync
):
    contact_id = org.insert("Contact", LastName="Refused", Email="ada@x.example")
    community.register(login="ada", email="ada@x.example", posts=3)
    org.faults.add(
        kind="reject_row", type="Contact", field="Community_Posts__c", value="3",
        times=None,
    )  # fmt: skip
    sync()
    [failure] = services.store.failures.open("demo")
    quiet = sync(full=True)
    org.faults.clear()

    services.store.failures.retry([failure.id])
    sync()

    assert failure.record_key == f"contact:{contact_id}"
    assert quiet.counts["failed"] == 0
    assert services.store.failures.open("demo") == []
    assert org.get("Contact", contact_id)["Community_Posts__c"] == 3


def test_slow_fields_of_a_locked_record_stay_on_the_waiting_list(
    community, org, services, users, sync
):
    member_id = community.register(login="ada", roles=["Helper"])
    services.settings.aurora.slow_fields = False
    sync()
    services.settings.aurora.slow_fields = True
    services.store.members.slow_again("demo", [member_id])
    org.faults.add(kind="row_lock", rows=1)

    locked = sync()
    waiting = services.store.members.slow_waiting("demo")
    sync()

    assert (locked.counts["failed"], waiting) == (0, 1)
    assert services.store.failures.open("demo") == []
    assert users()[member_id]["Roles__c"] == "Helper"
    assert services.store.members.slow_waiting("demo") == 0


def test_waits_for_locked_rows_and_goes_on_by_itself(
    community, org, users, services, sync
):
    member_id = community.register(login="ada")
    org.faults.add(kind="row_lock", rows=1, times=3)

    report = sync()

    [failure] = services.store.failures.open("demo")
    assert (report.state, report.counts["deferred"]) == ("succeeded", 1)
    assert failure.reason == "UNABLE_TO_LOCK_ROW"
    assert failure.next_try_at is not None
    services.store.failures.retry([failure.id])
    sync()
    assert member_id in users()


def test_links_a_member_when_its_contact_appears_later(community, org, users, sync):
    member_id = community.register(login="ada", email="ada@x.example")
    sync()
    later(org)
    contact_id = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")

    report = sync()

    assert report.counts["applied"] == 1
    assert users()[member_id]["Contact__c"] == contact_id


def test_follows_a_contact_that_was_merged(community, org, users, sync):
    loser = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    master = org.insert("Contact", LastName="King", Email="king@x.example")
    member_id = community.register(login="ada", email="ada@x.example", posts=3)
    sync()
    later(org)
    org.merge("Contact", master, loser)

    sync()
    sync(full=True)

    assert users()[member_id]["Contact__c"] == master
    assert org.get("Contact", master)["Community_Posts__c"] == 3


def test_unlinks_and_rematches_when_a_contact_is_deleted(community, org, users, sync):
    gone = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    member_id = community.register(login="ada", email="ada@x.example")
    sync()
    later(org)
    org.delete("Contact", gone)
    sync()
    unlinked = users()[member_id]
    later(org)
    there = org.insert("Contact", LastName="Byron", Email="ada@x.example")

    sync()

    assert (unlinked["Contact__c"], unlinked["Contact_Link__c"]) == (None, "None")
    assert users()[member_id]["Contact__c"] == there


def test_shows_the_most_recently_seen_member_on_a_shared_contact(community, org, sync):
    contact_id = org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    late = community.register(login="late", email="ada@x.example", posts=1)
    early = community.register(login="early", email="ada@x.example", posts=2)
    now = community.clock.now()
    community.visit(early, at=now - timedelta(days=2))
    community.visit(late, at=now - timedelta(days=1))
    sync()
    shown = [org.get("Contact", contact_id)["Community_Posts__c"]]
    community.visit(early)

    sync()

    shown.append(org.get("Contact", contact_id)["Community_Posts__c"])
    assert shown == [1, 2]


def test_stops_and_asks_before_a_landslide(community, users, sync):
    ids = [community.register(login=f"member-{n}") for n in range(40)]
    sync()
    for member_id in ids[:20]:
        community.delete(member_id, hard=True)

    stopped = sync(full=True)
    before = [row["Is_Deleted__c"] for row in users().values()]
    forced = sync(full=True, force=True)

    assert (stopped.state, "breaker_percent" in stopped.error) == ("stopped", True)
    assert True not in before
    assert forced.state == "succeeded"
    assert sum(row["Is_Deleted__c"] for row in users().values()) == 20


def test_a_pass_the_breaker_stopped_is_not_resumed_but_begun_anew(
    community, services, sync
):
    ids = [community.register(login=f"member-{n}") for n in range(60)]
    sync()
    for member_id in ids[:40]:
        community.delete(member_id, hard=True)
    asked = iter([False] * 6 + [True] * 1000)
    run = services.sync.request("members", full=True)
    services.sync.perform(run.id, stop=lambda: next(asked))
    halfway = services.store.streams.cursor("demo", "members")

    stopped = services.sync.perform(run.id)

    assert halfway["full"]["gone"]
    assert stopped.error_kind == "BreakerTripped"
    assert "full" not in services.store.streams.cursor("demo", "members")


def test_a_dry_run_tells_and_writes_nothing(community, org, services, sync):
    org.insert("Contact", LastName="Lovelace", Email="ada@x.example")
    member_id = community.register(login="ada", email="ada@x.example")

    report = sync(kind="dry_run")

    [sample] = [s for s in report.extra["samples"] if s["member"] == member_id]
    assert org.records("Community_User__c") == []
    assert services.store.members.count("demo") == {}
    assert report.counts["applied"] >= 1
    assert (sample["action"], sample["link"]) == ("adopt", "linked")


def test_names_the_missing_package_and_its_cure(services_for, settings, community):
    services = services_for(settings)
    community.register(login="ada")

    report = perform_members(services)

    assert report.state == "stopped"
    assert "aurora-sync salesforce deploy" in report.error
    assert "Community_User__c" in report.error


def test_stops_without_loss_at_what_it_does_not_understand(community, users, sync):
    community.register(login="ada")
    community.faults.add(kind="unknown_shape", times=None)
    stopped = sync()
    community.faults.clear()

    mended = sync()

    assert stopped.state == "stopped"
    assert "$" in stopped.error
    assert (mended.state, len(users())) == ("succeeded", len(community.members))


def perform_members(services, **asked):
    run = services.sync.request("members", trigger="cli", **asked)
    return services.sync.perform(run.id)


def test_writes_roles_and_rating_of_changed_members(community, users, sync):
    member_id = community.register(
        login="ada", roles=["Administrator", "Helper"], average_message_rating=3.25
    )

    sync()

    row = users()[member_id]
    assert row["Roles__c"] == "Administrator;Helper"
    assert row["Metric_Average_Message_Rating__c"] == 3.25


def test_a_second_request_is_answered_with_the_first_runs_id(services):
    first = services.sync.request("members")

    with pytest.raises(AlreadyRunning) as refused:
        services.sync.request("members")

    assert refused.value.run_id == first.id


def test_a_repeated_message_finds_the_work_done(services):
    run = services.sync.request("members")

    first, second = services.sync.perform(run.id), services.sync.perform(run.id)

    assert (first.state, second) == ("succeeded", None)


def test_hands_over_at_the_end_of_a_slice_and_resumes(community, users, services):
    for n in range(60):
        community.register(login=f"member-{n}")
    asked = iter([False] * 4 + [True] * 1000)
    run = services.sync.request("members")

    first = services.sync.perform(run.id, stop=lambda: next(asked))
    between = services.store.runs.get(run.id)
    second = services.sync.perform(run.id)

    assert (first, between.state) == (None, "queued")
    assert 0 < between.progress_done < len(community.members)
    assert second.state == "succeeded"
    assert len(users()) == len(community.members)
    assert second.counts["applied"] == len(community.members)
