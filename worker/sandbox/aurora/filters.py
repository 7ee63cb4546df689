"""
Turns the WHERE of a users query into a test of one member, and into the narrowest set
of ids or range of keys that the index can give. Knows members; knows no paging.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from worker.sandbox.aurora.clock import to_ms
from worker.sandbox.aurora.errors import BadQuery, GatewayFailed, NotEmulated
from worker.sandbox.aurora.liql import All, Comparison, Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.aurora.members import Member
    from worker.sandbox.aurora.switches import Switches

    Test = Callable[[Member], bool]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A field that WHERE may name: how it is read, and what its values are."""

    read: Callable[[Member], Any]
    kind: str
    # The attribute by which the index finds it without looking at every member.
    indexed: str | None = None


CONSTRAINTS = {
    "id": Constraint(lambda m: m.id, "number", "id"),
    "login": Constraint(lambda m: m.login, "text", "login"),
    "email": Constraint(lambda m: m.email, "text", "email"),
    "sso_id": Constraint(lambda m: m.sso_id, "text", "sso_id"),
    "first_name": Constraint(lambda m: m.first_name, "text"),
    "last_name": Constraint(lambda m: m.last_name, "text"),
    "location": Constraint(lambda m: m.location, "text"),
    "biography": Constraint(lambda m: m.biography, "text"),
    "online_status": Constraint(lambda m: m.online_status, "text"),
    "rank.id": Constraint(lambda m: m.rank_id, "number"),
    "roles.id": Constraint(lambda m: m.roles, "list"),
    "registration_data.status": Constraint(lambda m: m.status, "text"),
    "banned": Constraint(lambda m: m.banned, "boolean"),
    "deleted": Constraint(lambda m: m.deleted, "boolean"),
    "last_visit_time": Constraint(lambda m: m.last_visit_time, "time"),
    "registration_data.registration_time": Constraint(
        lambda m: m.registration_time, "time"
    ),
}
_ELSEWHERE = {"followers.id", "following.id", "messages_contributed.id", "nodes.id"}
_OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RANGES = frozenset({"<", "<=", ">", ">="})


def test_for(condition: Condition | None, switches: Switches) -> Test | None:
    """Compile the condition; None lets every member through."""
    if condition is None:
        return None
    if isinstance(condition, Comparison):
        return _comparison(condition, switches)
    tests = [test_for(part, switches) for part in condition.parts]
    known = [test for test in tests if test is not None]
    if isinstance(condition, All):
        return lambda member: all(test(member) for test in known)
    return lambda member: any(test(member) for test in known)


def _comparison(comparison: Comparison, switches: Switches) -> Test:
    constraint = constraint_of(comparison, switches)
    read = constraint.read
    if comparison.operator == "matches":
        return _matches(constraint, comparison, switches)
    if comparison.operator == "in":
        return _in(constraint, comparison, switches)
    if (
        constraint.kind in {"text", "boolean", "list"}
        and comparison.operator in _RANGES
    ):
        raise BadQuery("no ranges on this field")
    wanted = value_of(constraint, comparison.value)
    if constraint.kind == "list":
        return _holds(read, wanted, negated=comparison.operator == "!=")
    compare = _OPERATORS[comparison.operator]
    if constraint.kind == "text":
        return lambda m: compare((read(m) or "").casefold(), wanted)
    if comparison.operator == "!=":
        return lambda m: bool(read(m) != wanted)
    return lambda m: (value := read(m)) is not None and bool(compare(value, wanted))


def constraint_of(comparison: Comparison, switches: Switches) -> Constraint:
    name = comparison.field.text
    if name in _ELSEWHERE:
        raise NotEmulated(f"the constraint {name}")
    constraint = CONSTRAINTS.get(name)
    if constraint is None:
        raise BadQuery(f"no constraint {name}")
    if constraint.kind == "time" and not switches.time_constraints:
        raise BadQuery(f"no constraint {name}")
    return constraint


def value_of(constraint: Constraint, value: Any) -> Any:  # noqa: ANN401 -- LiQL values are of several types
    """Read a value as the field's type; ids are quoted digits as a rule."""
    if constraint.kind == "boolean":
        if not isinstance(value, bool):
            raise BadQuery("true or false expected")
        return value
    if constraint.kind == "time":
        return _time(value)
    if constraint.kind == "number":
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise BadQuery("a number expected")
    if not isinstance(value, str):
        raise BadQuery("a text expected")
    return value if constraint.kind == "list" else value.casefold()


def _time(value: Any) -> int:  # noqa: ANN401 -- LiQL values are of several types
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return to_ms(datetime.fromisoformat(str(value)))
    except ValueError as error:
        raise BadQuery("milliseconds or an ISO time with zone expected") from error


def _in(constraint: Constraint, comparison: Comparison, switches: Switches) -> Test:
    if not switches.in_operator:
        raise BadQuery("IN is not served")
    read = constraint.read
    assert isinstance(comparison.value, tuple)  # noqa: S101 -- the parser's promise, for mypy
    wanted = {value_of(constraint, value) for value in comparison.value}
    if constraint.kind == "text":
        return lambda m: (read(m) or "").casefold() in wanted
    if constraint.kind == "list":
        return lambda m: not wanted.isdisjoint(read(m))
    return lambda m: read(m) in wanted


def _matches(
    constraint: Constraint, comparison: Comparison, switches: Switches
) -> Test:
    if constraint.kind != "text":
        raise BadQuery("MATCHES wants a text field")
    words = str(comparison.value).casefold().split()
    if len(words) > 1 and switches.multi_word_matches_fails:
        raise GatewayFailed
    read = constraint.read
    return lambda m: all(word in (read(m) or "").casefold() for word in words)


def _holds(read: Callable[[Member], Any], wanted: str, *, negated: bool) -> Test:
    return lambda m: (wanted in read(m)) is not negated


def conjuncts(condition: Condition | None) -> list[Comparison]:
    """The comparisons that every row must pass; none from inside an OR."""
    if isinstance(condition, Comparison):
        return [condition]
    if isinstance(condition, All):
        return [found for part in condition.parts for found in conjuncts(part)]
    return []
