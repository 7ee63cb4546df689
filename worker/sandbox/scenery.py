"""
What a crm knows of a community's members before anything was synced: Contacts for a
share of the e-mails, a few of them twice. The same seed gives the same Contacts.
"""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Protocol

from worker.sandbox.aurora.generator import Identity, identities
from worker.sandbox.aurora.names import COMPANIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ONE_CONTACT = 0.55
TWO_CONTACTS = 0.03
# Contacts of people who are in no community at all, per member.
STRANGERS = 0.02

# What an org's e-mail field takes, more strictly than a community's form does.
_ACCEPTED = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}"
)
_EMAIL_LENGTH = 80
_FIRST_NAME_LENGTH = 40
_LAST_NAME_LENGTH = 80


class Org(Protocol):
    def insert(self, type_name: str, **fields: object) -> str: ...
    def insert_many(self, type_name: str, rows: Iterable[dict[str, object]]) -> int: ...


def furnish(org: Org, *, seed: int, members: int) -> int:
    """Put Accounts and Contacts into the org, as its own people would; count them."""
    accounts = [org.insert("Account", Name=name) for name in COMPANIES]
    return org.insert_many("Contact", contacts(seed, members, accounts))


def contacts(
    seed: int, members: int, accounts: Sequence[str]
) -> Iterator[dict[str, object]]:
    draws = Random(f"contacts:{seed}")  # noqa: S311 -- invented people, no secrets
    met: set[str] = set()
    for number, identity in enumerate(identities(seed, members)):
        chance = draws.random()
        account = accounts[draws.randrange(len(accounts))] if accounts else None
        email = identity.email or ""
        if chance < ONE_CONTACT + TWO_CONTACTS and _is_new(email, met):
            yield _contact(identity, _spelled(email, draws), account)
            if chance < TWO_CONTACTS:
                yield _contact(identity, email, None)
        if draws.random() < STRANGERS:
            yield {"LastName": "Stranger", "Email": f"stranger.{number}@away.example"}


def _is_new(email: str, met: set[str]) -> bool:
    """Members that share an e-mail share its Contact, so that "one" means one."""
    key = email.casefold()
    if key in met or len(email) > _EMAIL_LENGTH or not _ACCEPTED.fullmatch(email):
        return False
    met.add(key)
    return True


def _spelled(email: str, draws: Random) -> str:
    # Agents type addresses as they hear them; letter case means nothing to the org.
    return email.title() if draws.random() < 0.05 else email


def _contact(identity: Identity, email: str, account: str | None) -> dict[str, object]:
    row: dict[str, object] = {
        "LastName": _cut(identity.last_name or identity.login, _LAST_NAME_LENGTH),
        "Email": email,
    }
    if identity.first_name:
        row["FirstName"] = _cut(identity.first_name, _FIRST_NAME_LENGTH)
    if account:
        row["AccountId"] = account
    return row


def _cut(text: str, length: int) -> str:
    """An org counts in UTF-16: a letter beyond the first plane takes two."""
    kept = text.encode("utf-16-le")[: 2 * length]
    return kept.decode("utf-16-le", errors="ignore").rstrip()
