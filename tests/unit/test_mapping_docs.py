"""docs/mapping.md says what worker/domain/mapping.py does, field by field."""

from __future__ import annotations

import re
from pathlib import Path

from worker.domain import mapping

PAGE = Path(__file__).parents[2] / "docs" / "mapping.md"
ROW = re.compile(r"^\| `(\w+)` \| .+ \| (clip|null|park) \|$", re.MULTILINE)


def test_the_page_lists_every_field_with_its_policy_in_order():
    written = ROW.findall(PAGE.read_text(encoding="utf-8"))

    assert written == [
        (rule.field, rule.policy.value)
        for rules in (
            mapping.MEMBER_FIELDS,
            mapping.SLOW_FIELDS,
            mapping.CONTACT_FIELDS,
            mapping.NEW_CONTACT_FIELDS,
        )
        for rule in rules
    ]
