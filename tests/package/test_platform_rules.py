"""
What the platform demands beyond its schema. Each rule is a generator of problems;
the shipped package yields none, and a spoiled copy yields the one it was spoiled by.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, NamedTuple

import pytest
from lxml import etree

from worker.salesforce.package.archive import NAMESPACE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

M = f"{{{NAMESPACE}}}"
OBJECT = "Community_User__c"
EXTERNAL_ID_TYPES = {"AutoNumber", "Email", "Number", "Text"}
# Columns and layout items that every custom object has.
STANDARD_COLUMNS = {"NAME", "LAST_UPDATE", "UPDATEDBY_USER", "CREATED_DATE"}
STANDARD_ITEMS = {
    "Community_User__c": {"Name", "OwnerId", "CreatedById", "LastModifiedById"},
    "Contact": {
        "AccountId",
        "CreatedById",
        "Department",
        "Description",
        "Email",
        "LastModifiedById",
        "LeadSource",
        "MailingAddress",
        "MobilePhone",
        "Name",
        "OtherAddress",
        "OwnerId",
        "Phone",
        "ReportsToId",
        "Title",
    },
}
# Standard fields whose visibility is a permission; names of people's parts are not.
PERMISSIONABLE = {"Contact.Email"}
ACTIVITIES = {
    "RelatedActivityList",
    "RelatedEntityHistoryList",
    "RelatedHistoryList",
}


class Field(NamedTuple):
    """A custom field: whose, its file's name, its elements."""

    owner: str
    name: str
    root: etree._Element

    def get(self, element: str) -> str:
        return self.root.findtext(M + element) or ""

    def number(self, element: str) -> int:
        return int(self.get(element) or 0)

    @property
    def full_name(self) -> str:
        return f"{self.owner}.{self.name}"


class Package:
    """The parsed source, by kind and name."""

    def __init__(self, root: Path) -> None:
        self._source = root / "force-app/main/default"
        self.object = self._root(f"objects/{OBJECT}/{OBJECT}.object-meta.xml")
        self.fields = [
            Field(path.parts[-3], path.name.removesuffix(".field-meta.xml"), root)
            for path, root in self._all("objects/*/fields/*")
        ]
        self.views = self._by_name(f"objects/{OBJECT}/listViews/*")
        self.compact = self._by_name(f"objects/{OBJECT}/compactLayouts/*")
        self.layouts = self._by_name("layouts/*")
        self.sets = self._by_name("permissionsets/*")
        self.tabs = self._by_name("tabs/*")

    def names(self, owner: str) -> set[str]:
        return {field.name for field in self.fields if field.owner == owner}

    def field(self, owner: str, name: str) -> Field | None:
        known = (one for one in self.fields if (one.owner, one.name) == (owner, name))
        return next(known, None)

    def _root(self, path: str) -> etree._Element:
        return etree.parse(self._source / path).getroot()

    def _all(self, pattern: str) -> Iterator[tuple[Path, etree._Element]]:
        for path in sorted(self._source.glob(pattern)):
            yield path, etree.parse(path).getroot()

    def _by_name(self, pattern: str) -> dict[str, etree._Element]:
        return {
            path.name.removesuffix("-meta.xml").rpartition(".")[0]: root
            for path, root in self._all(pattern)
        }


def texts(root: etree._Element, path: str) -> list[str]:
    steps = "/".join(M + step for step in path.split("/"))
    return [one.text or "" for one in root.iterfind(f".//{steps}")]


def rule_names(package: Package) -> Iterator[str]:
    for field in package.fields:
        if field.get("fullName") != field.name:
            yield f"{field.full_name}: the file is named otherwise"
        base = field.name.removesuffix("__c")
        if len(base) > 40 or "__" in base or not field.name.endswith("__c"):
            yield f"{field.full_name}: not an API name"


def rule_labels(package: Package) -> Iterator[str]:
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


def rule_sizes(package: Package) -> Iterator[str]:
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


def rule_keys(package: Package) -> Iterator[str]:
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


def rule_lookups(package: Package) -> Iterator[str]:
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


def rule_checkboxes(package: Package) -> Iterator[str]:
    for field in package.fields:
        if field.get("type") == "Checkbox" and not field.get("defaultValue"):
            yield f"{field.full_name}: a checkbox needs a default"
        if field.get("type") in {"Checkbox", "LongTextArea"} and field.get("required"):
            yield f"{field.full_name}: {field.get('type')} cannot be required"


def rule_object_switches(package: Package) -> Iterator[str]:
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


def rule_list_views(package: Package) -> Iterator[str]:
    known = package.names(OBJECT) | STANDARD_COLUMNS
    for name, root in package.views.items():
        columns = texts(root, "columns")
        if len(columns) > 15:
            yield f"{name}: more than 15 columns"
        for column in [*columns, *texts(root, "filters/field")]:
            if column not in known:
                yield f"{name}: no field {column}"
        for one in root.iterfind(f"{M}filters"):
            yield from _filter_problems(package, name, one)


