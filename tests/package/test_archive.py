"""The archive: complete, the same bytes every time, and nothing left out in silence."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

import pytest
from lxml import etree

from worker.salesforce.package.archive import NAMESPACE, ROOT, build_zip

M = f"{{{NAMESPACE}}}"
SOURCE = ROOT / "force-app/main/default"
TYPES = {
    "compactLayout": "CompactLayout",
    "field": "CustomField",
    "layout": "Layout",
    "listView": "ListView",
    "object": "CustomObject",
    "permissionset": "PermissionSet",
    "tab": "CustomTab",
}


def opened(archive: bytes) -> dict[str, etree._Element]:
    held = zipfile.ZipFile(io.BytesIO(archive))
    return {name: etree.fromstring(held.read(name)) for name in held.namelist()}


def test_is_the_same_bytes_every_time():
    first, second = build_zip(), build_zip()

    assert first == second


def test_holds_the_files_of_the_other_form():
    archive = opened(build_zip())

    assert sorted(archive) == [
        "layouts/Community_User__c-Community User Layout.layout",
        "layouts/Contact-Community Member Layout.layout",
        "objects/Community_User__c.object",
        "objects/Contact.object",
        "package.xml",
        "permissionsets/Aurora_Sync.permissionset",
        "permissionsets/Aurora_Sync_Contact_Removal.permissionset",
        "permissionsets/Aurora_Sync_Reader.permissionset",
        "tabs/Community_User__c.tab",
    ]


def test_lists_every_component_of_the_source_in_its_manifest():
    expected: dict[str, list[str]] = {}
    for path in SOURCE.rglob("*-meta.xml"):
        name, _, kind = path.name.removesuffix("-meta.xml").rpartition(".")
        in_object = kind in {"compactLayout", "field", "listView"}
        owner = f"{path.parts[-3]}." if in_object else ""
        expected.setdefault(TYPES[kind], []).append(owner + name)

    manifest = opened(build_zip())["package.xml"]

    assert {
        one.findtext(f"{M}name"): [member.text for member in one.iter(f"{M}members")]
        for one in manifest.iter(f"{M}types")
    } == {kind: sorted(names) for kind, names in expected.items()}
    assert manifest.findtext(f"{M}version") == "62.0"


def test_carries_each_part_of_an_object_once_and_side_by_side():
    archive = opened(build_zip())

    order = [
        etree.QName(child).localname
        for child in archive["objects/Community_User__c.object"]
    ]

    # The org refuses elements of one name that others stand between.
    for part, count in (("fields", 31), ("listViews", 4), ("compactLayouts", 1)):
        first = order.index(part)
        assert order[first : first + count] == [part] * count
        assert order.count(part) == count


def test_sends_a_standard_object_with_our_fields_only():
    root = opened(build_zip())["objects/Contact.object"]

    assert {etree.QName(child).localname for child in root} == {"fields"}


@pytest.mark.parametrize(
    "stranger", ["triggers/Spy.trigger", "objects/Contact/recordTypes/X.xml"]
)
def test_refuses_a_source_that_it_cannot_place(spoiled, stranger):
    root = spoiled("tabs/Community_User__c.tab-meta.xml", "m:motif", "Custom1: Heart")
    path = root / "force-app/main/default" / stranger
    path.parent.mkdir()
    path.write_text("x", encoding="utf-8")

    with pytest.raises(ValueError, match=PurePosixPath(stranger).parts[-2]):
        build_zip(root)
