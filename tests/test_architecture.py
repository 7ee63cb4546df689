"""The import rules of docs/architecture.md, and what domain may lean on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_keeps_the_layers_of_the_import_contracts():
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
    ]

    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "path", sorted((ROOT / "worker/domain").glob("*.py")), ids=lambda path: path.stem
)
def test_domain_leans_on_the_standard_library_alone(path):
    outside = {
        name
        for name in _imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith("worker.domain")
    }

    assert outside == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "models").glob("*.py")), ids=lambda path: path.stem
)
def test_models_know_sqlalchemy_and_the_domains_words_alone(path):
    allowed = ("sqlalchemy", "models", "worker.domain")

    outside = {
        name
        for name in _imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith(allowed)
    }

    assert outside == set()


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "migrations").rglob("*.py")),
    ids=lambda path: path.stem,
)
def test_migrations_lean_on_nothing_that_will_change(path):
    if path.name == "env.py":
        return

    outside = {n for n in _imports(path) if n.startswith(("models", "worker"))}

    assert outside == set()


def test_importing_any_module_reads_no_setting_and_opens_nothing():
    # A hollow environment and a blocked network: whatever works here does nothing.
    program = (
        "import socket, pkgutil, importlib, os\n"
        "def blocked(*a, **k): raise AssertionError('a socket at import')\n"
        "socket.socket.connect = blocked\n"
        "import worker\n"
        "for m in pkgutil.walk_packages(worker.__path__, 'worker.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
