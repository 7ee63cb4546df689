"""Aggregates: COUNT, SUM, AVG, MIN, MAX, with GROUP BY and HAVING."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

from worker.sandbox.salesforce.errors import NotEmulated
from worker.sandbox.salesforce.schema import Row, Value
from worker.sandbox.salesforce.soql.faults_of_query import malformed
from worker.sandbox.salesforce.soql.scope import Read, Scope
from worker.sandbox.salesforce.soql.syntax import (
    And,
    Call,
    Comparison,
    Condition,
    Kind,
    Literal,
    Not,
    Or,
    Order,
    Path,
    Query,
)

AGGREGATES = frozenset({"count", "count_distinct", "sum", "avg", "min", "max"})
T = TypeVar("T")
Record = dict[str, object]
Summary = Callable[[list[Row]], Value]

_DATE_PARTS: dict[str, Callable[[date], int]] = {
    "calendar_year": lambda day: day.year,
    "calendar_month": lambda day: day.month,
    "calendar_quarter": lambda day: (day.month - 1) // 3 + 1,
    "day_in_month": lambda day: day.day,
    "day_in_year": lambda day: day.timetuple().tm_yday,
    "day_in_week": lambda day: day.isoweekday() % 7 + 1,
}


def is_aggregate(query: Query) -> bool:
    """Whether the query answers AggregateResults instead of records."""
    if query.groups:
        return True
    return any(
        isinstance(i, Call) and i.name in AGGREGATES and (i.argument or i.alias)
        for i in query.items
    )


class Grouping:
    """Computes the groups of one aggregate query."""

    def __init__(self, scope: Scope, query: Query) -> None:
        self._scope = scope
        self._query = query
        self._keys = [self._key(group) for group in query.groups]
        self._names = [_signature(group) for group in query.groups]
        self._columns = self._output()

    def _key(self, group: Path | Call) -> Read:
        if isinstance(group, Path):
            return self._scope.column(group).read
        part = _DATE_PARTS.get(group.name)
        if group.argument is None or (part is None and group.name != "day_only"):
            raise NotEmulated(f"SOQL {group.name}() in GROUP BY")
        read = self._scope.column(group.argument).read

        def key(row: Row) -> Value:
            held = read(row)
            if held is None:
                return None
            day = str(held)[:10]
            return day if part is None else part(date.fromisoformat(day))

        return key

    def _output(self) -> list[tuple[str, Summary]]:
        columns: list[tuple[str, Summary]] = []
        unnamed = 0
        for item in self._query.items:
            if isinstance(item, Query):
                raise malformed(self._query.text, item.at, "unexpected token: 'SELECT'")
            name = item.alias
            if name is None and isinstance(item, Path):
                name = item.parts[-1]
            if name is None:
                name, unnamed = f"expr{unnamed}", unnamed + 1
            columns.append((name, self._summary(item)))
        return columns

    def _summary(self, item: Path | Call) -> Summary:
        if isinstance(item, Call) and item.name in AGGREGATES:
            return self._aggregate(item)
        if _signature(item) not in self._names:
            shown = item.text if isinstance(item, Path) else item.name
            raise malformed(
                self._query.text,
                item.at,
                f"Field must be grouped or aggregated: {shown}",
            )
        key = self._keys[self._names.index(_signature(item))]
        return lambda rows: key(rows[0]) if rows else None

    def _aggregate(self, call: Call) -> Summary:
        if call.argument is None:
            return len
        read = self._scope.column(call.argument).read
        reduce = _REDUCERS[call.name]
        return lambda rows: reduce([v for v in map(read, rows) if v is not None])

    def records(self, rows: Iterable[Row]) -> list[Record]:
        """Return the groups as records, filtered and ordered as asked."""
        grouped: dict[tuple[Value, ...], list[Row]] = {}
        for row in rows:
            grouped.setdefault(tuple(key(row) for key in self._keys), []).append(row)
        if not self._query.groups:
            grouped.setdefault((), [])
        groups = list(grouped.values())
        if self._query.having is not None:
            groups = [g for g in groups if self._having(self._query.having, g)]
        for order in reversed(self._query.orders):
            groups = self._ordered(groups, order)
        return [
            {"attributes": {"type": "AggregateResult"}}
            | {name: summary(group) for name, summary in self._columns}
            for group in groups
        ]

    def _ordered(self, groups: list[list[Row]], order: Order) -> list[list[Row]]:
        summary = self._by_name(order.target)
        return ordered(groups, summary, order)

    def _by_name(self, target: Path | Call) -> Summary:
        if isinstance(target, Path):
            for name, summary in self._columns:
                if name.lower() == target.text.lower():
                    return summary
        return self._summary(target)

    def _having(self, condition: Condition, rows: list[Row]) -> bool:
        match condition:
            case And(terms):
                return all(self._having(term, rows) for term in terms)
            case Or(terms):
                return any(self._having(term, rows) for term in terms)
            case Not(term):
                return not self._having(term, rows)
            case Comparison(target, operator, Literal() as literal):
                held = self._summary(target)(rows)
                return _holds(held, operator, literal)
        raise NotEmulated("SOQL HAVING with a list")


def _holds(held: Value, operator: str, literal: Literal) -> bool:
    wanted: Value = literal.text
    if literal.kind is Kind.NUMBER:
        wanted = float(literal.text)
    if operator == "=":
        return held == wanted
    if operator == "!=":
        return held != wanted
    if held is None or isinstance(held, str) != isinstance(wanted, str):
        return False
    below = held < wanted  # type: ignore[operator] # both are text or both numbers
    if operator in ("<", ">="):
        return below is (operator == "<")
    return (below or held == wanted) is (operator == "<=")


def _signature(item: Path | Call) -> tuple[str, str]:
    if isinstance(item, Path):
        return "", item.text.lower()
    return item.name, item.argument.text.lower() if item.argument else ""


def _sum(values: list[Value]) -> Value:
    return sum((float(v or 0) for v in values), 0.0) if values else None


_REDUCERS: dict[str, Callable[[list[Value]], Value]] = {
    "count": len,
    "count_distinct": lambda values: len(set(values)),
    "sum": _sum,
    "avg": lambda values: float(_sum(values) or 0) / len(values) if values else None,
    "min": lambda values: min(values, default=None),  # type: ignore[type-var] # one type a field
    "max": lambda values: max(values, default=None),  # type: ignore[type-var] # one type a field
}


def ordered(items: list[T], read: Callable[[T], Value], order: Order) -> list[T]:
    """Sort stably by one key; nulls come first unless asked otherwise."""
    held, missing = items, list[T]()
    if None in map(read, items):
        missing = [item for item in items if read(item) is None]
        held = [item for item in items if read(item) is not None]
    held = sorted(held, key=read, reverse=order.descending)  # type: ignore[arg-type] # one type a field
    return held + missing if order.nulls_last else missing + held
