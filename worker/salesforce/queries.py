"""Every SOQL statement that the worker sends. Knows SOQL; knows nothing of HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from simple_salesforce.format import format_soql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Room for one statement in a URL; servers were seen to refuse about 16 kB.
STATEMENT_LENGTH = 12_000


def soql(statement: str, **values: object) -> str:
    """
    Fill `statement` with quoted values.

    format_soql makes `IN ()` of an empty list, takes a naive datetime for local
    time, and writes an offset whose plus sign does not survive every URL; so lists
    must hold something, and instants are written here.
    """
    ready = {name: _ready(value) for name, value in values.items()}
    for name, value in values.items():
        if isinstance(value, datetime):
            statement = statement.replace(f"{{{name}}}", f"{{{name}:literal}}")
    filled = format_soql(statement, **ready)
    return str(filled)


def _ready(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list | tuple | set) and not value:
        raise ValueError("an IN list needs at least one value")
    return value


def instant(moment: datetime) -> str:
    """Write an instant as SOQL takes it safely: whole seconds, UTC, `Z`."""
    if moment.tzinfo is None:
        raise ValueError("a SOQL instant needs a time zone")
    return f"{moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()}Z"


def contacts_changed_since(
    moment: datetime | None,
    until: datetime,
    not_by: str | None,
    within: Sequence[tuple[datetime, datetime]] | None = None,
) -> str:
    # On SystemModstamp: it is indexed, and moves with automated changes too.
    conditions = [soql("SystemModstamp < {until}", until=until)]
    if moment is not None:
        conditions.insert(0, soql("SystemModstamp >= {moment}", moment=moment))
    if not_by is not None and within is None:
        conditions.append(soql("LastModifiedById != {not_by}", not_by=not_by))
    conditions += [
        soql(
            "(LastModifiedById != {not_by} OR SystemModstamp < {began} "
            "OR SystemModstamp > {ended})",
            not_by=not_by,
            began=began,
            ended=ended,
        )
        for began, ended in (within or ())
    ]
    return (
        "SELECT Id, Email, IsDeleted, MasterRecordId FROM Contact "  # noqa: S608 -- every condition comes from soql()
        f"WHERE {' AND '.join(conditions)} ORDER BY SystemModstamp, Id"
    )


def all_contacts() -> str:
    return "SELECT Id, Email FROM Contact WHERE Email != null"


def contacts_by_email(emails: Sequence[str]) -> str:
    return soql("SELECT Id, Email FROM Contact WHERE Email IN {emails}", emails=emails)


def community_users(community: str) -> str:
    return soql(
        "SELECT Id, Community_User_Key__c, Contact__c FROM Community_User__c "
        "WHERE Community__c = {community}",
        community=community,
    )


def contacts_created_by(community: str, user_id: str) -> str:
    # LIKE takes no index of a leading literal away, but ignores case: the reader
    # compares the key once more.
    return soql(
        "SELECT Id, Community_Member_Key__c FROM Contact "
        "WHERE Community_Member_Key__c LIKE '{community:like}:%' "
        "AND CreatedById = {user_id} AND LastModifiedById = {user_id}",
        community=community,
        user_id=user_id,
    )


def organization() -> str:
    return "SELECT Id FROM Organization"


def email_chunks(emails: Iterable[str]) -> Iterator[list[str]]:
    """Split addresses so that each statement fits a URL; each address comes once."""
    base = len(quote(contacts_by_email(["x"]), safe=""))
    chunk: list[str] = []
    length = base
    for email in dict.fromkeys(emails):
        size = len(quote(soql("{email},", email=email), safe=""))
        if chunk and length + size > STATEMENT_LENGTH:
            yield chunk
            chunk, length = [], base
        chunk.append(email)
        length += size
    if chunk:
        yield chunk
