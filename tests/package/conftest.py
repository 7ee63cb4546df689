"""Copies of the package that a test may spoil, and an org to deploy to."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from worker.salesforce.package.archive import NAMESPACE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def spoiled(tmp_path) -> Callable[[str, str, str | None], Path]:
    """
    Return a copy of the package in which one element has another text, or is gone.

    The element is named by a path such as `m:type`; a path ending in `+m:name` adds
    an element. The copy's root is returned.
    """

    def spoil(file: str, path: str, text: str | None) -> Path:
        copy = tmp_path / "package"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("*.py", "__*"))
        changed = copy / "force-app/main/default" / file
        tree = etree.parse(changed)
        _edit(tree.getroot(), path, text)
        tree.write(changed, xml_declaration=True, encoding="UTF-8")
        return copy

    return spoil


def _edit(root: etree._Element, path: str, text: str | None) -> None:
    where, adds, added = path.rpartition("+")
    names = {"m": NAMESPACE}
    if adds:
        parent = root.find(where, names) if where else root
        element = etree.SubElement(parent, f"{{{NAMESPACE}}}{added[2:]}")
    else:
        element = root.find(path, names)
    if text is None:
        element.getparent().remove(element)
    else:
        element.text = text
