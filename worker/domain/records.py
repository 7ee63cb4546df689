"""Plain records of both sides: what the adapters read and the rules decide upon."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- read at run time by NamedTuple users
from enum import StrEnum
from typing import NamedTuple


class Stream(StrEnum):
    """One kind of record flowing one way."""

    MEMBERS = "members"


class Side(StrEnum):
    """The two sides, by vendor, as settings, ledgers and credentials name them."""

    AURORA = "aurora"
    SALESFORCE = "salesforce"


class Member(NamedTuple):
    """
    A community member as one read shows it; `None` means the community left it out.

    A named tuple, because a run builds one per member: construction costs a third of
    a frozen dataclass's. Instants are aware UTC.
    """

    member_id: int
    login: str
    email: str | None
    first_name: str | None
    last_name: str | None
    deleted: bool
    banned: bool
    rank: str | None
    registered_at: datetime | None
    last_visit_at: datetime | None
    biography: str | None
    location: str | None
    sso_id: str | None
    avatar_url: str | None
    profile_url: str | None
    rest_path: str | None
    logins: int | None
    minutes_online: int | None
    page_views: int | None
    posts: int | None
    messages_read: int | None
    private_messages_sent: int | None
    private_messages_received: int | None
    kudos_received: int | None
    accepted_solutions: int | None
    # Custom profile fields (`c_…`) that the mapping asks for, by their own names.
    custom: tuple[tuple[str, str], ...] = ()


class SlowFields(NamedTuple):
    """What the community gives only member by member."""

    member_id: int
    roles: tuple[str, ...]
    average_rating: float | None
    administrative_notes: str | None


class Contact(NamedTuple):
    """A crm contact for the matching rules; `master_id` is set on merge losers."""

    contact_id: str
    email: str | None
    is_deleted: bool = False
    master_id: str | None = None


class RowResult(NamedTuple):
    """
    What the crm said of one row of a batch.

    `key` is the value the row was joined on: the external id, or the record id.
    """

    key: str
    record_id: str | None
    created: bool
    code: str | None = None
    detail: str = ""
    fields: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.code is None


class Usage(NamedTuple):
    """The org's daily API calls as its last answer told them."""

    used: int
    allowed: int


class DescribedField(NamedTuple):
    """What the org says of one field, as far as fitting and the doctor need it."""

    name: str
    type: str
    length: int
    precision: int
    scale: int
    nillable: bool
    createable: bool
    updateable: bool
    unique: bool
    external_id: bool
    restricted_picklist: bool
    picklist: tuple[str, ...]


class DescribedObject(NamedTuple):
    """An org's object: its rights for our user and its fields by API name."""

    name: str
    createable: bool
    updateable: bool
    deletable: bool
    queryable: bool
    fields: dict[str, DescribedField]
