"""
The search index: members in every order asked for so far, and by their unique words.
What a search sees; it may lag behind the community.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.sandbox.aurora.members import Member

Key = tuple[Any, ...]
# Above this, sorting anew beats moving rows one by one.
FEW = 500


class Ordering:
    """All members by one key, which ends with the id, so that no two are equal."""

    def __init__(self, key: Callable[[Member], Key], members: Iterable[Member]) -> None:
        self.key = key
        self.entries: list[Key] = sorted(map(key, members))

    def add(self, member: Member) -> None:
        insort(self.entries, self.key(member))

    def remove(self, member: Member) -> None:
        del self.entries[bisect_left(self.entries, self.key(member))]


class Index:
    LOOKUPS = ("login", "email", "sso_id")

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}
        self._orderings: dict[object, Ordering] = {}
        self._lookups: dict[str, dict[str, list[int]]] = {}

    def put(self, members: Iterable[Member]) -> None:
        """Take in new members and newer states of known ones."""
        members = list(members)
        if len(members) > FEW:
            self._orderings.clear()
            self._lookups.clear()
            self.members.update((member.id, member) for member in members)
            return
        for member in members:
            self._replace(self.members.get(member.id), member)
            self.members[member.id] = member

    def drop(self, member_id: int) -> None:
        self._replace(self.members.pop(member_id, None), None)

    def ordering(self, name: object, key: Callable[[Member], Key]) -> Ordering:
        """The order called `name`, built when first asked for, kept up from then on."""
        if name not in self._orderings:
            self._orderings[name] = Ordering(key, self.members.values())
        return self._orderings[name]

    def ids_by(self, attribute: str, value: str) -> list[int]:
        """The ids with this login, e-mail or SSO id; letter case does not count."""
        if attribute not in self._lookups:
            self._lookups[attribute] = self._lookup(attribute)
        return sorted(self._lookups[attribute].get(value.casefold(), ()))

    def _lookup(self, attribute: str) -> dict[str, list[int]]:
        table: dict[str, list[int]] = {}
        for member in self.members.values():
            word = getattr(member, attribute)
            if word is not None:
                table.setdefault(word.casefold(), []).append(member.id)
        return table

    def _replace(self, old: Member | None, new: Member | None) -> None:
        for ordering in self._orderings.values():
            if old and new and ordering.key(old) == ordering.key(new):
                continue
            if old:
                ordering.remove(old)
            if new:
                ordering.add(new)
        for attribute, table in self._lookups.items():
            if old and (word := getattr(old, attribute)) is not None:
                table[word.casefold()].remove(old.id)
            if new and (word := getattr(new, attribute)) is not None:
                table.setdefault(word.casefold(), []).append(new.id)
