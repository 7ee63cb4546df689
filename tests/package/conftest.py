"""Copies of the package that a test may spoil, and an org to deploy to."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import pytest
from lxml import etree

from worker import http
from worker.salesforce.connection import Connection
from worker.salesforce.package.archive import NAMESPACE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

M = f"{{{NAMESPACE}}}"


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
        self.object = self._root(
            "objects/Community_User__c/Community_User__c.object-meta.xml"
        )
        self.fields = [
            Field(path.parts[-3], path.name.removesuffix(".field-meta.xml"), root)
            for path, root in self._all("objects/*/fields/*")
        ]
        self.views = self._by_name("objects/Community_User__c/listViews/*")
        self.compact = self._by_name("objects/Community_User__c/compactLayouts/*")
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


@pytest.fixture
def read() -> Callable[[Path], Package]:
    """Read the package below a folder."""
    return Package


class ScriptedOrg(BaseHTTPRequestHandler):
    """Gives the answers it was told, in order; the last one again and again."""

    protocol_version = "HTTP/1.1"
    script: ClassVar[list[tuple[int, object]]]
    asked: ClassVar[list[tuple[str, str, str, bytes]]]

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        token = self.headers.get("Authorization", "")
        self.asked.append((self.command, self.path, token, sent))
        status, told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 -- the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def scripted():
    """An org whose answers the test writes, for what no sandbox would say by itself."""
    handler = type("Scripted", (ScriptedOrg,), {"script": [], "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    handler.connection = Connection(
        f"http://127.0.0.1:{server.server_port}", "00Dxx!session", "62.0"
    )
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def session():
    limit = timedelta(seconds=10)
    with http.session(connect_timeout=limit, read_timeout=limit) as made:
        yield made
