"""
Turns the SFDX source beside this file into the archive that the Metadata API takes.
Knows the two layouts of the same metadata; knows nothing of calls and orgs.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from lxml import etree

ROOT = Path(__file__).parent
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_SUFFIX = "-meta.xml"
# The oldest instant that the zip format can hold: a build date would change the bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)

# Folders that hold whole files: folder → metadata type.
_WHOLE = {
    "layouts": "Layout",
    "permissionsets": "PermissionSet",
    "tabs": "CustomTab",
}


class _Part(NamedTuple):
    """A folder below an object: element in the object's file, and metadata type."""

    folder: str
    element: str
    kind: str


_PARTS = (
    _Part("compactLayouts", "compactLayouts", "CompactLayout"),
    _Part("fields", "fields", "CustomField"),
    _Part("listViews", "listViews", "ListView"),
)

Manifest = dict[str, list[str]]


def build_zip(root: Path = ROOT) -> bytes:
    """
    Return the package in mdapi form: the same bytes for the same source, anywhere.

    Raises ValueError where the source holds what this module cannot place, so that
    nothing is left out in silence.
    """
    source = root / "force-app/main/default"
    manifest: Manifest = defaultdict(list)
    files = _objects(source, manifest) | _whole_files(source, manifest)
    files["package.xml"] = _package_xml(manifest, _api_version(root))
    return _zipped(files)


def _objects(source: Path, manifest: Manifest) -> dict[str, bytes]:
    return {
        f"objects/{folder.name}.object": _object_file(folder, manifest)
        for folder in sorted((source / "objects").iterdir())
    }


def _object_file(folder: Path, manifest: Manifest) -> bytes:
    own = folder / f"{folder.name}.object{_SUFFIX}"
    root = _empty("CustomObject")
    if own.exists():
        # A standard object brings none: it must not be listed as ours, or the org
        # would take the file for the whole of it.
        root = _parsed(own)
        manifest["CustomObject"].append(folder.name)
    for part in _PARTS:
        for path in sorted((folder / part.folder).glob(f"*{_SUFFIX}")):
            root.append(_renamed(_parsed(path), part.element))
            manifest[part.kind].append(f"{folder.name}.{_component_name(path)}")
    _refuse_strangers(folder, {own.name, *(part.folder for part in _PARTS)})
    return _serialised(root)


def _whole_files(source: Path, manifest: Manifest) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for folder, kind in _WHOLE.items():
        for path in sorted((source / folder).glob(f"*{_SUFFIX}")):
            files[f"{folder}/{path.name.removesuffix(_SUFFIX)}"] = _serialised(
                _parsed(path)
            )
            manifest[kind].append(_component_name(path))
    _refuse_strangers(source, {"objects", *_WHOLE})
    return files


def _refuse_strangers(folder: Path, known: set[str]) -> None:
    strangers = sorted({path.name for path in folder.iterdir()} - known)
    if strangers:
        raise ValueError(f"no place in the archive for {', '.join(strangers)}")


def _component_name(path: Path) -> str:
    # "Rank__c.field-meta.xml" is Rank__c; a layout's name may hold dots and spaces.
    return path.name.removesuffix(_SUFFIX).rpartition(".")[0]


def _renamed(element: etree._Element, name: str) -> etree._Element:
    element.tag = f"{{{NAMESPACE}}}{name}"
    return element


def _package_xml(manifest: Manifest, api_version: str) -> bytes:
    root = _empty("Package")
    for kind in sorted(manifest):
        types = etree.SubElement(root, f"{{{NAMESPACE}}}types")
        for member in sorted(manifest[kind]):
            etree.SubElement(types, f"{{{NAMESPACE}}}members").text = member
        etree.SubElement(types, f"{{{NAMESPACE}}}name").text = kind
    etree.SubElement(root, f"{{{NAMESPACE}}}version").text = api_version
    return _serialised(root)


def _api_version(root: Path) -> str:
    project = json.loads((root / "sfdx-project.json").read_text(encoding="utf-8"))
    return str(project["sourceApiVersion"])


def _empty(name: str) -> etree._Element:
    return etree.fromstring(f'<{name} xmlns="{NAMESPACE}"/>')


def _parsed(path: Path) -> etree._Element:
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False)
    return etree.parse(path, parser).getroot()


def _serialised(root: etree._Element) -> bytes:
    etree.indent(root, "    ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _zipped(files: dict[str, bytes]) -> bytes:
    """Return a stored archive: compressed bytes would depend on the zlib at hand."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # unix, whatever this machine is
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return held.getvalue()
