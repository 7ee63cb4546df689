"""
The community's JSON as typed rows, and rows as records. Unknown shapes break the
contract by name of their path; knows no HTTP.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar, cast
from urllib.parse import urljoin

import msgspec

from worker.aurora import responses
from worker.domain.records import Member
from worker.errors import ContractBroken

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Rank(msgspec.Struct, gc=False):
    name: str | None = None


class Avatar(msgspec.Struct, gc=False):
    profile: str | None = None


class Registration(msgspec.Struct, gc=False):
    registration_time: Instant | None = None


class Metrics(msgspec.Struct, gc=False):
    logins: int | None = None
    minutes_online: int | None = None
    page_views: int | None = None
    posts: int | None = None
    messages_read: int | None = None
    private_messages_sent: int | None = None
    private_messages_received: int | None = None


class Weight(msgspec.Struct, gc=False):
    weight: int | None = None


class Kudos(msgspec.Struct, gc=False):
    sum: Weight | None = None


class Counted(msgspec.Struct, gc=False):
    count: int | None = None


class MemberRow(msgspec.Struct, gc=False):
    """
    One item of a search in `users`: fields the member left empty are absent.

    Not tracked by the collector: rows are trees, and thousands at a time.
    """

    id: int
    login: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    deleted: bool = False
    banned: bool = False
    rank: Rank | None = None
    registration_data: Registration | None = None
    last_visit_time: Instant | None = None
    biography: str | None = None
    location: str | None = None
    sso_id: str | None = None
    avatar: Avatar | None = None
    view_href: str | None = None
    href: str | None = None
    metrics: Metrics | None = None
    kudos_received: Kudos | None = None
    solutions_authored: Counted | None = None


class MemberList(msgspec.Struct):
    items: list[MemberRow]
    next_cursor: str | None = None


class IdRow(msgspec.Struct):
    id: int
    email: str | None = None


class RoleRow(msgspec.Struct):
    id: str
    name: str | None = None


class IdList(msgspec.Struct):
    items: list[IdRow]


class RoleList(msgspec.Struct):
    items: list[RoleRow]


class LegacyText(msgspec.Struct):
    """A value as v1 writes it: its text or number under `$`."""

    value: str | int | float | bool | None = msgspec.field(default=None, name="$")


class LegacyInteger(msgspec.Struct):
    value: int | None = msgspec.field(default=None, name="$")


class LegacyNumber(msgspec.Struct):
    value: float | None = msgspec.field(default=None, name="$")


class LegacyEntry(msgspec.Struct):
    name: str | None = None
    value: str | int | float | bool | None = msgspec.field(default=None, name="$")


class LegacyProfiles(msgspec.Struct):
    profile: list[LegacyEntry] | LegacyEntry = []


class LegacyUser(msgspec.Struct):
    id: LegacyInteger
    average_message_rating: LegacyNumber | None = None
    profiles: LegacyProfiles | None = None


class LegacyUserAnswer(msgspec.Struct):
    user: LegacyUser


class LegacyValueAnswer(msgspec.Struct):
    value: LegacyText


class TokenAnswer(msgspec.Struct):
    access_token: str
    refresh_token: str | None = None
    expires_in: int | None = None
    user_id: str | None = msgspec.field(default=None, name="userId")


class MemberPage(NamedTuple):
    members: list[Member]
    next_cursor: str | None


_IDS = msgspec.json.Decoder(IdList, strict=False)
_ROLES = msgspec.json.Decoder(RoleList)
_ROLE_LISTS = msgspec.json.Decoder(list[RoleList])
_LEGACY_USER = msgspec.json.Decoder(LegacyUserAnswer, strict=False)
_LEGACY_VALUE = msgspec.json.Decoder(LegacyValueAnswer)
_TOKEN = msgspec.json.Decoder(TokenAnswer, strict=False)

# No v2 field is known for them; v1 keeps such texts among a user's profile entries.
_ADMINISTRATIVE_NOTES = "administrative_notes"


class MemberDecoder:
    """
    Reads pages of members; `custom_fields` are handed through by their own names.

    Relative avatar and profile URLs are resolved against `base_url`. Rows without a
    positive id are the anonymous user and left out.
    """

    def __init__(self, base_url: str, custom_fields: tuple[str, ...] = ()) -> None:
        # Not strict: ids are strings of digits, and counts may be written as floats.
        self._page = msgspec.json.Decoder(_page_type(custom_fields), strict=False)
        self._pages = _list_decoder(_page_type(custom_fields))
        self._build = _builder(f"{base_url}/", custom_fields)

    def page(self, data: msgspec.Raw, operation: str) -> MemberPage:
        found = _decoded(self._page, data, operation)
        return MemberPage(
            self._members(found.items, operation, "$.data"), found.next_cursor
        )

    def pages(self, data: msgspec.Raw, operation: str) -> list[list[Member]]:
        """Read the answer of a search that was a list: one list of members each."""
        return [
            self._members(found.items, operation, f"$.data[{at}]")
            for at, found in enumerate(self._lists(data, operation))
        ]

    def _lists(self, data: msgspec.Raw, operation: str) -> list[MemberList]:
        return _decoded(self._pages, data, operation)

    def _members(
        self, rows: list[MemberRow], operation: str, path: str
    ) -> list[Member]:
        for at, row in enumerate(rows):
            if row.login is None and row.id > 0 and not row.deleted:
                where = f"`{path}.items[{at}]`"
                raise _broken(operation, f"Object lacks `login` - at {where}")
        build = self._build
        return [build(row) for row in rows if row.id > 0]


def ids(data: msgspec.Raw, operation: str) -> list[IdRow]:
    return _decoded(_IDS, data, operation).items


def roles(data: msgspec.Raw, operation: str) -> tuple[str, ...]:
    return _role_names(_decoded(_ROLES, data, operation))


def role_lists(data: msgspec.Raw, operation: str) -> list[tuple[str, ...]]:
    return [_role_names(found) for found in _decoded(_ROLE_LISTS, data, operation)]


def legacy_user(data: msgspec.Raw, operation: str) -> LegacyUser:
    return _decoded(_LEGACY_USER, data, operation, "$.response").user


def rating(user: LegacyUser) -> float | None:
    return user.average_message_rating.value if user.average_message_rating else None


def administrative_notes(user: LegacyUser) -> str | None:
    if user.profiles is None:
        return None
    found = user.profiles.profile
    for entry in found if isinstance(found, list) else [found]:
        if entry.name == _ADMINISTRATIVE_NOTES and entry.value is not None:
            return str(entry.value)
    return None


def session_key(data: msgspec.Raw, operation: str) -> str:
    value = _decoded(_LEGACY_VALUE, data, operation, "$.response").value.value
    if not isinstance(value, str) or not value:
        raise _broken(operation, "Expected `str` - at `$.response.value.$`")
    return value


def token(data: msgspec.Raw, operation: str) -> TokenAnswer:
    return _decoded(_TOKEN, data, operation)


def _role_names(found: RoleList) -> tuple[str, ...]:
    # Sorted, for the order of a search without ORDER BY says nothing.
    return tuple(sorted({role.name or role.id for role in found.items}))


def _decoded(
    decoder: msgspec.json.Decoder[T],
    data: msgspec.Raw,
    operation: str,
    inside: str = "$.data",
) -> T:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise responses.decode_error(operation, error, inside) from error


def _broken(operation: str, detail: str) -> ContractBroken:
    return ContractBroken(responses.SERVICE, operation, status=200, detail=detail)


def _page_type(custom_fields: tuple[str, ...]) -> type[MemberList]:
    if not custom_fields:
        return MemberList
    row = msgspec.defstruct(
        "CustomMemberRow",
        [(name, str | None, None) for name in custom_fields],
        bases=(MemberRow,),
        gc=False,
    )
    page = msgspec.defstruct(
        "CustomMemberList",
        [("items", list[row]), ("next_cursor", str | None, None)],  # type: ignore[valid-type]  # made at run time
    )
    return cast("type[MemberList]", page)


def _list_decoder(
    page: type[MemberList],
) -> msgspec.json.Decoder[list[MemberList]]:
    return msgspec.json.Decoder(list[page], strict=False)  # type: ignore[valid-type]  # made at run time


_NO_RANK = Rank()
_NO_AVATAR = Avatar()
_NO_REGISTRATION = Registration()
_NO_METRICS = Metrics()
_NO_KUDOS = Kudos()
_NO_WEIGHT = Weight()
_NO_COUNT = Counted()


def _builder(
    base: str, custom_fields: tuple[str, ...]
) -> Callable[[MemberRow], Member]:
    """Return what makes one Member of one row; called once per member of a run."""

    def build(row: MemberRow) -> Member:
        metrics = row.metrics or _NO_METRICS
        return Member(
            row.id,
            row.login or "",
            row.email,
            row.first_name,
            row.last_name,
            row.deleted,
            row.banned,
            (row.rank or _NO_RANK).name,
            _utc((row.registration_data or _NO_REGISTRATION).registration_time),
            _utc(row.last_visit_time),
            row.biography,
            row.location,
            row.sso_id,
            _absolute(base, (row.avatar or _NO_AVATAR).profile),
            _absolute(base, row.view_href),
            row.href,
            metrics.logins,
            metrics.minutes_online,
            metrics.page_views,
            metrics.posts,
            metrics.messages_read,
            metrics.private_messages_sent,
            metrics.private_messages_received,
            ((row.kudos_received or _NO_KUDOS).sum or _NO_WEIGHT).weight,
            (row.solutions_authored or _NO_COUNT).count,
            _custom(row, custom_fields) if custom_fields else (),
        )

    return build


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None


def _absolute(base: str, url: str | None) -> str | None:
    if url is None or url.startswith("http"):
        return url
    return urljoin(base, url) if url else None


def _custom(
    row: MemberRow, custom_fields: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    found = ((name, getattr(row, name)) for name in custom_fields)
    return tuple((name, value) for name, value in found if value is not None)
