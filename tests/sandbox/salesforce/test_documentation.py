import re
from pathlib import Path

from worker.sandbox.salesforce.faults import KINDS
from worker.sandbox.salesforce.urls import URLS

DOCUMENT = Path(__file__).parents[3] / "docs" / "sandbox.md"
# Answered, but with nothing else than a fault that names the operation.
FAULTS_ONLY = "/services/Soap/c/"


def section():
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition("\n## Salesforce\n")[2].partition("\n## ")[0]


def test_lists_every_path_and_no_other():
    row = re.compile(r"^\| ([A-Z, ]+) \| `(/[^`]*)` \| (\w+) \|", re.MULTILINE)

    told = {
        (method, path): emulated != "no" or path.startswith(FAULTS_ONLY)
        for methods, path, emulated in row.findall(section())
        for method in methods.split(", ")
    }

    assert told == {(u.method, u.pattern): u.handler is not None for u in URLS}


def test_lists_every_fault():
    assert set(re.findall(r"^\| `(\w+)` \|", section(), re.MULTILINE)) == set(KINDS)
