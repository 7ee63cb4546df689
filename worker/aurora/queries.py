"""
What the community is asked: searches as LiQL text and in their structured form. The
only place that writes LiQL; knows field names and quoting, sends nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MEMBER_FIELDS = (
    "id",
    "login",
    "email",
    "first_name",
    "last_name",
    "deleted",
    "banned",
    "rank.name",
    "registration_data.registration_time",
    "last_visit_time",
    "biography",
    "location",
    "sso_id",
    "avatar.profile",
    "view_href",
    "href",
    "metrics",
    "kudos_received.sum(weight)",
    "solutions_authored.count(*)",
)
# What may be named in a query: the community refuses the whole query for one unknown
# field, without saying which.
SELECTABLE = {
    "users": frozenset(MEMBER_FIELDS),
    "roles": frozenset({"id", "name"}),
}
CONSTRAINABLE = {"users": frozenset({"id"}), "roles": frozenset({"users.id"})}
SORTABLE = {"users": frozenset({"id", "last_visit_time"}), "roles": frozenset()}
SIGNS = frozenset({"=", "!=", ">", "<", ">=", "<="})
MAX_LIMIT = 1000

_CUSTOM_FIELD = re.compile(r"c_[A-Za-z0-9_]{1,80}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = str | bool | int | datetime


class Constraint(NamedTuple):
    field: str
    sign: str
    value: Value


@dataclass(frozen=True, slots=True)
class Query:
    """
    One search. `sort` is a field, with ` DESC` behind it for the last one first.

    Raises ValueError for a name that is not in the tables above.
    """

    collection: str
    fields: tuple[str, ...]
    constraints: tuple[Constraint, ...] = ()
    sort: str = ""
    limit: int = MAX_LIMIT

    def __post_init__(self) -> None:
        selectable = SELECTABLE[self.collection]
        for field in self.fields:
            if field not in selectable and not _CUSTOM_FIELD.fullmatch(field):
                raise ValueError(f"{field} cannot be selected from {self.collection}")
        for field, sign, _ in self.constraints:
            if field not in CONSTRAINABLE[self.collection] or sign not in SIGNS:
                raise ValueError(f"{field} {sign} is no constraint of ours")
        sort = self.sort.removesuffix(" DESC")
        if sort and sort not in SORTABLE[self.collection]:
            raise ValueError(f"{self.collection} are not sorted by {sort}")
        if not 1 <= self.limit <= MAX_LIMIT:
            raise ValueError(f"a page has 1 to {MAX_LIMIT} rows")

    def liql(self, cursor: str | None = None) -> str:
        """Return the LiQL text; a cursor belongs to the very same query."""
        parts = [f"SELECT {', '.join(self.fields)} FROM {self.collection}"]  # noqa: S608 -- LiQL, from whitelisted names
        if self.constraints:
            tests = (f"{c.field} {c.sign} {literal(c.value)}" for c in self.constraints)
            parts.append(f"WHERE {' AND '.join(tests)}")
        if self.sort:
            parts.append(
                f"ORDER BY {self.sort if ' ' in self.sort else self.sort + ' ASC'}"
            )
        parts.append(f"LIMIT {self.limit}")
        if cursor is not None:
            parts.append(f"CURSOR {literal(cursor)}")
        return " ".join(parts)

    def structured(self) -> dict[str, object]:
        """
        Return the form that a POST search takes, alone or several in a list.

        Only equality is known of its constraints.
        """
        if any(constraint.sign != "=" for constraint in self.constraints):
            raise ValueError("the structured form has equality only")
        body: dict[str, object] = {"fields": list(self.fields), "limit": self.limit}
        if self.constraints:
            body["constraints"] = [{c.field: c.value} for c in self.constraints]
        return {self.collection: body}


def literal(value: Value) -> str:
    """Write a value as LiQL takes it: quoted text, bare numbers, times in epoch ms."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return str((value - _EPOCH) // timedelta(milliseconds=1))
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def check_custom_fields(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names; raise ValueError for one that is no custom profile field."""
    for name in names:
        if not _CUSTOM_FIELD.fullmatch(name):
            raise ValueError(f"{name!r} is not a custom profile field (c_…)")
    return names


class MemberQueries:
    """The searches for whole members, with the custom fields that are asked for."""

    def __init__(self, custom_fields: tuple[str, ...], page_size: int) -> None:
        self._fields = MEMBER_FIELDS + check_custom_fields(custom_fields)
        self._page_size = page_size

    def between(self, low: int, high: int | None) -> Query:
        """Members `low` to `high` inclusive, id ascending; ids are quoted strings."""
        constraints = [Constraint("id", ">=", str(low))]
        if high is not None:
            constraints.append(Constraint("id", "<=", str(high)))
        return Query("users", self._fields, tuple(constraints), "id", self._page_size)

    def by_visit(self) -> Query:
        """
        All members, the last visit first.

        No constraint on the time: no working example of one is known.
        """
        return Query("users", self._fields, (), "last_visit_time DESC", self._page_size)

    def one(self, member_id: int) -> Query:
        # `=` per id: `IN` is refused by some communities.
        wanted = (Constraint("id", "=", str(member_id)),)
        return Query("users", self._fields, wanted, limit=1)


def any_member() -> Query:
    return Query("users", ("id",), limit=1)


def last_member() -> Query:
    return Query("users", ("id",), sort="id DESC", limit=1)


def newest_emails() -> Query:
    """A few members with their e-mail: what the API user is shown of others."""
    return Query("users", ("id", "email"), sort="id DESC", limit=25)


def roles_of(member_id: int) -> Query:
    wanted = (Constraint("users.id", "=", str(member_id)),)
    return Query("roles", ("id", "name"), wanted)
