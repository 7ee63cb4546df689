from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, select, text, type_coerce
from sqlalchemy.exc import DBAPIError

import models
from models.base import Instant
from worker import database as module
from worker.database import Database
from worker.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://x.example/state", "no url at all"],
)
def test_refuses_a_database_it_cannot_use(url):
    with pytest.raises(ConfigurationError, match="SYNC_DATABASE_URL"):
        Database(url)


def test_never_repeats_a_password_of_the_url():
    with pytest.raises(ConfigurationError) as refused:
        Database("mysql://sync:a-password@x.example/state")

    assert "a-password" not in str(refused.value)


def test_refuses_a_sqlite_without_returning(monkeypatch, tmp_path):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

    with pytest.raises(ConfigurationError, match=r"3\.35 is needed"):
        Database(f"sqlite:///{tmp_path}/state.db")


def test_reader_cannot_write(database):
    with pytest.raises(DBAPIError), database.read() as connection:
        connection.execute(text("DELETE FROM members"))


def test_nothing_stays_of_a_block_that_raises(database, store):
    class Interrupted(Exception): ...

    def write():
        with database.write() as connection:
            connection.execute(text("UPDATE communities SET tenant = 'other'"))
            raise Interrupted

    with pytest.raises(Interrupted):
        write()

    assert store.communities.get("demo").tenant == "demo"


def test_reader_goes_on_while_another_writes(database, store):
    with database.write() as writing:
        writing.execute(text("UPDATE communities SET tenant = 'other'"))

        seen = store.communities.get("demo").tenant

    assert seen == "demo"


def test_clock_of_the_database_is_the_present(database):
    moment = type_coerce(database.now(timedelta(hours=1)), Instant())

    with database.read() as connection:
        told = connection.execute(select(moment)).scalar_one()

    assert abs(told - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)


def test_refuses_an_instant_without_time_zone(store):
    with pytest.raises(Exception, match="time zone"):
        store.streams.set_due("demo", "members", datetime(2026, 1, 1))


def test_clock_can_be_set_for_tests(database_url):
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    with closing(Database(database_url, now=lambda: moment)) as database:
        later = type_coerce(database.now(timedelta(seconds=1)), Instant())
        with database.read() as connection:
            told = connection.execute(select(later)).scalar_one()

    assert told == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_migrations_build_every_table(database):
    with database.read() as connection:
        names = set(inspect(connection).get_table_names())

    assert names == {*models.Base.metadata.tables, "alembic_version"}


def test_makes_the_folder_of_its_file(tmp_path):
    with closing(Database(f"sqlite:///{tmp_path}/new/folder/state.db")) as database:
        database.upgrade()

    assert (tmp_path / "new/folder/state.db").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_may_upgrade_at_once(kind, processes, request, tmp_path):
    url = f"sqlite:///{tmp_path}/state.db"
    if kind == "postgresql":
        url = request.getfixturevalue("empty_database")

    done = processes(upgrade, url)

    assert done == [len(models.Base.metadata.tables) + 1] * 8


def upgrade(_number, url):
    with closing(Database(url)) as database:
        database.upgrade()
        with database.read() as connection:
            return len(inspect(connection).get_table_names())


def test_statistics_follow_the_growth_of_a_table(database):
    database.grew("members", module._FIRST_ANALYZE)
    grown = dict(database._growth)
    database.shrank("members")

    assert grown == {"members": (0, 2 * module._FIRST_ANALYZE)}
    assert database._growth == {}
