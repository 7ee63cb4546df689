"""
What the product's field table promises, written a second time: which field holds what,
and what "the same" means for each kind of value. For the comparison of the sandboxes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Same = Callable[[Any, Any], "bool | None"]
# The crm field, the community's name for its source, and what "same" means for it.
Comparing = tuple[str, str, Same]

CONTROLS = {code: None for code in range(32) if code not in (9, 10, 13)}


def address(email: str) -> str:
    """Return an e-mail address as matching sees it."""
    return email.strip().casefold()


# Each returns True for the same, False for different, and None for a value that the
# org's field cannot hold and that was cut or left empty for it.
def same_text(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    wanted = str(expected).translate(CONTROLS).strip() if expected is not None else ""
    found = str(actual).strip() if actual is not None else ""
    if _lines(wanted) == _lines(found):
        return True
    clipped = found.endswith("…") and _lines(wanted).startswith(_lines(found[:-1]))
    return None if clipped else False


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def same_or_empty(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    """For what is useless by half: whole, or left empty."""
    if expected is not None and actual is None:
        return None
    return same_text(expected, actual)


def same_email(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    if expected is not None and actual is None:
        return None if not _plainaddress(str(expected)) else False
    return address(str(expected or "")) == address(str(actual or ""))


def _plainaddress(text: str) -> bool:
    """Say whether no org refuses this address: plain letters, one @, a dotted host."""
    name, _, host = text.strip().partition("@")
    plain = text.strip().isascii() and " " not in text.strip()
    return (
        plain
        and bool(name)
        and "@" not in host
        and "." in host.strip(".")
        and ".." not in text
        and not name.startswith(".")
        and not name.endswith(".")
        and len(text) <= 80
    )


def same_number(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    if expected is None or actual is None:
        return expected is None and actual is None
    return abs(float(expected) - float(actual)) < 0.00005


def same_flag(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    return bool(expected) == bool(actual)


def same_instant(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    if not expected or not actual:
        return not expected and not actual
    # The org keeps seconds.
    return _instant(expected) == _instant(actual)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def same_roles(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    """In any order; a role whose own name holds a semicolon reads like two."""
    return _parts(";".join(expected or ())) == _parts(str(actual or ""))


def _parts(text: str) -> list[str]:
    return sorted(part.strip() for part in text.split(";"))


def same_ending(expected: Any, actual: Any) -> bool | None:  # noqa: ANN401 -- JSON values
    """For a path that was made an absolute URL."""
    return str(actual or "").endswith(str(expected or ""))


def _metrics() -> Iterator[Comparing]:
    for source in (
        "logins",
        "minutes_online",
        "page_views",
        "posts",
        "messages_read",
        "private_messages_sent",
        "private_messages_received",
    ):
        yield f"Metric_{source.title()}__c", source, same_number


# Product rules, section 2: crm field, the community's name for it, what "same" means.
FIELDS: tuple[Comparing, ...] = (
    ("Khoros_User_ID__c", "id", same_number),
    ("Name", "login", same_text),
    ("Community_ID__c", "login", same_text),
    ("First_Name__c", "first_name", same_text),
    ("Last_Name__c", "last_name", same_text),
    ("Email__c", "email", same_email),
    ("Is_Deleted__c", "deleted", same_flag),
    ("Rank__c", "rank", same_text),
    ("Registration_Time__c", "registration_time", same_instant),
    ("Last_Visit_Time__c", "last_visit_time", same_instant),
    ("Biography__c", "biography", same_text),
    ("Location__c", "location", same_text),
    ("Khoros_SSO_ID__c", "sso_id", same_or_empty),
    ("Avatar_URL__c", "avatar_url", same_or_empty),
    ("Community_User_URL__c", "view_href", same_or_empty),
    ("REST_URL__c", "href", same_ending),
    *_metrics(),
    ("Kudos_Count__c", "kudos_received", same_number),
    ("Accepted_Solutions__c", "solutions", same_number),
)

SLOW_FIELDS: tuple[Comparing, ...] = (
    ("Roles__c", "roles", same_roles),
    ("Metric_Average_Message_Rating__c", "average_message_rating", same_number),
    ("Administrative_Notes__c", "administrative_notes", same_text),
)

CONTACT_FIELDS: tuple[Comparing, ...] = (
    ("Community_Rank__c", "rank", same_text),
    ("Community_Posts__c", "posts", same_number),
    ("Community_Kudos__c", "kudos_received", same_number),
    ("Community_Accepted_Solutions__c", "solutions", same_number),
    ("Community_Last_Visit_Time__c", "last_visit_time", same_instant),
    ("Community_Profile_URL__c", "view_href", same_or_empty),
)
