"""The small rules: ranges, backoff, budget, feature settings, mapping, errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import ranges
from worker.domain.backoff import wait_after
from worker.domain.budget import calls_left
from worker.domain.feature_settings import FeatureSettings
from worker.domain.mapping import (
    contact_last_name,
    contact_values,
    member_id_of,
    member_key,
)
from worker.domain.records import Stream, Usage
from worker.domain.report import Counts, Outcome
from worker.errors import RecordRejected


@given(
    st.integers(min_value=1, max_value=10**6),
    st.integers(min_value=0, max_value=10**6),
    st.integers(min_value=1, max_value=40),
)
def test_ranges_hold_every_id_once(low, width, parts):
    split = ranges.split(low, low + width, parts)

    assert [split[0].low, split[-1].high] == [low, low + width]
    assert all(a.high + 1 == b.low for a, b in pairwise(split))
    assert len(split) <= parts
    assert ranges.from_json(ranges.as_json(split)) == split


def test_no_ids_need_no_ranges():
    assert ranges.split(1, 0, 8) == []


def test_a_range_is_finished_once_its_last_id_is_done():
    part = ranges.IdRange(1, 10, 1)

    assert [part.done_to(9).finished, part.done_to(10).finished] == [False, True]
    assert part.done_to(9).done_to(3) == ranges.IdRange(1, 10, 10)


def test_refuses_ranges_it_did_not_write():
    with pytest.raises(ValueError, match="not a list"):
        ranges.from_json("1-10")


@pytest.mark.parametrize(
    ("attempts", "spread", "asked", "seconds"),
    [
        (1, 0.5, None, 30),
        (2, 0.5, None, 60),
        (1, 0.0, None, 22.5),
        (1, 1.0, None, 37.5),
        (50, 0.5, None, 3600),
        (1, 0.5, timedelta(minutes=5), 300),
    ],
)
def test_waits_longer_with_every_attempt(attempts, spread, asked, seconds):
    assert wait_after(attempts, spread, asked) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("usage", "percent", "left"),
    [
        (None, 80, None),
        (Usage(0, 15000), 80, 10200),
        (Usage(10000, 15000), 80, 200),
        (Usage(14000, 15000), 80, 0),
    ],
)
def test_leaves_the_rest_of_the_day_to_others(usage, percent, left):
    assert calls_left(usage, Stream.MEMBERS, percent) == left


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("create_new_contact", "on", True),
        ("create_new_contact", "Off", False),
        ("link_contacts", False, False),
        ("sync_interval_minutes", "15", 15),
        ("breaker_percent", 100, 100),
    ],
)
def test_takes_a_setting_as_a_shell_gives_it(key, value, stored):
    assert FeatureSettings().changed(key, value).as_dict()[key] == stored


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("sync_interval", 5, "sync_interval: unknown"),
        ("sync_interval_minutes", 0, "whole number from 1 to 10080"),
        ("sync_interval_minutes", "soon", "whole number from 1 to 10080"),
        ("sync_interval_minutes", True, "whole number from 1 to 10080"),
        ("sync_interval_minutes", 1.5, "whole number from 1 to 10080"),
        ("link_contacts", "perhaps", "link_contacts: give on or off"),
        ("link_contacts", 1, "link_contacts: give on or off"),
    ],
)
def test_refuses_a_setting_and_names_what_it_accepts(key, value, problem):
    with pytest.raises(ValueError, match=problem):
        FeatureSettings().changed(key, value)


def test_reads_settings_that_another_release_stored():
    stored = {"breaker_percent": 10, "federated_results": 100}

    assert FeatureSettings.from_mapping(stored) == FeatureSettings(breaker_percent=10)


@pytest.mark.parametrize(
    ("last_name", "shown"), [(None, "ada"), ("  ", "ada"), ("Lovelace", "Lovelace")]
)
def test_gives_a_contact_the_login_where_there_is_no_last_name(
    a_member, last_name, shown
):
    assert contact_last_name(a_member(last_name=last_name)) == shown


def test_keeps_what_a_contact_shows_as_text(a_member):
    seen_at = datetime(2026, 3, 1, tzinfo=UTC)
    member = a_member(rank="Größe", posts=3, last_visit_at=seen_at)

    kept = contact_values(member)

    assert kept == '["Größe", 3, null, null, "2026-03-01T00:00:00+00:00", null]'


def test_reads_the_member_id_back_from_its_key():
    assert member_id_of(member_key("a:b", 41)) == 41


def test_counts_go_on_where_an_earlier_slice_stopped():
    counts = Counts({"applied": 3})

    counts.add(Outcome.APPLIED, 2)

    assert counts.as_dict() == {
        "applied": 5,
        "unchanged": 0,
        "skipped": 0,
        "deferred": 0,
        "failed": 0,
    }


def test_an_error_names_what_helps_and_nothing_else():
    error = RecordRejected(
        "salesforce",
        "upsert",
        code="STRING_TOO_LONG",
        status=400,
        request_id="r-1",
        fields=("Rank__c",),
    )

    assert str(error) == (
        "salesforce upsert 400 STRING_TOO_LONG fields=Rank__c request=r-1"
    )