def _filter_problems(package: Package, view: str, one: etree._Element) -> Iterator[str]:
    field = package.field(OBJECT, one.findtext(f"{M}field") or "")
    value = one.findtext(f"{M}value")
    if field is None:
        return
    if field.get("type") == "Checkbox" and value not in {"0", "1"}:
        yield f"{view}: a checkbox is filtered by 0 or 1"
    choices = texts(field.root, "value/fullName")
    if field.get("type") == "Picklist" and value not in choices:
        yield f"{view}: {field.name} has no value {value}"


def rule_layouts(package: Package) -> Iterator[str]:
    for name, root in package.layouts.items():
        owner = name.partition("-")[0]
        known = package.names(owner) | STANDARD_ITEMS[owner]
        shown = texts(root, "layoutItems/field")
        for field in shown:
            if field not in known:
                yield f"{name}: no field {field}"
        for field in {one for one in shown if shown.count(one) > 1}:
            yield f"{name}: {field} is shown twice"
        for field in package.names(owner) - set(shown):
            yield f"{name}: {field} is not shown"
        if "Name" not in shown:
            yield f"{name}: the required field Name is not shown"
        yield from _section_problems(name, root)
        yield from _related_list_problems(package, name, root)


def _section_problems(name: str, root: etree._Element) -> Iterator[str]:
    for section in root.iterfind(f"{M}layoutSections"):
        columns = len(section.findall(f"{M}layoutColumns"))
        style = section.findtext(f"{M}style")
        if columns != (1 if style == "OneColumn" else 2):
            yield f"{name}: {columns} columns in a section of style {style}"
    for item in root.iter(f"{M}layoutItems"):
        required = item.findtext(f"{M}behavior") == "Required"
        if required != (item.findtext(f"{M}field") == "Name"):
            yield f"{name}: {item.findtext(f'{M}field')} must not be asked for"


def _related_list_problems(
    package: Package, name: str, root: etree._Element
) -> Iterator[str]:
    for related in root.iterfind(f"{M}relatedLists"):
        title = related.findtext(f"{M}relatedList") or ""
        if title in ACTIVITIES:
            continue
        owner, _, lookup = title.partition(".")
        field = package.field(owner, lookup)
        if field is None or field.get("referenceTo") != name.partition("-")[0]:
            yield f"{name}: {title} does not lead here"
        for column in [*texts(related, "fields"), *texts(related, "sortField")]:
            if column not in package.names(owner) | STANDARD_COLUMNS:
                yield f"{name}: no field {column} in {title}"


def rule_search_and_summary(package: Package) -> Iterator[str]:
    known = package.names(OBJECT) | {"Name"}
    searched = package.object.find(f"{M}searchLayouts")
    listed = [one.text for one in searched] if searched is not None else []
    shown = [one for root in package.compact.values() for one in texts(root, "fields")]
    for field in {*listed, *shown} - known:
        yield f"search or summary: no field {field}"
    for name in shown:
        field = package.field(OBJECT, name)
        if field and field.get("type") == "LongTextArea":
            yield f"summary: {name} is long text"
    if package.object.findtext(f"{M}compactLayoutAssignment") not in package.compact:
        yield "summary: the assigned compact layout is missing"


def rule_tabs(package: Package) -> Iterator[str]:
    if list(package.tabs) != [OBJECT]:
        yield "a tab is named after its object"
    for name, root in package.sets.items():
        for tab in texts(root, "tabSettings/tab"):
            if tab not in package.tabs:
                yield f"{name}: no tab {tab}"


def rule_field_permissions(package: Package) -> Iterator[str]:
    required = {f.full_name for f in package.fields if f.get("required") == "true"}
    grantable = {f.full_name for f in package.fields} - required
    for name, root in package.sets.items():
        granted = texts(root, "fieldPermissions/field")
        for field in granted:
            if field not in grantable | PERMISSIONABLE:
                yield f"{name}: {field} cannot be granted"
        if name == "Aurora_Sync_Contact_Removal":
            continue
        for field in sorted(grantable - set(granted)):
            yield f"{name}: {field} is not granted"
        may_edit = name == "Aurora_Sync"
        for one in root.iterfind(f"{M}fieldPermissions"):
            rights = (one.findtext(f"{M}readable"), one.findtext(f"{M}editable"))
            if rights != ("true", str(may_edit).lower()):
                yield f"{name}: {one.findtext(f'{M}field')} has other rights"


# A right on an object and the rights that it needs.
NEEDS = {
    "allowCreate": ("allowRead",),
    "allowEdit": ("allowRead",),
    "allowDelete": ("allowRead", "allowEdit"),
    "viewAllRecords": ("allowRead",),
    "modifyAllRecords": ("allowRead", "allowEdit", "allowDelete", "viewAllRecords"),
}


