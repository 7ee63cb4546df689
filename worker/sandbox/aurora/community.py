"""
The community's state and the rules of changing it: members come, visit, change and go,
and the search index follows, at once or late. Knows nothing of HTTP.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Any

import msgspec

from worker.sandbox.aurora.calls import Calls
from worker.sandbox.aurora.clock import Clock, Zone, to_ms
from worker.sandbox.aurora.faults import Faults
from worker.sandbox.aurora.generator import ADMINISTRATOR_LOGIN
from worker.sandbox.aurora.index import Index
from worker.sandbox.aurora.members import (
    ADMINISTRATOR,
    FIELDS,
    RANKS,
    ROLES,
    Member,
    Rank,
    Role,
)
from worker.sandbox.aurora.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterable

TENANT = "demo"
PUBLIC_URL = "https://community.example"
# The account that the worker signs in with when no member was generated: it is real,
# but not listed, so that a test's community holds the test's members and no others.
UNLISTED_ADMINISTRATOR = 0
MEMBER_PASSWORD = "member-password"  # noqa: S105 -- invented; every member's
ADMINISTRATOR_PASSWORD = "integration-password"  # noqa: S105 -- invented

_SPELLINGS = {
    "accepted_solutions": "solutions",
    "average_rating": "average_message_rating",
    "registered_at": "registration_time",
    "last_visit_at": "last_visit_time",
}


class Members(dict[int, Member]):
    """By id; the API writes ids as text, so text is understood too."""

    def __getitem__(self, member_id: int | str) -> Member:
        return super().__getitem__(int(member_id))

    def __contains__(self, member_id: object) -> bool:
        if isinstance(member_id, str) and member_id.isdigit():
            member_id = int(member_id)
        return super().__contains__(member_id)


class Community:
    """
    `members` is the truth; `searchable()` is what the search index knows of it.

    May be used from any thread: every change and every search holds `lock`.
    """

    def __init__(self, members: Iterable[Member] = (), *, tenant: str = TENANT) -> None:
        self.lock = RLock()
        self.tenant = tenant
        self.public_url = PUBLIC_URL
        self.zone = Zone()
        self.clock = Clock()
        self.switches = Switches()
        self.faults = Faults()
        self.calls = Calls()
        self.ranks = {rank.id: rank for rank in RANKS}
        self.roles = {role.id: role for role in ROLES}
        self.custom_fields = {"c_company", "c_timezone"}
        self.passwords: dict[int, str] = {}
        self.members = Members()
        self._lagging: deque[tuple[int, int, Member | None]] = deque()
        self.refill(members)

    def refill(self, members: Iterable[Member]) -> None:
        """Forget every member and take in these; the first is the administrator."""
        self.members.clear()
        self.passwords.clear()
        self._lagging.clear()
        self._index = Index()
        for member in members:
            self.members[member.id] = member
        self._index.put(self.members.values())
        self._last_id = max(self.members, default=0)
        first = next(iter(self.members.values()), None)
        self.administrator = first or _unlisted_administrator()
        self.passwords[self.administrator.id] = ADMINISTRATOR_PASSWORD

    def register(self, *, password: str | None = None, **fields: Any) -> int:  # noqa: ANN401 -- any field of a member
        """
        Register a member now and return the id. Login and e-mail are made up where not
        given (`email=None` leaves it out); `rank` and `roles` are names.
        """
        with self.lock:
            member_id = int(fields.pop("id", self._last_id + 1))
            login = fields.pop("login", f"member{member_id}")
            values = self._values(None, fields)
            now = self.clock.now_ms()
            values = {
                "email": f"member{member_id}@members.example",
                "registration_time": now,
                "last_visit_time": now,
                "rank_id": 1,
                **values,
            }
            if member_id in self.members:
                raise ValueError(f"member {member_id} is there already")
            self._last_id = max(self._last_id, member_id)
            if password is not None:
                self.passwords[member_id] = password
            self._put([Member(id=member_id, login=login, **values)])
            return member_id

    def change(self, member_id: int | str, **fields: Any) -> Member:  # noqa: ANN401 -- any field of a member
        """Change as an administrator or others' kudos would: it is not a visit."""
        return self.change_many({int(member_id): fields})[0]

    def change_many(self, changes: dict[int, dict[str, Any]]) -> list[Member]:
        with self.lock:
            changed = [
                msgspec.structs.replace(
                    self.members[member_id],
                    **self._values(self.members[member_id], fields),
                )
                for member_id, fields in changes.items()
            ]
            self._put(changed)
            return changed

    def visit(self, member_id: int | str, at: datetime | int | None = None) -> Member:
        """Sign in once: the only thing that moves `last_visit_time`."""
        moment = self.clock.now_ms() if at is None else to_ms(at)
        logins = self.members[member_id].logins + 1
        return self.change(member_id, last_visit_time=moment, logins=logins)

    def delete(self, member_id: int | str, *, hard: bool = False) -> None:
        """Close the account; `hard` purges it, and nothing is left to be found."""
        with self.lock:
            if not hard:
                self.change(member_id, deleted=True)
                return
            removed = self.members.pop(int(member_id))
            self._publish(removed.id, None)

    def member_by_login(self, login: str) -> Member | None:
        """Find an account by its login as typed; letter case does not count."""
        with self.lock:
            if login.casefold() == self.administrator.login.casefold():
                return self.account(self.administrator.id)
            for member_id in self._index.ids_by("login", login):
                return self.members.get(member_id)
            return None

    def account(self, member_id: int) -> Member | None:
        if member_id == UNLISTED_ADMINISTRATOR == self.administrator.id:
            return self.administrator
        return self.members.get(member_id)

    def searchable(self) -> Index:
        """The search index after all that has become due was taken in."""
        now, lags = self.clock.now_ms(), self.switches.index_lag_seconds > 0
        while self._lagging and (not lags or self._lagging[0][0] <= now):
            _, member_id, member = self._lagging.popleft()
            self._show(member_id, member)
        return self._index

    def role_names(self, member: Member) -> list[str]:
        return [self.roles[role_id].name for role_id in member.roles]

    def _put(self, members: list[Member]) -> None:
        for member in members:
            self.members[member.id] = member
        if self.switches.index_lag_seconds:
            for member in members:
                self._publish(member.id, member)
        else:
            self.searchable().put(members)

    def _publish(self, member_id: int, member: Member | None) -> None:
        due = self.clock.now_ms() + round(self.switches.index_lag_seconds * 1000)
        self._lagging.append((due, member_id, member))
        self.searchable()

    def _show(self, member_id: int, member: Member | None) -> None:
        if member is None:
            self._index.drop(member_id)
        else:
            self._index.put([member])

    def _values(self, member: Member | None, fields: dict[str, Any]) -> dict[str, Any]:
        """Turn what tests and people write into what a member holds."""
        values: dict[str, Any] = {}
        custom = dict((member.custom if member else None) or {})
        for spelled, value in fields.items():
            name = _SPELLINGS.get(spelled, spelled)
            if name.startswith("c_"):
                self._custom(custom, name, value)
                values["custom"] = custom
            elif name == "rank":
                values["rank_id"] = self._rank_id(value)
            elif name == "roles":
                values["roles"] = tuple(self._role_id(role) for role in value)
            elif name not in FIELDS:
                raise ValueError(f"a member has no field {spelled}")
            elif isinstance(value, datetime):
                values[name] = to_ms(value)
            else:
                values[name] = value
        return values

    def _custom(self, custom: dict[str, str], name: str, value: str | None) -> None:
        self.custom_fields.add(name)
        if value is None:
            custom.pop(name, None)
        else:
            custom[name] = value

    def _rank_id(self, name: str) -> int:
        for rank in self.ranks.values():
            if rank.name == name:
                return rank.id
        rank = Rank(id=len(self.ranks) + 1, name=name, position=len(self.ranks) + 1)
        self.ranks[rank.id] = rank
        return rank.id

    def _role_id(self, name: str) -> str:
        for role in self.roles.values():
            if name in {role.id, role.name}:
                return role.id
        role = Role(
            id=name if ":" in name else f"t:{name}",
            name=name.rsplit(":", maxsplit=1)[-1],
        )
        self.roles[role.id] = role
        return role.id


def _unlisted_administrator() -> Member:
    return Member(
        id=UNLISTED_ADMINISTRATOR,
        login=ADMINISTRATOR_LOGIN,
        email="integration.admin@community.example",
        registration_time=0,
        rank_id=1,
        roles=(ADMINISTRATOR,),
    )
