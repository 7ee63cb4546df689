"""
Orders and pages: keyset cursors over the index, opaque to clients and good for the same
query only. Never walks rows that the page does not need.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from hashlib import blake2s
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from worker.sandbox.aurora.errors import BadQuery, NotEmulated
from worker.sandbox.aurora.filters import conjuncts, constraint_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.sandbox.aurora.index import Index, Key
    from worker.sandbox.aurora.liql import Query, Sort
    from worker.sandbox.aurora.members import Member
    from worker.sandbox.aurora.switches import Switches

RELEASE = "25.2"
# Sorts of which the value may be missing put such members before all others.
NEVER = -1

SORTS: dict[str, Callable[[Member], Any]] = {
    "id": lambda m: m.id,
    "last_visit_time": lambda m: (
        NEVER if m.last_visit_time is None else m.last_visit_time
    ),
    "registration_data.registration_time": lambda m: m.registration_time,
    "join_date": lambda m: m.registration_time,
    "login": lambda m: m.login.casefold(),
    "email": lambda m: (m.email or "").casefold(),
    "first_name": lambda m: (m.first_name or "").casefold(),
    "last_name": lambda m: (m.last_name or "").casefold(),
    "metrics.posts": lambda m: m.posts,
    "kudos_received.sum(weight)": lambda m: m.kudos_received,
    "messages.count(*)": lambda m: m.posts,
    "solutions_authored.count(*)": lambda m: m.solutions,
}
_TEXTS = {"login", "email", "first_name", "last_name"}


class Order(NamedTuple):
    """A key for the index, and whether its pages run backwards."""

    name: tuple[tuple[str, bool], ...]
    key: Callable[[Member], Key]
    descending: bool


def order_of(sorts: tuple[Sort, ...]) -> Order:
    """Ties go by id, in the direction of the first sort: pages never overlap."""
    names = [sort.field.text for sort in sorts] or ["id"]
    if unknown := [name for name in names if name not in SORTS]:
        raise BadQuery(f"no sort {unknown[0]}")
    descending = bool(sorts) and sorts[0].descending
    # A part that runs the other way is negated within the key.
    turned = [sort.descending != descending for sort in sorts] or [False]
    if any(name in _TEXTS and turn for name, turn in zip(names, turned, strict=True)):
        raise NotEmulated("sorting texts against the direction of the first sort")
    if "id" not in names:
        names.append("id")
        turned.append(False)
    end = names.index("id") + 1
    parts = tuple(zip(names[:end], turned[:end], strict=True))
    return Order(parts, _key(parts), descending)


def _key(parts: tuple[tuple[str, bool], ...]) -> Callable[[Member], Key]:
    first = SORTS[parts[0][0]]
    if len(parts) == 1:
        return lambda m: (first(m), m.id)
    if len(parts) == 2 and not parts[1][1]:
        return lambda m: (first(m), m.id)
    readers = [(SORTS[name], -1 if turn else 1) for name, turn in parts]

    def key(member: Member) -> Key:
        values = [read(member) if sign > 0 else -read(member) for read, sign in readers]
        return (*values, member.id)

    return key


class Cursor(NamedTuple):
    """Where a page ended. Written as the vendor's look: base64 of its parts by bars."""

    fingerprint: str
    last: Key

    def text(self, limit: int, first: Key) -> str:
        ends = ",".join(_encode(key) for key in (first, self.last))
        parts = (RELEASE, "2.0", "i", str(limit), f"{self.fingerprint}:1", ends)
        return base64.b64encode("|".join(parts).encode()).decode()


def read_cursor(text: str, query: Query, tenant: str) -> Cursor:
    """Read one of ours for this query; anything else is refused."""
    try:
        parts = base64.b64decode(text, validate=True).decode().split("|", 5)
        fingerprint, ends = parts[4].partition(":")[0], parts[5]
        _, last = msgspec.json.decode(f"[{ends}]", type=list[list[str | int]])
    except (binascii.Error, UnicodeDecodeError, IndexError, ValueError) as error:
        raise BadQuery("unreadable cursor") from error
    if fingerprint != fingerprint_of(query, tenant):
        raise BadQuery("the cursor of another query")
    return Cursor(fingerprint, tuple(last))


def fingerprint_of(query: Query, tenant: str) -> str:
    same = (
        tenant,
        query.collection,
        query.fields,
        query.where,
        query.order,
        query.limit,
    )
    return blake2s(repr(same).encode(), digest_size=6).hexdigest()


def _encode(key: Key) -> str:
    return msgspec.json.encode(key).decode()


def candidates(
    query: Query, index: Index, order: Order, switches: Switches, after: Key | None
) -> Iterator[Member]:
    """Yield members in order from behind `after`, as few as the WHERE allows."""
    ids = _named_ids(query, index, switches)
    if ids is not None:
        found = [index.members[i] for i in ids if i in index.members]
        found.sort(key=order.key, reverse=order.descending)
        for member in found:
            if after is None or _is_behind(order, order.key(member), after):
                yield member
        return
    entries = index.ordering(order.name, order.key).entries
    low, high = _bounds(query, order, entries, switches)
    if after is not None and order.descending:
        high = min(high, bisect_left(entries, after))
    elif after is not None:
        low = max(low, bisect_right(entries, after))
    positions = range(high - 1, low - 1, -1) if order.descending else range(low, high)
    members = index.members
    for position in positions:
        yield members[entries[position][-1]]


def _is_behind(order: Order, key: Key, after: Key) -> bool:
    return key < after if order.descending else key > after


def _named_ids(query: Query, index: Index, switches: Switches) -> set[int] | None:
    """The ids that an `=` or `IN` on an indexed field allows; None if there is none."""
    for comparison in conjuncts(query.where):
        constraint = constraint_of(comparison, switches)
        attribute = constraint.indexed
        if attribute is None or comparison.operator not in {"=", "in"}:
            continue
        values = comparison.value
        wanted = [
            value_of(constraint, value)
            for value in (values if isinstance(values, tuple) else (values,))
        ]
        if attribute == "id":
            return set(wanted)
        return {found for word in wanted for found in index.ids_by(attribute, word)}
    return None


def _bounds(
    query: Query, order: Order, entries: list[Key], switches: Switches
) -> tuple[int, int]:
    """The range of positions that comparisons on the first sort's field leave."""
    low, high = 0, len(entries)
    for comparison in conjuncts(query.where):
        if comparison.field.text != order.name[0][0]:
            continue
        if comparison.operator not in {"<", "<=", ">", ">="}:
            continue
        value = value_of(constraint_of(comparison, switches), comparison.value)
        # A one-part key sorts before, and one followed by infinity behind, its kin.
        start = bisect_left(entries, (value,))
        end = bisect_right(entries, (value, float("inf")))
        match comparison.operator:
            case "<":
                high = min(high, start)
            case "<=":
                high = min(high, end)
            case ">":
                low = max(low, end)
            case _:
                low = max(low, start)
    return low, high


def page(rows: Iterator[Member], size: int) -> tuple[list[Member], bool]:
    """Take a page; say whether at least one more row follows it."""
    taken = list(islice(rows, size + 1))
    return taken[:size], len(taken) > size
