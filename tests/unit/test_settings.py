"""Settings: every problem at once, no value repeated; the documents name them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel

from worker.domain.feature_settings import FeatureSettings
from worker.errors import ConfigurationError
from worker.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
GOOD = {
    "SYNC_SECRET_KEY": Fernet.generate_key().decode(),
    "SYNC_AURORA__BASE_URL": "https://community.example/sub/",
    "SYNC_AURORA__COMMUNITY": "demo",
    "SYNC_AURORA__AUTH": "session",
    "SYNC_AURORA__USERNAME": "admin",
    "SYNC_AURORA__PASSWORD": "s3cret-password",
    "SYNC_SALESFORCE__LOGIN_URL": "https://demo.my.salesforce.example",
    "SYNC_SALESFORCE__CLIENT_ID": "app",
    "SYNC_SALESFORCE__CLIENT_SECRET": "s3cret-app",
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Make the environment hold exactly what is given."""
    monkeypatch.chdir(tmp_path)

    def hold(**variables):
        for name in GOOD:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return hold


def variables(model=Settings, prefix="SYNC_"):
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += variables(kind, f"{prefix}{name.upper()}__")
        else:
            found.append(prefix + name.upper())
    return found


def test_reads_groups_from_the_environment(environment):
    environment(**GOOD)

    settings = load_settings()

    assert settings.aurora.base_url == "https://community.example/sub"
    assert settings.database.startswith("sqlite:///")


def test_names_every_problem_at_once(environment):
    environment()

    with pytest.raises(ConfigurationError) as refused:
        load_settings()

    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "SYNC_SECRET_KEY",
        "SYNC_AURORA__BASE_URL",
        "SYNC_AURORA__COMMUNITY",
        "SYNC_AURORA__CLIENT_ID",
        "SYNC_AURORA__CLIENT_SECRET",
        "SYNC_AURORA__REDIRECT_URI",
        "SYNC_SALESFORCE__LOGIN_URL",
        "SYNC_SALESFORCE__CLIENT_ID",
        "SYNC_SALESFORCE__CLIENT_SECRET",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"SYNC_SECRET_KEY": "short"}, "SYNC_SECRET_KEY: give Fernet keys"),
        ({"SYNC_SECRET_KEY": ""}, "SYNC_SECRET_KEY: give Fernet keys"),
        ({"SYNC_AURORA__BASE_URL": "community"}, "SYNC_AURORA__BASE_URL: give a full"),
        (
            {"SYNC_AURORA__BASE_URL": "http://community.example"},
            "SYNC_AURORA__BASE_URL: http:// is accepted on loopback only",
        ),
        (
            {"SYNC_AURORA__BASE_URL": "https://user:s3cret-ht@community.example"},
            "SYNC_AURORA__BASE_URL: keep user and password out",
        ),
        (
            {"SYNC_AURORA__PASSWORD": ""},
            "SYNC_AURORA__PASSWORD: must be set for auth=session",
        ),
        ({"SYNC_AURORA__AUTH": "magic"}, "SYNC_AURORA__AUTH: Input should be"),
        (
            {"SYNC_AURORA__AUTH": "oauth"},
            "SYNC_AURORA__CLIENT_ID: must be set for auth=oauth",
        ),
        (
            {"SYNC_SALESFORCE__AUTH": "jwt"},
            "SYNC_SALESFORCE__USERNAME: must be set for auth=jwt",
        ),
        ({"SYNC_SALESFORCE__API_VERSION": "62"}, "SYNC_SALESFORCE__API_VERSION: "),
        ({"SYNC_LEASE_TTL": "1"}, "SYNC_LEASE_TTL: "),
        ({"SYNC_AURORA__PAGE_SIZE": "1001"}, "SYNC_AURORA__PAGE_SIZE: "),
    ],
)
def test_names_a_wrong_setting_and_its_cure_without_its_value(
    environment, change, problem
):
    environment(**(GOOD | change))

    with pytest.raises(ConfigurationError) as refused:
        load_settings()

    assert str(refused.value).startswith(problem)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"]
)
def test_takes_plain_http_on_loopback(environment, url):
    environment(**(GOOD | {"SYNC_AURORA__BASE_URL": url}))

    assert load_settings().aurora.base_url == url


def test_shows_no_secret_when_printed(environment):
    environment(**GOOD)

    assert "s3cret" not in repr(load_settings())


@pytest.mark.parametrize("page", [".env.example", "docs/configuration.md"])
def test_the_documents_name_every_variable_and_no_other(page):
    text = (ROOT / page).read_text(encoding="utf-8")

    assert set(re.findall(r"SYNC_[A-Z_]+[A-Z]", text)) == set(variables())


def test_the_document_names_every_feature_setting_with_its_default():
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")

    written = dict(re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", text, re.MULTILINE))

    assert written == {
        name: {True: "on", False: "off"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
        for name, value in FeatureSettings().as_dict().items()
    }