def rule_object_permissions(package: Package) -> Iterator[str]:
    for name, root in package.sets.items():
        rights = {
            one.findtext(f"{M}object"): {
                etree.QName(child).localname for child in one if child.text == "true"
            }
            for one in root.iterfind(f"{M}objectPermissions")
        }
        for owner, held in rights.items():
            for right in held & NEEDS.keys():
                for needed in set(NEEDS[right]) - held:
                    yield f"{name}: {right} on {owner} needs {needed}"
        # A Contact may be controlled by its Account: its rights need the parent's.
        for right in {"allowRead", "viewAllRecords"} & rights.get("Contact", set()):
            if right not in rights.get("Account", set()):
                yield f"{name}: {right} on Contact needs {right} on Account"
        yield from _missing_objects(name, root, set(rights))


def _missing_objects(name: str, root: etree._Element, held: set[str]) -> Iterator[str]:
    fields = texts(root, "fieldPermissions/field")
    for owner in {field.partition(".")[0] for field in fields} - held:
        yield f"{name}: fields of {owner} are granted, {owner} is not"


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
SUMMARY = f"objects/{OBJECT}/compactLayouts/Member_Summary.compactLayout-meta.xml"
VIEW = f"objects/{OBJECT}/listViews/Unlinked.listView-meta.xml"
DELETED_VIEW = f"objects/{OBJECT}/listViews/Deleted.listView-meta.xml"
LAYOUT = "layouts/Community_User__c-Community User Layout.layout-meta.xml"
CONTACT_LAYOUT = "layouts/Contact-Community Member Layout.layout-meta.xml"
SYNC = "permissionsets/Aurora_Sync.permissionset-meta.xml"
READER = "permissionsets/Aurora_Sync_Reader.permissionset-meta.xml"
REMOVAL = "permissionsets/Aurora_Sync_Contact_Removal.permissionset-meta.xml"
FIRST_ITEM = "m:layoutSections/m:layoutColumns/m:layoutItems"

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
    ("list_views", VIEW, "m:columns", "Nickname__c"),
    ("list_views", VIEW, "m:filters/m:field", "Nickname__c"),
    ("list_views", VIEW, "m:filters/m:value", "Nobody"),
    ("list_views", DELETED_VIEW, "m:filters/m:value", "True"),
    ("layouts", LAYOUT, f"{FIRST_ITEM}/m:field", "Nickname__c"),
    ("layouts", LAYOUT, f"{FIRST_ITEM}/m:field", "Rank__c"),
    ("layouts", LAYOUT, FIRST_ITEM, None),
    ("layouts", LAYOUT, f"{FIRST_ITEM}/m:behavior", "Edit"),
    ("layouts", LAYOUT, "m:layoutSections/m:style", "OneColumn"),
    ("layouts", CONTACT_LAYOUT, "m:relatedLists/m:fields", "Nickname__c"),
    ("layouts", CONTACT_LAYOUT, "m:relatedLists/m:relatedList", f"{OBJECT}.Rank__c"),
    ("search_and_summary", OBJECT_FILE, "m:searchLayouts+m:x", "Nickname__c"),
    ("search_and_summary", OBJECT_FILE, "m:compactLayoutAssignment", "Other"),
    ("search_and_summary", SUMMARY, "m:fields", "Roles__c"),
    ("tabs", READER, "m:tabSettings/m:tab", "Community__c"),
    ("field_permissions", RANK, "m:required", "true"),
    ("field_permissions", SYNC, "m:fieldPermissions", None),
    ("field_permissions", SYNC, "m:fieldPermissions/m:editable", "false"),
    ("field_permissions", READER, "m:fieldPermissions/m:editable", "true"),
    ("field_permissions", READER, "m:fieldPermissions/m:field", "Contact.LastName"),
    ("object_permissions", SYNC, "m:objectPermissions", None),
    ("object_permissions", READER, "m:objectPermissions/m:allowRead", "false"),
    ("object_permissions", REMOVAL, "m:objectPermissions[2]/m:allowEdit", "false"),
    ("object_permissions", SYNC, "m:objectPermissions[2]/m:allowDelete", "false"),
]


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_platforms_rules(rule):
    package = Package(ROOT)

    problems = list(RULES[rule](package))

    assert problems == []


@pytest.mark.parametrize(("rule", "file", "path", "text"), SPOILED)
def test_a_broken_rule_is_noticed(spoiled, rule, file, path, text):
    package = Package(spoiled(file, path, text))

    problems = list(RULES[rule](package))

    assert problems != []


def test_every_rule_has_a_case_that_breaks_it():
    broken = {rule for rule, *_ in SPOILED}

    assert broken == set(RULES)
