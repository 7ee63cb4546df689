"""
What the platform demands of pages and permissions beyond its schema.
Each rule yields problems: the shipped package has none, a spoiled copy has the one
that it was spoiled by.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from worker.salesforce.package.archive import NAMESPACE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

M = f"{{{NAMESPACE}}}"
OBJECT = "Community_User__c"
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


def texts(root: etree._Element, path: str) -> list[str]:
    steps = "/".join(M + step for step in path.split("/"))
    return [one.text or "" for one in root.iterfind(f".//{steps}")]


def rule_list_views(package) -> Iterator[str]:
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


def _filter_problems(package, view: str, one: etree._Element) -> Iterator[str]:
    field = package.field(OBJECT, one.findtext(f"{M}field") or "")
    value = one.findtext(f"{M}value")
    if field is None:
        return
    if field.get("type") == "Checkbox" and value not in {"0", "1"}:
        yield f"{view}: a checkbox is filtered by 0 or 1"
    choices = texts(field.root, "value/fullName")
    if field.get("type") == "Picklist" and value not in choices:
        yield f"{view}: {field.name} has no value {value}"


def rule_layouts(package) -> Iterator[str]:
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


def _related_list_problems(package, name: str, root: etree._Element) -> Iterator[str]:
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


def rule_search_and_summary(package) -> Iterator[str]:
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


def rule_tabs(package) -> Iterator[str]:
    if list(package.tabs) != [OBJECT]:
        yield "a tab is named after its object"
    for name, root in package.sets.items():
        for tab in texts(root, "tabSettings/tab"):
            if tab not in package.tabs:
                yield f"{name}: no tab {tab}"


def rule_field_permissions(package) -> Iterator[str]:
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


def rule_object_permissions(package) -> Iterator[str]:
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
