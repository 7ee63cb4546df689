"""
Encrypts what is stored of tokens, and turns e-mails into keys that can be compared
but not read. Knows keys; knows no tables.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from worker.errors import ConfigurationError

_WRONG_KEY = (
    "SYNC_SECRET_KEY: does not open what is stored in the database; "
    "give the key that was used, as one more after the newest"
)


class SecretBox:
    """
    Encrypts with the first of `keys` and decrypts with any of them (newest first).

    E-mail keys are derived from the *last* key, so that putting a new key in front
    changes none of them. Dropping the oldest key changes them all: the next full
    pass then matches every member again.
    """

    def __init__(self, keys: list[bytes]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                ["SYNC_SECRET_KEY: give Fernet keys separated by commas"]
            ) from None
        derive = HKDF(SHA256(), length=32, salt=None, info=b"aurora-sync e-mail keys")
        self._email_secret = derive.derive(urlsafe_b64decode(keys[-1]))

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, sealed: bytes) -> str:
        """Raise ConfigurationError when no key fits."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise ConfigurationError([_WRONG_KEY]) from None

    def rotate(self, sealed: bytes) -> bytes:
        """Return the same secret under the newest key; ConfigurationError as above."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise ConfigurationError([_WRONG_KEY]) from None

    def email_key(self, email: str) -> bytes:
        """
        Return 16 bytes that are equal for equal addresses and tell nothing else.

        Addresses are compared as Salesforce compares them: case and outer spaces do
        not count. Nothing cleverer, for `a+b@` and `a@` may be two people.
        """
        address = email.strip().casefold().encode("utf-8", "surrogatepass")
        return hmac.digest(self._email_secret, address, "sha256")[:16]
