"""The tables of docs/sandbox.md say what the code does, no more and no less."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from worker.sandbox.aurora import AuroraSandbox, urls
from worker.sandbox.aurora.desk import Desk
from worker.sandbox.aurora.faults import KINDS
from worker.sandbox.aurora.switches import Switches

DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


@pytest.fixture(scope="module")
def section():
    text = DOCS.read_text(encoding="utf-8")
    return text.partition("\n## Aurora\n")[2].partition("\n## ")[0]


def rows(section, heading):
    """The cells of the first table with this heading, without quotes."""
    table = section.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
        for line in table.splitlines()[2:]
    ]


def test_the_table_of_paths_is_the_table_of_urls(section):
    sandbox = AuroraSandbox()
    desk = Desk(sandbox.community, sandbox.sessions)
    served = {
        (", ".join(url.methods), url.path)
        for url in (*urls.v2_urls(desk), *urls.v1_urls(desk))
    }

    written = [(row[0].strip("| "), row[1]) for row in rows(section, "method | path")]

    assert sorted(written) == sorted(served)


def test_the_table_of_switches_holds_every_switch_and_its_default(section):
    written = {
        row[0].strip("|` "): json.loads(row[1]) for row in rows(section, "switch")
    }

    assert written == Switches().as_dict()


def test_the_table_of_faults_holds_every_kind(section):
    written = [row[0].strip("|` ") for row in rows(section, "kind")]

    assert written == list(KINDS)


def test_the_table_of_control_calls_holds_every_route(section):
    written = set(re.findall(r"`(?:GET|POST|DELETE) (/_sandbox[a-z/]*)`", section))
    written |= set(re.findall(r"(?:also )?at `(/_sandbox[a-z/]*)`", section))

    assert written == {route.path for route in AuroraSandbox().app.control.routes}
