"""
What the platform demands of objects and fields beyond its schema.
Each rule yields problems: the shipped package has none, a spoiled copy has the one
that it was spoiled by.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from worker.salesforce.package.archive import NAMESPACE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

M = f"{{{NAMESPACE}}}"
OBJECT = "Community_User__c"
EXTERNAL_ID_TYPES = {"AutoNumber", "Email", "Number", "Text"}


def rule_names(package) -> Iterator[str]:
    for field in package.fields:
        if field.get("fullName") != field.name:
            yield f"{field.full_name}: the file is named otherwise"
        base = field.name.removesuffix("__c")
        if len(base) > 40 or "__" in base or not field.name.endswith("__c"):
            yield f"{field.full_name}: not an API name"


def rule_labels(package) -> Iterator[str]:
    for field in package.fields:
        if not 0 < len(field.get("label")) <= 40:
            yield f"{field.full_name}: label of 1 to 40 characters"
        if not 0 < len(field.get("description")) <= 1000:
            yield f"{field.full_name}: description of 1 to 1000 characters"
        if not 0 < len(field.get("inlineHelpText")) <= 510:
            yield f"{field.full_name}: help of 1 to 510 characters"
    labels = [(field.owner, field.get("label")) for field in package.fields]
    for twice in {one for one in labels if labels.count(one) > 1}:
        yield f"{twice[0]}: two fields are called {twice[1]}"
    for name, root in (package.views | package.sets).items():
        if not 0 < len(root.findtext(f"{M}label") or "") <= 40:
            yield f"{name}: label of 1 to 40 characters"


def rule_sizes(package) -> Iterator[str]:
    for field in package.fields:
        kind, length = field.get("type"), field.number("length")
        if kind == "Text" and not 1 <= length <= 255:
            yield f"{field.full_name}: Text of 1 to 255 characters"
        if kind == "LongTextArea" and not 256 <= length <= 131_072:
            yield f"{field.full_name}: long text of 256 to 131072 characters"
        if kind == "LongTextArea" and field.number("visibleLines") < 2:
            yield f"{field.full_name}: long text shows at least 2 lines"
        if kind == "Number" and not 1 <= field.number("precision") <= 18:
            yield f"{field.full_name}: Number of 1 to 18 digits"
        if field.number("scale") > field.number("precision"):
            yield f"{field.full_name}: more decimals than digits"
        if kind not in {"Text", "LongTextArea"} and field.get("length"):
            yield f"{field.full_name}: {kind} takes no length"


def rule_keys(package) -> Iterator[str]:
    for field in package.fields:
        is_key = field.get("externalId") == "true"
        if is_key and field.get("type") not in EXTERNAL_ID_TYPES:
            yield f"{field.full_name}: {field.get('type')} cannot be an external id"
        if is_key and (field.get("unique") != "true" or not field.get("caseSensitive")):
            yield f"{field.full_name}: a key is unique and says how case counts"
    for owner in (OBJECT, "Contact"):
        keys = [f for f in package.fields if f.owner == owner and f.get("externalId")]
        if len(keys) > 5:
            yield f"{owner}: leave the org's own external ids some room"


def rule_lookups(package) -> Iterator[str]:
    for field in package.fields:
        if field.get("type") != "Lookup":
            continue
        relationship = field.get("relationshipName")
        if not relationship.replace("_", "").isalnum() or "__" in relationship:
            yield f"{field.full_name}: relationshipName is missing or no name"
        if not field.get("referenceTo"):
            yield f"{field.full_name}: referenceTo is missing"
        if (
            field.get("deleteConstraint") == "SetNull"
            and field.get("required") == "true"
        ):
            yield f"{field.full_name}: a required lookup cannot be emptied"


def rule_checkboxes(package) -> Iterator[str]:
    for field in package.fields:
        if field.get("type") == "Checkbox" and not field.get("defaultValue"):
            yield f"{field.full_name}: a checkbox needs a default"
        if field.get("type") in {"Checkbox", "LongTextArea"} and field.get("required"):
            yield f"{field.full_name}: {field.get('type')} cannot be required"


def rule_object_switches(package) -> Iterator[str]:
    switches = ("enableBulkApi", "enableSharing", "enableStreamingApi")
    if len({package.object.findtext(M + one) for one in switches}) > 1:
        yield "bulk, sharing and streaming are switched together"
    tracked = [field for field in package.fields if field.get("trackHistory") == "true"]
    if package.object.findtext(f"{M}enableHistory") != "true" and tracked:
        yield "fields are tracked on an object without history"
    for field in tracked:
        # The org may not track Contacts at all, and would refuse the field.
        if field.owner == "Contact":
            yield f"{field.full_name}: tracking Contacts is the org's own choice"
    if len(tracked) > 20:
        yield "at most 20 fields of an object can be tracked"


RULES = {
    name.removeprefix("rule_"): rule
    for name, rule in list(globals().items())
    if name.startswith("rule_") and inspect.isfunction(rule)
}

FIELDS = f"objects/{OBJECT}/fields"
RANK = f"{FIELDS}/Rank__c.field-meta.xml"
POSTS = f"{FIELDS}/Metric_Posts__c.field-meta.xml"
KEY = f"{FIELDS}/Community_User_Key__c.field-meta.xml"
ROLES = f"{FIELDS}/Roles__c.field-meta.xml"
LOOKUP = f"{FIELDS}/Contact__c.field-meta.xml"
DELETED = f"{FIELDS}/Is_Deleted__c.field-meta.xml"
CONTACT_RANK = "objects/Contact/fields/Community_Rank__c.field-meta.xml"
OBJECT_FILE = f"objects/{OBJECT}/{OBJECT}.object-meta.xml"
VIEW = f"objects/{OBJECT}/listViews/Unlinked.listView-meta.xml"


SPOILED = [
    ("names", RANK, "m:fullName", "Ranks__c"),
    ("labels", RANK, "m:label", None),
    ("labels", RANK, "m:label", "The rank of the member in the community, by name"),
    ("labels", RANK, "m:label", "Roles"),
    ("labels", RANK, "m:description", None),
    ("labels", RANK, "m:inlineHelpText", "x" * 511),
    ("labels", VIEW, "m:label", "x" * 41),
    ("sizes", RANK, "m:length", "256"),
    ("sizes", ROLES, "m:length", "255"),
    ("sizes", ROLES, "m:visibleLines", "1"),
    ("sizes", POSTS, "m:precision", "19"),
    ("sizes", POSTS, "m:scale", "19"),
    ("sizes", POSTS, "+m:length", "18"),
    ("keys", KEY, "m:type", "Url"),
    ("keys", KEY, "m:unique", "false"),
    ("keys", KEY, "m:caseSensitive", None),
    ("lookups", LOOKUP, "m:relationshipName", None),
    ("lookups", LOOKUP, "m:relationshipName", "Community Users"),
    ("lookups", LOOKUP, "m:referenceTo", None),
    ("lookups", LOOKUP, "m:required", "true"),
    ("checkboxes", DELETED, "m:defaultValue", None),
    ("checkboxes", ROLES, "+m:required", "false"),
    ("object_switches", OBJECT_FILE, "m:enableSharing", "false"),
    ("object_switches", OBJECT_FILE, "m:enableHistory", "false"),
    ("object_switches", CONTACT_RANK, "+m:trackHistory", "true"),
]


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_platforms_rules(read, rule):
    package = read(ROOT)

    problems = list(RULES[rule](package))

    assert problems == []


@pytest.mark.parametrize(("rule", "file", "path", "text"), SPOILED)
def test_a_broken_rule_is_noticed(read, spoiled, rule, file, path, text):
    package = read(spoiled(file, path, text))

    problems = list(RULES[rule](package))

    assert problems != []


def test_every_rule_has_a_case_that_breaks_it():
    broken = {rule for rule, *_ in SPOILED}

    assert broken == set(RULES)
