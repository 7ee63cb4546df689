"""What a person may do about a parked record: try again, give up, choose a Contact."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.domain.state import FailureState

if TYPE_CHECKING:
    from worker.domain.state import Failure
    from worker.store import Store

_CONTACT_ID = re.compile(r"003[0-9A-Za-z]{12}(?:[0-5A-Z]{3})?")
_CHECK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def retry(store: Store, community: str, failure_id: int) -> None:
    """
    Have the record tried again in the next run.

    Raises LookupError when there is no such open failure; so do the other two.
    """
    store.failures.retry([_open(store, community, failure_id).id])


def discard(store: Store, community: str, failure_id: int, why: str) -> None:
    """Give the record up until its content changes. Raises ValueError without a why."""
    if not why.strip():
        raise ValueError("why: say why the record is given up")
    store.failures.discard([_open(store, community, failure_id).id], why.strip())


def assign(store: Store, community: str, failure_id: int, contact_id: str) -> None:
    """
    Link the member to this Contact from now on, whatever its e-mail address matches.

    Raises ValueError for what is not a Contact's id. That the Contact is there shows
    when the record is written: a wrong one is parked again.
    """
    contact = contact_id_of(contact_id)
    failure = _open(store, community, failure_id)
    if not store.failures.assign(failure.id, contact):
        raise ValueError(f"failure {failure_id} is of {failure.record_key}, no member")


def _open(store: Store, community: str, failure_id: int) -> Failure:
    failure = store.failures.get(failure_id)
    if failure is None or failure.community != community:
        raise LookupError(f"there is no failure {failure_id}")
    if failure.state is not FailureState.OPEN:
        raise LookupError(f"failure {failure_id} is {failure.state} already")
    return failure


def contact_id_of(text: str) -> str:
    """Return the 18 characters of a Contact's id given as 15 or 18."""
    if not _CONTACT_ID.fullmatch(text):
        raise ValueError("contact_id: give a Contact's id, 003… with 15 or 18 letters")
    return text[:15] + check_letters(text[:15])


def check_letters(short: str) -> str:
    """Return the three letters that tell which of the 15 are capitals."""
    letters = ""
    for start in (0, 5, 10):
        part = short[start : start + 5]
        bits = sum(1 << place for place, letter in enumerate(part) if letter.isupper())
        letters += _CHECK_LETTERS[bits]
    return letters
