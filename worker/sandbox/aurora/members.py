"""What a member, a rank and a role are here: plain records, no rules, no HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FULLY = "fully-registered"
PARTIALLY = "partially-registered"
ADMINISTRATOR = "t:Administrator"


# Never changed in place: a change makes a new one, so that a page being written sees
# each member whole, and the search index may keep the old one while it lags.
# gc=False: 200,000 of them would be walked by every full collection otherwise.
class Member(msgspec.Struct, gc=False, kw_only=True):
    """One member; `None` means that the community leaves the field out."""

    id: int
    login: str
    registration_time: int
    rank_id: int
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    biography: str | None = None
    location: str | None = None
    sso_id: str | None = None
    web_page_url: str | None = None
    language: str = "en"
    roles: tuple[str, ...] = ()
    last_visit_time: int | None = None
    status: str = FULLY
    banned: bool = False
    deleted: bool = False
    online_status: str = "offline"
    has_avatar: bool = True
    logins: int = 0
    minutes_online: int = 0
    posts: int = 0
    messages_read: int = 0
    page_views: int = 0
    private_messages_sent: int = 0
    private_messages_received: int = 0
    kudos_received: int = 0
    kudos_given: int = 0
    solutions: int = 0
    average_message_rating: float = 0.0
    administrative_notes: str | None = None
    # Custom profile fields, `c_…`; shared between members, so never changed in place.
    custom: Mapping[str, str] | None = None

    @property
    def is_administrator(self) -> bool:
        return ADMINISTRATOR in self.roles


FIELDS = frozenset(Member.__struct_fields__)


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    position: int
    color: str = "336699"
    bold: bool = False


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role: `t:…` belongs to the top of the community, `b:board:…` to a board."""

    id: str
    name: str


RANKS = tuple(
    Rank(id=number, name=name, position=number, bold=number > 8)
    for number, name in enumerate(
        (
            "New Member",
            "Occasional Visitor",
            "Visitor",
            "Contributor",
            "Regular Contributor",
            "Frequent Contributor",
            "Trusted Contributor",
            "Respected Expert",
            "Distinguished Expert",
            "Guru",
            "Légende · 殿堂入り",
        ),
        start=1,
    )
)

ROLES = tuple(
    Role(id=role_id, name=name)
    for role_id, name in (
        (ADMINISTRATOR, "Administrator"),
        ("t:Moderator", "Moderator"),
        ("t:Employee", "Employee"),
        ("t:SuperUser", "SuperUser"),
        ("t:Partner", "Partner"),
        ("t:Beta", "Beta Tester; private programme"),
        ("b:general:BoardModerator", "BoardModerator"),
    )
)
