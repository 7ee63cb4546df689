from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from worker.errors import ConfigurationError
from worker.secrets import SecretBox


def test_opens_what_an_older_key_sealed():
    old, new = Fernet.generate_key(), Fernet.generate_key()
    sealed = SecretBox([old]).encrypt("a-token")

    opened = SecretBox([new, old]).decrypt(sealed)

    assert opened == "a-token"


def test_puts_a_secret_under_the_newest_key():
    old, new = Fernet.generate_key(), Fernet.generate_key()
    sealed = SecretBox([old]).encrypt("a-token")

    renewed = SecretBox([new, old]).rotate(sealed)

    assert SecretBox([new]).decrypt(renewed) == "a-token"


@pytest.mark.parametrize("act", ["decrypt", "rotate"])
def test_names_the_setting_when_no_key_fits(act):
    sealed = SecretBox([Fernet.generate_key()]).encrypt("a-token")
    box = SecretBox([Fernet.generate_key()])

    with pytest.raises(ConfigurationError, match="SYNC_SECRET_KEY") as refused:
        getattr(box, act)(sealed)

    assert "a-token" not in str(refused.value)


def test_refuses_a_key_that_is_none():
    with pytest.raises(ConfigurationError, match="SYNC_SECRET_KEY"):
        SecretBox([b"short"])


def test_gives_addresses_that_differ_in_case_and_spaces_one_key():
    box = SecretBox([Fernet.generate_key()])

    keys = {box.email_key(text) for text in ("Ada@x.example", " ada@X.example\n")}

    assert [len(key) for key in keys] == [16]


def test_keeps_addresses_apart_that_mail_servers_may_keep_apart():
    box = SecretBox([Fernet.generate_key()])

    assert box.email_key("a.b@x.example") != box.email_key("ab@x.example")
    assert box.email_key("a+b@x.example") != box.email_key("a@x.example")


def test_keeps_email_keys_when_a_newer_secret_key_is_put_in_front():
    old, new = Fernet.generate_key(), Fernet.generate_key()

    before = SecretBox([old]).email_key("ada@x.example")
    after = SecretBox([new, old]).email_key("ada@x.example")

    assert before == after


def test_email_keys_cannot_be_worked_out_without_the_secret_key():
    one, other = SecretBox([Fernet.generate_key()]), SecretBox([Fernet.generate_key()])

    assert one.email_key("ada@x.example") != other.email_key("ada@x.example")


def test_takes_an_address_that_is_no_valid_text():
    box = SecretBox([Fernet.generate_key()])

    assert len(box.email_key("\ud800@x.example")) == 16
