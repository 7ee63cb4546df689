"""Fixtures of all tests: migrated, empty databases, SQLite and PostgreSQL in turn."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

import models
from tests.databases import (
    NoPostgresql,
    postgresql_server,
    run,
    scratch_database,
)
from worker.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request):
    """The URL of a migrated, empty database; the test runs once on each kind."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def sqlite_url(migrated_file, tmp_path):
    shutil.copy(migrated_file, tmp_path / "state.db")
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def postgresql_url(migrated_database):
    tables = [table.name for table in models.Base.metadata.sorted_tables]
    marks = ", ".join("{}" for _ in tables)
    run(migrated_database, f"TRUNCATE {marks} RESTART IDENTITY CASCADE", *tables)
    return migrated_database


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """A file to copy: 20 times as fast as migrating one for each test."""
    path = tmp_path_factory.mktemp("databases") / "migrated.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.upgrade()
    return path


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL server; tests that need it are skipped without one."""
    try:
        with postgresql_server() as url:
            yield url
    except NoPostgresql as missing:
        pytest.skip(str(missing))


@pytest.fixture
def empty_database(postgresql):
    with scratch_database(postgresql) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(postgresql):
    with scratch_database(postgresql) as url:
        with closing(Database(url)) as database:
            database.upgrade()
        yield url
