"""Every metadata file against the vendor's own schema, offline."""

from __future__ import annotations

import io
import zipfile
from copy import deepcopy
from importlib.resources import files

import pytest
from lxml import etree

from worker.salesforce.package.archive import NAMESPACE, ROOT, build_zip

XSD = "http://www.w3.org/2001/XMLSchema"
PREFIXES = {"xsd": XSD}
SOURCE = ROOT / "force-app/main/default"
ROOTS = (
    "CompactLayout",
    "CustomField",
    "CustomObject",
    "CustomTab",
    "Layout",
    "ListView",
    "Package",
    "PermissionSet",
)


class MetadataSchema:
    """The schema in the Metadata WSDL that ships with simple-salesforce."""

    def __init__(self) -> None:
        wsdl = files("simple_salesforce").joinpath("metadata.wsdl").read_bytes()
        schemas = etree.fromstring(wsdl).iter(f"{{{XSD}}}schema")
        found = next(one for one in schemas if one.get("targetNamespace") == NAMESPACE)
        # The WSDL declares the prefix outside of the schema, and no global elements.
        self._schema = etree.Element(
            found.tag, dict(found.attrib), nsmap={"xsd": XSD, "tns": NAMESPACE}
        )
        self._schema.extend(deepcopy(child) for child in found)
        for name in ROOTS:
            etree.SubElement(
                self._schema, f"{{{XSD}}}element", name=name, type=f"tns:{name}"
            )
        self._types = {
            one.get("name"): one
            for one in self._schema.findall("xsd:complexType", PREFIXES)
        }
        self._compiled = etree.XMLSchema(self._schema)

    def problems(self, root: etree._Element) -> list[str]:
        ordered = self._ordered(root, etree.QName(root).localname)
        # The checker numbers lines of what it parsed, not of what was moved about.
        ordered = etree.fromstring(etree.tostring(ordered))
        self._compiled.validate(ordered)
        return [one.message for one in self._compiled.error_log]

    def _ordered(self, element: etree._Element, kind: str) -> etree._Element:
        """Return a copy with children in the schema's order: files need not keep it."""
        known = self._children(kind)
        places = {name: place for place, name in enumerate(known)}
        copy = etree.Element(element.tag, dict(element.attrib))
        copy.text = element.text
        elements = [child for child in element if isinstance(child.tag, str)]
        for child in sorted(
            elements, key=lambda one: places.get(etree.QName(one).localname, len(known))
        ):
            copy.append(
                self._ordered(child, known.get(etree.QName(child).localname, ""))
            )
        return copy

    def _children(self, kind: str) -> dict[str, str]:
        """Return the names of a type's elements, in order, with their types."""
        found = self._types.get(kind)
        if found is None:
            return {}
        extension = found.find(".//xsd:extension", PREFIXES)
        known: dict[str, str] = {}
        if extension is not None:
            known |= self._children(extension.get("base").removeprefix("tns:"))
        for one in found.iterfind(".//xsd:element", PREFIXES):
            known[one.get("name")] = one.get("type").removeprefix("tns:")
        return known


@pytest.fixture(scope="module")
def schema() -> MetadataSchema:
    return MetadataSchema()


@pytest.mark.parametrize(
    "path",
    sorted(SOURCE.rglob("*-meta.xml")),
    ids=lambda path: path.name.removesuffix("-meta.xml"),
)
def test_every_source_file_follows_the_vendors_schema(schema, path):
    root = etree.parse(path).getroot()

    assert schema.problems(root) == []


def test_every_file_of_the_archive_follows_the_vendors_schema(schema):
    archive = zipfile.ZipFile(io.BytesIO(build_zip()))

    problems = {
        name: schema.problems(etree.fromstring(archive.read(name)))
        for name in archive.namelist()
    }

    assert problems == {name: [] for name in archive.namelist()}


FIELD = "objects/Community_User__c/fields/Rank__c.field-meta.xml"
LAYOUT = "layouts/Community_User__c-Community User Layout.layout-meta.xml"
READER = "permissionsets/Aurora_Sync_Reader.permissionset-meta.xml"
VIEW = "objects/Community_User__c/listViews/All.listView-meta.xml"


@pytest.mark.parametrize(
    ("file", "path", "text", "told"),
    [
        (FIELD, "+m:colour", "red", "colour"),
        (FIELD, "m:type", "Varchar", "Varchar"),
        (FIELD, "m:length", "long", "long"),
        (FIELD, "m:required", "perhaps", "perhaps"),
        (LAYOUT, "m:layoutSections/m:style", "ThreeColumns", "ThreeColumns"),
        (READER, "m:label", None, "label"),
        (READER, "m:fieldPermissions/m:editable", None, "editable"),
        (READER, "m:tabSettings/m:visibility", "Seen", "Seen"),
        (VIEW, "m:filterScope", None, "filterScope"),
        (VIEW, "m:label", None, "label"),
    ],
)
def test_names_what_breaks_the_schema(schema, spoiled, file, path, text, told):
    copy = spoiled(file, path, text)

    root = etree.parse(copy / "force-app/main/default" / file).getroot()
    problems = schema.problems(root)

    assert len(problems) >= 1
    assert told in problems[0]
