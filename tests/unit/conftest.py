"""Builders of domain records: only what matters to a test is named in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.domain.mapping import (
    CONTACT_FIELDS,
    MEMBER_FIELDS,
    NEW_CONTACT_FIELDS,
    SLOW_FIELDS,
)
from worker.domain.records import DescribedField, DescribedObject, Member

WHOLE = DescribedField(
    name="",
    type="string",
    length=255,
    precision=0,
    scale=0,
    nillable=True,
    createable=True,
    updateable=True,
    unique=False,
    external_id=False,
    restricted_picklist=False,
    picklist=(),
)


@pytest.fixture
def a_member():
    def build(**values):
        usual = dict.fromkeys(Member._fields) | {
            "member_id": 41,
            "login": "ada",
            "deleted": False,
            "banned": False,
            "custom": (),
            "last_visit_at": datetime(2026, 3, 1, 9, 22, tzinfo=UTC),
        }
        return Member(**(usual | values))

    return build


@pytest.fixture
def a_field():
    def build(name="Field__c", **values):
        return WHOLE._replace(name=name, **values)

    return build


@pytest.fixture
def an_object(a_field):
    """Describe an object with all fields of ours; overrides by field name."""

    def build(name="Community_User__c", **overrides):
        rules = (*MEMBER_FIELDS, *SLOW_FIELDS, *CONTACT_FIELDS, *NEW_CONTACT_FIELDS)
        fields = {rule.field: a_field(rule.field) for rule in rules}
        fields |= overrides
        return DescribedObject(
            name,
            createable=True,
            updateable=True,
            deletable=True,
            queryable=True,
            fields=fields,
        )

    return build
