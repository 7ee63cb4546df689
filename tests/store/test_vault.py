from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

import models
from worker.domain.records import Side
from worker.domain.tokens import Token
from worker.errors import ConfigurationError, RemoteUnavailable, TokenRefused
from worker.secrets import SecretBox
from worker.store import Store

FIRST = Token(
    "access-1",
    refresh="refresh-1",
    expires_at=datetime(2026, 1, 1, tzinfo=UTC),
    instance_url="https://org.example",
    subject="005",
)


@pytest.fixture
def vault(store):
    return store.vault("demo", Side.AURORA)


def test_holds_nothing_before_the_first_login(vault):
    assert vault.load() is None


def test_keeps_the_first_token_whole(vault):
    given = vault.renew(None, lambda _: FIRST)

    assert given == FIRST._replace(generation=1)
    assert vault.load() == given


def test_renews_what_the_caller_has_seen(vault):
    vault.renew(None, lambda _: FIRST)
    seen = []

    def obtain(known):
        seen.append(known)
        return Token("access-2", refresh="refresh-2")

    renewed = vault.renew(1, obtain)

    assert seen == [FIRST._replace(generation=1)]
    assert renewed == Token("access-2", refresh="refresh-2", generation=2)


def test_gives_a_newer_token_without_asking_for_one(vault):
    vault.renew(None, lambda _: FIRST)

    assert vault.renew(None, refuse).generation == 1
    assert vault.renew(0, refuse).generation == 1


def refuse(_known):
    raise TokenRefused(service="aurora", operation="token")


def test_a_failed_renewal_changes_nothing_and_frees_the_way(vault):
    vault.renew(None, lambda _: FIRST)

    def fail(_known):
        raise RemoteUnavailable(service="aurora", operation="token")

    with pytest.raises(RemoteUnavailable):
        vault.renew(1, fail)

    assert vault.load().generation == 1
    assert vault.renew(1, lambda _: Token("access-2")).generation == 2


def test_tries_the_refresh_token_before_once_when_the_newest_is_refused(vault):
    vault.renew(None, lambda _: FIRST)
    vault.renew(1, lambda _: Token("access-2", refresh="refresh-2"))
    tried = []

    def obtain(known):
        tried.append(known.refresh)
        if known.refresh == "refresh-2":
            refuse(known)
        return Token("access-3", refresh="refresh-3")

    renewed = vault.renew(2, obtain)

    assert tried == ["refresh-2", "refresh-1"]
    assert renewed.generation == 3


def test_gives_up_when_both_refresh_tokens_are_refused(vault):
    vault.renew(None, lambda _: FIRST)
    vault.renew(1, lambda _: Token("access-2", refresh="refresh-2"))

    with pytest.raises(TokenRefused):
        vault.renew(2, refuse)

    assert vault.load().access == "access-2"


def test_forgets_a_withdrawn_token(vault):
    vault.renew(None, lambda _: FIRST)

    vault.forget()

    assert vault.load() is None
    assert vault.renew(None, lambda _: FIRST).generation == 2


def test_keeps_the_two_remotes_apart(store, vault):
    vault.renew(None, lambda _: FIRST)

    assert store.vault("demo", Side.SALESFORCE).load() is None


def test_stores_no_token_in_the_clear(database, vault):
    vault.renew(None, lambda _: FIRST)

    with database.read() as connection:
        [row] = connection.execute(select(models.Credential.__table__))

    assert b"access-1" not in row.access
    assert b"refresh-1" not in row.refresh


def test_names_the_setting_when_the_key_is_wrong(database, vault):
    vault.renew(None, lambda _: FIRST)
    other = Store(database, SecretBox([Fernet.generate_key()]))

    with pytest.raises(ConfigurationError, match="SYNC_SECRET_KEY"):
        other.vault("demo", Side.AURORA).load()


def test_puts_all_tokens_under_the_newest_key(database):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    before = Store(database, SecretBox([old]))
    before.communities.ensure("demo", "https://demo.example", "demo", "")
    before.vault("demo", Side.AURORA).renew(None, lambda _: FIRST)

    rotated = Store(database, SecretBox([new, old])).rotate_secrets()

    after = Store(database, SecretBox([new]))
    assert rotated == 1
    assert after.vault("demo", Side.AURORA).load().access == "access-1"


def test_threads_wait_for_one_renewal(store):
    asked, given = [], []

    def obtain(known):
        asked.append(known)
        return FIRST

    def renew():
        given.append(store.vault("demo", Side.AURORA).renew(None, obtain).generation)

    threads = [threading.Thread(target=renew) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (asked, given) == ([None], [1] * 8)
