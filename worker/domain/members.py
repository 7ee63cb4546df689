"""
The rules of the members stream: whom a member is linked to and whether anything has
to be written. Pure; `docs/mapping.md` shows the same tables.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 -- part of public signatures
from enum import StrEnum
from typing import NamedTuple

from worker.domain.feature_settings import FeatureSettings  # noqa: TC001 -- the same
from worker.domain.state import ContactLink, MemberLink, MemberState


class Action(StrEnum):
    """
    What to do about one member.

    create: the crm has no record of this member yet. update: it has, and something
    differs. adopt: write, and link the one Contact with this e-mail. create_contact:
    write, and create the Contact first. conflict: write without a Contact and park
    the link, for several Contacts share the e-mail. unchanged: nothing to write.
    defer: the same content failed before and waits for its next attempt.
    """

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    CREATE_CONTACT = "create_contact"
    CONFLICT = "conflict"
    UNCHANGED = "unchanged"
    DEFER = "defer"


class LinkChoice(NamedTuple):
    """Which Contact a member belongs to; `create`: it must be created first."""

    contact_id: str | None
    link: ContactLink
    create: bool = False


class MemberDecision(NamedTuple):
    """What to write for one member, and the link that goes with it."""

    action: Action
    choice: LinkChoice


class Sighting(NamedTuple):
    """What the rules need of a member as it was just read."""

    deleted: bool
    email_key: bytes | None
    fingerprint: bytes


UNLINKED = LinkChoice(None, ContactLink.NONE)


def needs_candidates(
    seen: Sighting, known: MemberLink | None, settings: FeatureSettings
) -> bool:
    """Say whether the Contacts with the member's e-mail must be looked up at all."""
    if not settings.link_contacts or seen.email_key is None:
        return False
    return _settled_choice(seen, known, settings) is None


def choose_link(
    seen: Sighting,
    known: MemberLink | None,
    candidates: Sequence[str],
    settings: FeatureSettings,
    *,
    retrying: bool = False,
) -> LinkChoice:
    """
    Choose the Contact, never by guessing: none → create if the setting says so,
    exactly one → link, several → ambiguous. A link once made stays while the e-mail
    stays; a person's choice stays until the Contact goes.
    """
    settled = _settled_choice(seen, known, settings)
    if settled is not None:
        return settled
    match candidates:
        case []:
            return _without_candidates(seen, known, settings, retrying=retrying)
        case [only]:
            return LinkChoice(only, ContactLink.LINKED)
        case _:
            return LinkChoice(None, ContactLink.AMBIGUOUS)


def _without_candidates(
    seen: Sighting,
    known: MemberLink | None,
    settings: FeatureSettings,
    *,
    retrying: bool,
) -> LinkChoice:
    if not settings.create_new_contact or seen.deleted:
        return UNLINKED
    refused = known is not None and known.contact_link is ContactLink.REFUSED
    if known and refused and known.email_key == seen.email_key and not retrying:
        return LinkChoice(None, ContactLink.REFUSED)
    return LinkChoice(None, ContactLink.CREATED, create=True)


def _settled_choice(
    seen: Sighting, known: MemberLink | None, settings: FeatureSettings
) -> LinkChoice | None:
    """Return the choice that needs no look at the Contacts, or None."""
    if known is not None and known.contact_id is not None:
        kept = LinkChoice(known.contact_id, known.contact_link)
        chosen_by_person = known.contact_link is ContactLink.ASSIGNED
        if chosen_by_person or known.email_key == seen.email_key:
            return kept
        if not settings.link_contacts:
            return kept
    if seen.email_key is None:
        return LinkChoice(None, ContactLink.NO_EMAIL)
    return None if settings.link_contacts else UNLINKED


def decide_member(
    seen: Sighting,
    known: MemberLink | None,
    choice: LinkChoice,
    *,
    retrying: bool = False,
) -> MemberDecision:
    """Decide what to write. `retrying`: a person or the clock asked for another try."""
    if known is None:
        return MemberDecision(_writing(choice, Action.CREATE), choice)
    same_link = (
        choice.contact_id == known.contact_id
        and choice.link == known.contact_link
        and not choice.create
    )
    if same_link and known.fingerprint == seen.fingerprint:
        return MemberDecision(Action.UNCHANGED, choice)
    failed_so_before = (
        known.state is MemberState.FAILED and known.sent_fingerprint == seen.fingerprint
    )
    if failed_so_before and not retrying:
        return MemberDecision(Action.DEFER, choice)
    created = known.community_user_id is None
    plain = Action.CREATE if created else Action.UPDATE
    return MemberDecision(plain if same_link else _writing(choice, plain), choice)


def _writing(choice: LinkChoice, plain: Action) -> Action:
    if choice.create:
        return Action.CREATE_CONTACT
    if choice.link is ContactLink.AMBIGUOUS:
        return Action.CONFLICT
    return Action.ADOPT if choice.link is ContactLink.LINKED else plain


def breaks(leaving: int, known: int, percent: int) -> bool:
    """
    Say whether `leaving` of `known` records is more than a run may take away unasked.

    A handful is never a landslide, whatever its share.
    """
    return leaving > HANDFUL and leaving * 100 > known * percent


HANDFUL = 10
