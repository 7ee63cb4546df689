"""
Reads a zipped package in metadata format into components; knows no org.

Components inside an object's file (fields, list views, …) are components of their
own, as they are in the answer of a deploy.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lxml import etree

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
FOLDERS: dict[str, tuple[str, str]] = {
    "objects": (".object", "CustomObject"),
    "permissionsets": (".permissionset", "PermissionSet"),
    "layouts": (".layout", "Layout"),
    "applications": (".app", "CustomApplication"),
    "tabs": (".tab", "CustomTab"),
}
# Parts of an object's file, in the order in which they may lean on each other.
PARTS: dict[str, str] = {
    "fields": "CustomField",
    "compactLayouts": "CompactLayout",
    "listViews": "ListView",
}
IGNORED_PARTS = {
    "recordTypes": "RecordType",
    "validationRules": "ValidationRule",
    "webLinks": "WebLink",
    "fieldSets": "FieldSet",
    "businessProcesses": "BusinessProcess",
    "indexes": "Index",
}
_DESTRUCTIVE = ("destructiveChanges.xml", "destructiveChangesPre.xml")


class Problem(Exception):
    """What is wrong with a component, and in which line."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


@dataclass(slots=True)
class Component:
    """One component of a package; `problem` is set when it may not be deployed."""

    kind: str
    name: str
    file: str
    element: etree._Element | None
    problem: Problem | None = None
    deleting: bool = False
    created: bool = False
    changed: bool = False
    id: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.name

    def text(self, tag: str) -> str | None:
        """The text of a child element; None when it is absent or empty."""
        found = None if self.element is None else child(self.element, tag)
        return None if found is None else (found.text or "").strip() or None

    def flag(self, tag: str) -> bool:
        return (self.text(tag) or "").lower() == "true"

    def line(self, tag: str | None = None) -> int | None:
        if self.element is None:
            return None
        found = child(self.element, tag) if tag else self.element
        return line_of(self.element if found is None else found)

    def digest(self) -> str:
        """A fingerprint of the content; equal means the deploy changes nothing."""
        if self.element is None:
            return ""
        own = [
            etree.tostring(part, method="c14n", with_tail=False)
            for part in own_parts(self)
        ]
        return hashlib.sha256(
            b"".join(sorted(b"".join(p.split()) for p in own))
        ).hexdigest()


@dataclass(slots=True)
class Package:
    components: list[Component] = field(default_factory=list)


def line_of(element: etree._Element) -> int | None:
    # The stubs do not know the type of sourceline.
    line: object = element.sourceline
    return line if isinstance(line, int) else None


def local(element: etree._Element) -> str:
    return etree.QName(element).localname


def child(element: etree._Element, tag: str) -> etree._Element | None:
    return element.find(f"{{{NAMESPACE}}}{tag}")


def children(element: etree._Element, tag: str) -> list[etree._Element]:
    return element.findall(f"{{{NAMESPACE}}}{tag}")


def texts(element: etree._Element, tag: str) -> list[str]:
    return [(found.text or "").strip() for found in children(element, tag)]


def parse_xml(data: bytes) -> etree._Element:
    """Parse without entities and without the network."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(data, parser)


def own_parts(component: Component) -> list[etree._Element]:
    """The elements of a component that are no components themselves."""
    if component.element is None:
        return []
    return [
        part
        for part in component.element.iterchildren("{*}*")
        if component.kind != "CustomObject" or local(part) not in PARTS
    ]


def read(data: bytes) -> Package:
    """Read a zip; what cannot be read at all raises Problem."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        raise Problem("Invalid zip file") from None
    with archive:
        files = {
            info.filename: archive.read(info)
            for info in archive.infolist()
            if not info.is_dir()
        }
    root = next((n for n in files if PurePosixPath(n).name == "package.xml"), None)
    if root is None:
        raise Problem("No package.xml found")
    prefix = root.removesuffix("package.xml")
    package = Package()
    for name, content in files.items():
        if name.startswith(prefix):
            _read_file(package, name.removeprefix(prefix), content)
    _check_manifest(package, files[root])
    return package


