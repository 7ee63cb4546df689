"""Settings that point nowhere: no test here calls a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        home=tmp_path / "home",
        secret_key=Fernet.generate_key().decode(),
        aurora={
            "base_url": "http://127.0.0.1:1",
            "community": "demo",
            "auth": "session",
            "username": "admin",
            "password": "invented",
        },
        salesforce={
            "login_url": "http://127.0.0.1:1",
            "client_id": "invented",
            "client_secret": "invented",
        },
    )


@pytest.fixture
def log_lines():
    with capture_logs(processors=[merge_contextvars]) as entries:
        yield entries
