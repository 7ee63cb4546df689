"""
Invents a community from a seed: the same seed and size give the same members, to the
last letter, on every machine. Draws, and knows no rules of the community.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from worker.sandbox.aurora import names
from worker.sandbox.aurora.clock import DAY_MS
from worker.sandbox.aurora.members import (
    ADMINISTRATOR,
    PARTIALLY,
    RANKS,
    Member,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Generated visits end here, so that a seed means the same members next year.
LAST_MOMENT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FIRST_MOMENT = LAST_MOMENT - 12 * 365 * DAY_MS

ADMINISTRATOR_LOGIN = "integration.admin"


class Identity(NamedTuple):
    """What a crm would know too; the scenery draws its Contacts from it."""

    login: str
    email: str | None
    first_name: str | None
    last_name: str | None
    location: str | None
    language: str


class _Draws:
    """The few kinds of draws, bound once: a member costs about forty of them."""

    def __init__(self, seed: int, salt: str) -> None:
        source = Random(f"{salt}:{seed}")  # noqa: S311 -- invented people, no secrets
        self.unit = source.random
        self.normal = source.gauss
        # Inexpensive heavy tails: drawn once, then picked from.
        self._tail = [
            int(math.exp(source.gauss(0.0, 1.0) * 1.9)) for _ in range(20_011)
        ]

    def below(self, limit: int) -> int:
        return int(self.unit() * limit)

    def one(self, pool: tuple[str, ...]) -> str:
        return pool[int(self.unit() * len(pool))]

    def heavy(self, scale: int) -> int:
        """A count of which most are small and a few are huge."""
        return self._tail[int(self.unit() * 20_011)] * scale // 4


_CULTURE_OF_100 = tuple(
    culture for culture in names.CULTURES for _ in range(culture.share)
)
_ROLES = (
    (("t:Employee",), 0.02),
    (("t:SuperUser",), 0.03),
    (("t:Beta", "t:Partner"), 0.04),
    (("t:Moderator", "t:Employee", "b:general:BoardModerator"), 0.043),
)
_CUSTOM = tuple(
    {"c_timezone": zone, "c_company": company}
    for zone in names.TIME_ZONES
    for company in names.COMPANIES
)
_CUSTOM_TIMEZONE = tuple({"c_timezone": zone} for zone in names.TIME_ZONES)


def identities(seed: int, count: int) -> Iterator[Identity]:
    """Invent who the members are, apart from what they did: cheap alone."""
    draws = _Draws(seed, "identities")
    recent: list[str | None] = [None] * 64
    for number in range(count):
        identity = _administrator() if number == 0 else _identity(draws, number, recent)
        recent[number % 64] = identity.email
        yield identity


def _administrator() -> Identity:
    return Identity(
        ADMINISTRATOR_LOGIN,
        "integration.admin@community.example",
        "Integration",
        "Administrator",
        None,
        "en",
    )


def _identity(draws: _Draws, number: int, recent: list[str | None]) -> Identity:
    culture = _CULTURE_OF_100[draws.below(100)]
    latin = draws.one(culture.latin)
    login = _login(draws, latin, number)
    first: str | None = draws.one(culture.first)
    last: str | None = draws.one(culture.last)
    if draws.unit() < 0.06:
        first = None
        if draws.unit() < 0.6:
            last = None
    elif draws.unit() < 0.002:
        last = " ".join((last or "", *culture.last * 12))[:400].strip()
    location = draws.one(culture.places) if draws.unit() < 0.45 else None
    email = _email(draws, latin, number, recent)
    return Identity(login, email, first, last, location, culture.language)


def _login(draws: _Draws, latin: str, number: int) -> str:
    chance = draws.unit()
    if chance < 0.02:
        return f"{draws.one(names.EMOJI)}{latin}{number}"
    if chance < 0.04:
        return f"{latin.title()}'s_shop.{number}"
    if chance < 0.06:
        return f"{latin.title()} {number}"
    return f"{latin}{number}"


def _email(
    draws: _Draws, latin: str, number: int, recent: list[str | None]
) -> str | None:
    chance = draws.unit()
    if chance < 0.005:
        # Shared by two members, as spouses and test accounts do; often in other case.
        other = recent[draws.below(64)]
        return other.upper() if other and chance < 0.002 else other
    if chance < 0.02:
        return None
    domain = draws.one(names.DOMAINS)
    if chance < 0.0225:
        return _refused_email(draws, latin, number)
    separator = "+community" if chance < 0.04 else ""
    return f"{latin}.{number}{separator}@{domain}"


def _refused_email(draws: _Draws, latin: str, number: int) -> str:
    """An address that a community lets in and a crm does not."""
    return draws.one(
        (
            f"{latin}.{number}@localhost",
            f"{latin}..{number}@mail.example",
            f"{latin} {number}@mail.example",
            f"{latin}.{number}.@mail.example",
            f"{latin}{number}@mail_example",
            f"{latin}.{number}@büro.example",
            f"{'x' * 70}{number}@mail.example",
        )
    )


def members(seed: int, count: int) -> Iterator[Member]:
    """Invent `count` members by ascending id, an administrator first."""
    draws = _Draws(seed, "members")
    member_id = 0
    for number, identity in enumerate(identities(seed, count)):
        # Ids of purged accounts are never given again: about one in nine is missing.
        member_id += 1 if draws.unit() < 0.9 else 1 + draws.below(4)
        yield _member(draws, member_id, number, count, identity)


def _member(
    draws: _Draws, member_id: int, number: int, count: int, identity: Identity
) -> Member:
    # Sign-ups grow: the later half of the time sees three quarters of them.
    share = math.sqrt((number + draws.unit()) / count)
    registered = FIRST_MOMENT + int(share * (LAST_MOMENT - FIRST_MOMENT - DAY_MS))
    member = Member(
        id=member_id,
        login=identity.login,
        email=identity.email,
        first_name=identity.first_name,
        last_name=identity.last_name,
        location=identity.location,
        language=identity.language,
        registration_time=registered,
        rank_id=1,
    )
    _profile(draws, member)
    _activity(draws, member)
    if number == 0:
        member.roles = (ADMINISTRATOR,)
    return member


def _profile(draws: _Draws, member: Member) -> None:
    if draws.unit() < 0.3:
        member.biography = _biography(draws)
    if draws.unit() < 0.4:
        member.sso_id = f"ext-{member.id * 7919 % 1_000_003:06d}-{member.id}"
    if draws.unit() < 0.05:
        member.web_page_url = f"https://{member.id}.home.example/"
    chance = draws.unit()
    if chance < 0.2:
        member.custom = _CUSTOM[draws.below(len(_CUSTOM))]
    elif chance < 0.5:
        member.custom = _CUSTOM_TIMEZONE[draws.below(len(_CUSTOM_TIMEZONE))]
    chance = draws.unit()
    member.roles = next((roles for roles, share in _ROLES if chance < share), ())
    if chance > 0.999:
        member.administrative_notes = "Asked twice for a refund; see ticket."
    member.has_avatar = draws.unit() < 0.9


def _biography(draws: _Draws) -> str:
    chance = draws.unit()
    if chance < 0.97:
        return draws.one(names.SENTENCES)
    if chance < 0.99:
        return f"{draws.one(names.EMOJI)} {draws.one(names.SENTENCES)}"
    return " ".join(draws.one(names.SENTENCES) for _ in range(12))


def _activity(draws: _Draws, member: Member) -> None:
    chance = draws.unit()
    if chance < 0.03:
        member.status = PARTIALLY
        # Some never came back after the first form: no visit at all.
        if chance < 0.02:
            return
    member.banned = 0.03 < chance < 0.034
    member.deleted = 0.034 < chance < 0.049
    # Most were here lately or long ago: squared, so that recent visits crowd.
    away = draws.unit()
    span = LAST_MOMENT - member.registration_time
    member.last_visit_time = LAST_MOMENT - int(away * away * span)
    _metrics(draws, member)


def _metrics(draws: _Draws, member: Member) -> None:
    heavy = draws.heavy
    member.logins = 1 + heavy(12)
    member.minutes_online = member.logins * (1 + draws.below(40))
    member.page_views = member.logins * (1 + draws.below(25))
    member.messages_read = member.page_views * draws.below(80) // 100
    member.posts = heavy(5)
    if member.posts:
        member.kudos_received = heavy(5)
        member.solutions = min(member.posts, heavy(1) // 2)
        rating = draws.below(50_001) / 10_000
        member.average_message_rating = rating if rating > 1 else 0.0
    member.kudos_given = heavy(2)
    if draws.unit() < 0.2:
        member.private_messages_sent = heavy(1)
        member.private_messages_received = heavy(2)
    # One rank for each doubling of posts, as rank formulas tend to be built.
    member.rank_id = min(1 + member.posts.bit_length(), len(RANKS))
