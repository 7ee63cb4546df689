from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.fitting import (
    Fitting,
    Missing,
    RowBuilder,
    Unfit,
    clip,
    fingerprint,
    looks_like_email,
    missing_fields,
    utf16_length,
)
from worker.domain.mapping import FieldRule, Policy

LATE = datetime(2026, 3, 1, 9, 22, 0, 925000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "policy", "value", "fitted"),
    [
        ({}, Policy.CLIP, None, None),
        ({}, Policy.CLIP, "", None),
        ({"length": 5}, Policy.CLIP, "Guru", "Guru"),
        ({"length": 5}, Policy.CLIP, "Gurus", "Gurus"),
        ({"length": 5}, Policy.CLIP, "Gurus!", "Guru…"),
        ({"length": 5}, Policy.NULL, "Gurus!", None),
        # Four 4-byte characters are eight UTF-16 units: two and the ellipsis fit.
        ({"length": 5}, Policy.CLIP, "🦉🦉🦉🦉", "🦉🦉…"),
        ({}, Policy.CLIP, "line\nline\ttab\x00\x07", "line\nline\ttab"),
        ({}, Policy.CLIP, 7, "7"),
        ({"type": "boolean"}, Policy.PARK, True, True),
        ({"type": "datetime"}, Policy.NULL, LATE, "2026-03-01T09:22:00.925Z"),
        ({"type": "datetime"}, Policy.NULL, LATE.replace(year=1066), None),
        ({"type": "double", "precision": 18}, Policy.NULL, 10**17, 10**17),
        ({"type": "double", "precision": 18}, Policy.NULL, 10**18, None),
        ({"type": "double", "precision": 5}, Policy.NULL, -99999, -99999),
        ({"type": "double", "precision": 6, "scale": 2}, Policy.NULL, 1.005, 1.0),
        ({"type": "double", "precision": 6, "scale": 2}, Policy.NULL, 10000.0, None),
        ({"type": "email", "length": 80}, Policy.NULL, " a@x.example ", "a@x.example"),
        ({"type": "email", "length": 80}, Policy.NULL, "no at sign", None),
        ({"type": "email", "length": 80}, Policy.NULL, "zoë@x.example", None),
    ],
)
def test_fits_a_value_by_the_fields_description_and_policy(
    a_field, an_object, field, policy, value, fitted
):
    fitting = Fitting(an_object(Field__c=a_field(**field)))
    fit = fitting.fitter(FieldRule("Field__c", "any", policy))

    assert fit(value) == fitted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"length": 3}, "too long"),
        ({"type": "double", "precision": 3}, 1000),
        ({"type": "email"}, "nobody"),
        ({"type": "datetime"}, "yesterday"),
    ],
)
def test_parks_a_record_whose_indispensable_value_does_not_fit(
    a_field, an_object, field, value
):
    fitting = Fitting(an_object(Field__c=a_field(**field)))
    fit = fitting.fitter(FieldRule("Field__c", "any", Policy.PARK))

    with pytest.raises(Unfit, match="Field__c"):
        fit(value)


def test_counts_what_it_cut_and_what_it_left_out(a_field, an_object):
    described = an_object(
        Short__c=a_field("Short__c", length=3), Url__c=a_field("Url__c", length=3)
    )
    fitting = Fitting(described)

    fitting.fitter(FieldRule("Short__c", "any", Policy.CLIP))("longer")
    fitting.fitter(FieldRule("Url__c", "any", Policy.NULL))("longer")
    fitting.fitter(FieldRule("Url__c", "any", Policy.NULL))("ok")

    assert fitting.changed == {"Short__c": 1, "Url__c": 1}


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_clipped_text_always_fits_and_is_whole_characters(text, limit):
    clipped = clip(text, limit)

    assert utf16_length(clipped) <= limit
    assert text.startswith(clipped[:-1])


@pytest.mark.parametrize(
    ("text", "is_email"),
    [
        ("a@x.example", True),
        ("o'brien+tag@mail.x.example", True),
        ("a.b@x.example", True),
        ("a..b@x.example", False),
        (".a@x.example", False),
        ("a@x", False),
        ("a@-x.example", False),
        ("a b@x.example", False),
        ("a@x.example\n", False),
        (f"{'a' * 80}@x.example", False),
    ],
)
def test_tells_an_address_the_org_takes(text, is_email):
    assert looks_like_email(text) is is_email


def test_names_every_field_that_cannot_be_written(a_field, an_object):
    described = an_object(Email__c=a_field(createable=False, updateable=False))
    described.fields.pop("Rank__c")

    missing = missing_fields(described, "Community_User__c", ["Rank__c", "Email__c"])

    assert missing == [
        Missing("Community_User__c", "Rank__c", "not there or not visible"),
        Missing("Community_User__c", "Email__c", "not writable for this user"),
    ]


def test_names_an_object_that_is_not_there():
    missing = missing_fields(None, "Community_User__c", ["Rank__c"])

    assert missing == [
        Missing("Community_User__c", "", "the object is not there or not visible")
    ]


def test_builds_a_row_in_the_order_of_the_rules(a_member, an_object):
    rules = (
        FieldRule("Community_User_Key__c", "=key", Policy.PARK),
        FieldRule("Rank__c", "rank", Policy.CLIP),
    )
    builder = RowBuilder(
        rules, Fitting(an_object()), {"=key": lambda m: f"demo:{m.member_id}"}
    )

    row = builder.row(a_member(member_id=7, rank="Guru"))

    assert (builder.columns, row) == (
        ("Community_User_Key__c", "Rank__c"),
        ["demo:7", "Guru"],
    )


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.booleans())))
def test_equal_rows_and_only_those_have_equal_fingerprints(row):
    other = [*row, "one more"]

    assert fingerprint(row) == fingerprint(list(row))
    assert fingerprint(row) != fingerprint(other)
