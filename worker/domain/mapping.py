"""
Which field of the crm is written from what of a member, and what happens to a value
that does not fit. Data, held together with `docs/mapping.md` by a test.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import NamedTuple

from worker.domain.records import Member

COMMUNITY_USER = "Community_User__c"
COMMUNITY_USER_KEY = "Community_User_Key__c"
CONTACT = "Contact"
CONTACT_KEY = "Community_Member_Key__c"
CONTACT_LOOKUP = "Contact__c"
CONTACT_LINK_FIELD = "Contact_Link__c"
DELETED_FIELD = "Is_Deleted__c"
COMMUNITY_FIELD = "Community__c"


class Policy(StrEnum):
    """
    What happens to a value that the org's field cannot hold.

    clip: cut, with an ellipsis as its last character. null: left empty, because half
    of it would be wrong (a URL, an id, a number). park: the whole record waits for a
    person, because the record means nothing without it.
    """

    CLIP = "clip"
    NULL = "null"
    PARK = "park"


class FieldRule(NamedTuple):
    """One row of the mapping: crm field, member attribute, policy."""

    field: str
    source: str
    policy: Policy


# Sources starting with "=" are not read from the member but worked out per row.
MEMBER_FIELDS: tuple[FieldRule, ...] = (
    FieldRule(COMMUNITY_USER_KEY, "=key", Policy.PARK),
    FieldRule("Name", "login", Policy.CLIP),
    FieldRule("Community_ID__c", "login", Policy.CLIP),
    FieldRule(COMMUNITY_FIELD, "=community", Policy.PARK),
    FieldRule("First_Name__c", "first_name", Policy.CLIP),
    FieldRule("Last_Name__c", "last_name", Policy.CLIP),
    FieldRule("Email__c", "email", Policy.NULL),
    FieldRule("Khoros_User_ID__c", "member_id", Policy.PARK),
    FieldRule(DELETED_FIELD, "deleted", Policy.PARK),
    FieldRule("Rank__c", "rank", Policy.CLIP),
    FieldRule("Registration_Time__c", "registered_at", Policy.NULL),
    FieldRule("Last_Visit_Time__c", "last_visit_at", Policy.NULL),
    FieldRule("Biography__c", "biography", Policy.CLIP),
    FieldRule("Location__c", "location", Policy.CLIP),
    FieldRule("Khoros_SSO_ID__c", "sso_id", Policy.NULL),
    FieldRule("Avatar_URL__c", "avatar_url", Policy.NULL),
    FieldRule("Community_User_URL__c", "profile_url", Policy.NULL),
    FieldRule("REST_URL__c", "=rest_url", Policy.NULL),
    FieldRule("Metric_Logins__c", "logins", Policy.NULL),
    FieldRule("Metric_Minutes_Online__c", "minutes_online", Policy.NULL),
    FieldRule("Metric_Page_Views__c", "page_views", Policy.NULL),
    FieldRule("Metric_Posts__c", "posts", Policy.NULL),
    FieldRule("Metric_Messages_Read__c", "messages_read", Policy.NULL),
    FieldRule("Metric_Private_Messages_Sent__c", "private_messages_sent", Policy.NULL),
    FieldRule(
        "Metric_Private_Messages_Received__c",
        "private_messages_received",
        Policy.NULL,
    ),
    FieldRule("Kudos_Count__c", "kudos_received", Policy.NULL),
    FieldRule("Accepted_Solutions__c", "accepted_solutions", Policy.NULL),
)

# Given member by member, written apart and never in the way of the rest.
SLOW_FIELDS: tuple[FieldRule, ...] = (
    FieldRule("Roles__c", "roles", Policy.CLIP),
    FieldRule("Metric_Average_Message_Rating__c", "average_rating", Policy.NULL),
    FieldRule("Administrative_Notes__c", "administrative_notes", Policy.CLIP),
)

# Ours on the Contact; the most recently seen of its members wins.
CONTACT_FIELDS: tuple[FieldRule, ...] = (
    FieldRule("Community_Rank__c", "rank", Policy.CLIP),
    FieldRule("Community_Posts__c", "posts", Policy.NULL),
    FieldRule("Community_Kudos__c", "kudos_received", Policy.NULL),
    FieldRule("Community_Accepted_Solutions__c", "accepted_solutions", Policy.NULL),
    FieldRule("Community_Last_Visit_Time__c", "last_visit_at", Policy.NULL),
    FieldRule("Community_Profile_URL__c", "profile_url", Policy.NULL),
)

# Written once, when a Contact is created for a member who has none.
NEW_CONTACT_FIELDS: tuple[FieldRule, ...] = (
    FieldRule(CONTACT_KEY, "=key", Policy.PARK),
    FieldRule("LastName", "=contact_last_name", Policy.CLIP),
    FieldRule("FirstName", "first_name", Policy.CLIP),
    FieldRule("Email", "email", Policy.PARK),
)

# Fields we write that no member attribute feeds.
LINK_FIELDS: tuple[str, ...] = (CONTACT_LOOKUP, CONTACT_LINK_FIELD)

# Text compared without regard to case in the org: two members may share the letters.
CASE_INSENSITIVE_UNIQUE: tuple[str, ...] = ("Khoros_SSO_ID__c",)


def member_key(community: str, member_id: int) -> str:
    return f"{community}:{member_id}"


def member_id_of(key: str) -> int:
    """Return the member id in a key. Raises ValueError on anything else."""
    return int(key.rpartition(":")[2])


def contact_last_name(member: Member) -> str:
    """Return what the Contact's required last name is: the login when there is none."""
    return (member.last_name or "").strip() or member.login


# The positions of CONTACT_FIELDS in a Member, resolved once: a run asks per member.
_CONTACT_SOURCES = tuple(Member._fields.index(rule.source) for rule in CONTACT_FIELDS)


def contact_values(member: Member) -> str:
    """Return what the Contact shows of this member, as text the database keeps."""
    values = [member[position] for position in _CONTACT_SOURCES]
    return _KEPT.encode(values)


def _instant(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    if isoformat is None:
        raise TypeError(f"cannot keep a {type(value).__name__}")
    return str(isoformat())


# One for all: json.dumps builds an encoder a call, a third of its time here.
_KEPT = json.JSONEncoder(default=_instant, ensure_ascii=False)