def _read_file(package: Package, name: str, content: bytes) -> None:
    if name == "package.xml":
        return
    if name in _DESTRUCTIVE or name == "destructiveChangesPost.xml":
        package.components += _deletions(name, content)
        return
    folder, _, file = name.partition("/")
    if folder not in FOLDERS:
        kind = folder.removesuffix("s").capitalize()
        found = Component(kind, PurePosixPath(name).stem, name, None)
        found.problem = Problem(f"{folder} are not emulated by this sandbox")
        package.components.append(found)
        return
    suffix, kind = FOLDERS[folder]
    if not file.endswith(suffix):
        found = Component(kind, file, name, None)
        found.problem = Problem(f"File name must end in {suffix}: {file}")
        package.components.append(found)
        return
    _read_component(package, kind, file.removesuffix(suffix), name, content)


def _read_component(
    package: Package, kind: str, name: str, file: str, content: bytes
) -> None:
    made = Component(kind, name, file, None)
    package.components.append(made)
    try:
        made.element = parse_xml(content)
    except etree.XMLSyntaxError as error:
        made.problem = Problem(f"Error parsing file: {error.msg}", error.lineno)
        return
    if made.element.tag != f"{{{NAMESPACE}}}{kind}":
        made.problem = Problem(
            f"Error parsing file: Element {local(made.element)} invalid at this "
            f"location in type {kind}",
            1,
        )
        return
    if kind == "CustomObject":
        _read_parts(package, made)


def _read_parts(package: Package, of: Component) -> None:
    if of.element is None:
        return
    for part in of.element.iterchildren("{*}*"):
        kind = PARTS.get(local(part)) or IGNORED_PARTS.get(local(part))
        if kind is None:
            continue
        name = child(part, "fullName")
        short = "" if name is None else (name.text or "").strip()
        made = Component(kind, f"{of.name}.{short}", of.file, part)
        if not short:
            made.problem = Problem("Required field is missing: fullName", line_of(part))
        if local(part) in IGNORED_PARTS:
            made.problem = Problem(f"{kind} is not emulated by this sandbox")
        package.components.append(made)


def _deletions(file: str, content: bytes) -> list[Component]:
    return [
        Component(kind, name, file, None, deleting=True)
        for kind, name in _members(content)
    ]


def _members(manifest: bytes) -> list[tuple[str, str]]:
    try:
        root = parse_xml(manifest)
    except etree.XMLSyntaxError as error:
        raise Problem(f"Error parsing package.xml: {error.msg}", error.lineno) from None
    found = []
    for types in children(root, "types"):
        kinds = texts(types, "name")
        if not kinds:
            raise Problem("package.xml: types without a name", line_of(types))
        found += [(kinds[0], member) for member in texts(types, "members")]
    return found


def _check_manifest(package: Package, manifest: bytes) -> None:
    """Everything named must be there, and everything there must be named."""
    members = set(_members(manifest))
    there = {component.key for component in package.components}
    for kind, name in sorted(members):
        if name != "*" and (kind, name) not in there:
            missing = Component(kind, name, "package.xml", None)
            missing.problem = Problem(
                f"An object '{name}' of type {kind} was named in package.xml, but was "
                "not found in zipped directory"
            )
            package.components.append(missing)
    package.components = [
        c for c in package.components if not _is_mere_frame(c, members)
    ]
    for component in package.components:
        if not component.deleting and not _is_named(component, members):
            component.problem = component.problem or Problem(
                f"Not in package.xml: {component.kind} {component.name}"
            )


def _is_mere_frame(component: Component, members: set[tuple[str, str]]) -> bool:
    """An object's file may be there for the sake of its parts alone."""
    if component.kind != "CustomObject" or component.problem is not None:
        return False
    if component.key in members or ("CustomObject", "*") in members:
        return False
    owned = f"{component.name}."
    return any(k in PARTS.values() and n.startswith(owned) for k, n in members)


def _is_named(component: Component, members: set[tuple[str, str]]) -> bool:
    if component.problem is not None:
        return True
    if component.key in members or (component.kind, "*") in members:
        return True
    # Parts come with their object, if that one is named.
    owner = component.name.partition(".")[0]
    return component.kind in PARTS.values() and (
        ("CustomObject", owner) in members or ("CustomObject", "*") in members
    )
