from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.sync import views

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
SHAPES = {
    "Status": views.StatusView,
    "Community": views.CommunityView,
    "Stream": views.StreamView,
    "Backlog": views.BacklogView,
    "Members": views.MembersView,
    "Usage": views.UsageView,
    "OrgUsage": views.OrgUsageView,
    "Spent": views.SpentView,
    "Run": views.RunView,
    "Progress": views.ProgressView,
    "Counts": views.CountsView,
    "Calls": views.CallsView,
    "Failure": views.FailureView,
    "Record": views.RecordView,
    "Link": views.LinkView,
    "Event": views.EventView,
}


@pytest.fixture
def database_url(sqlite_url):
    """Nothing here is about the database."""
    return sqlite_url


def test_documents_every_key_of_every_object():
    section = DOCS.read_text(encoding="utf-8").split("## Objects")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (`.*) \|$", section, re.MULTILINE)

    documented = {name: re.findall(r"`(\w+)`", keys) for name, keys in rows}

    assert documented == {
        name: list(view.model_fields) for name, view in SHAPES.items()
    }


def test_documents_every_call_of_the_endpoint():
    from worker.admin import api, health  # noqa: PLC0415 -- doorways apart, but here

    text = DOCS.read_text(encoding="utf-8").split("## Admin endpoint")[1]
    said = text.replace("RUN", "{run}").replace("ID", "{failure}")
    paths = [
        *(f"/api{route.path}" for route in api.router.routes),
        *(route.path for route in health.router.routes),
    ]

    missing = [
        path
        for path in paths
        if path.replace("{stream}", "members").replace("{key}", "member:41") not in said
        and f"/{path.rsplit('/', 1)[-1]}`" not in said
    ]

    assert missing == []
