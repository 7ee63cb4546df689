"""Runs a parsed query: candidates or scan, filter, order, window, shape."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from worker.sandbox.salesforce.errors import NotEmulated
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import (
    Field,
    ObjectType,
    Row,
    Value,
    child_name,
)
from worker.sandbox.salesforce.soql.faults_of_query import malformed, refused
from worker.sandbox.salesforce.soql.filters import Filter
from worker.sandbox.salesforce.soql.groups import (
    AGGREGATES,
    Grouping,
    is_aggregate,
    ordered,
)
from worker.sandbox.salesforce.soql.parser import parse
from worker.sandbox.salesforce.soql.scope import Scope, open_scope
from worker.sandbox.salesforce.soql.shape import Record, Shape
from worker.sandbox.salesforce.soql.syntax import Call, Order, Path, Query
from worker.sandbox.salesforce.table import ID, fold_key

T = TypeVar("T")
_FIELDS_LIMIT = 200
_LABELS = frozenset({"tolabel", "format"})


@dataclass(slots=True)
class Found:
    """The outcome of a query before it is cut into pages."""

    of: ObjectType
    query: Query
    total: int
    rows: list[Row] = field(default_factory=list)
    shape: Shape | None = None
    groups: list[Record] | None = None

    def records(self, start: int, end: int, version: str) -> list[Record]:
        if self.groups is not None:
            return self.groups[start:end]
        if self.shape is None:
            return []
        shape = self.shape
        return [shape.record(row, version) for row in self.rows[start:end]]

    @property
    def length(self) -> int:
        """How many records there are to page through; 0 for a bare COUNT()."""
        return len(self.rows) if self.groups is None else len(self.groups)


def run(
    org: Org, statement: str, *, user_id: str | None, deleted: bool = False
) -> Found:
    """Run a statement as a user; `deleted` also looks into the recycle bin."""
    return _Run(org, user_id, deleted=deleted).found(parse(statement))


class _Run:
    def __init__(self, org: Org, user_id: str | None, *, deleted: bool) -> None:
        self._org = org
        self._user_id = user_id
        self._deleted = deleted

    def found(self, query: Query) -> Found:
        scope = self._scope(query)
        if _is_bare_count(query):
            rows = self._window(query, self._matching(query, scope))
            return Found(scope.of, query, total=len(rows))
        if is_aggregate(query):
            grouping = Grouping(scope, query)
            groups = grouping.records(self._matching(query, scope))
            groups = self._window(query, groups)
            return Found(scope.of, query, total=len(groups), groups=groups)
        shape = self._shape(query, scope)
        rows = self._ordered(query, scope, self._matching(query, scope))
        rows = self._window(query, rows)
        return Found(scope.of, query, len(rows), rows, shape)

    def _scope(self, query: Query) -> Scope:
        scope = open_scope(
            self._org, query.text, query.source, query.source_at, self._user_id
        )
        if query.alias:
            scope.aliases.add(query.alias.lower())
        return scope

    # Rows

    def _matching(self, query: Query, scope: Scope) -> list[Row]:
        compiled = Filter(scope, self._semi_join)
        test = compiled.test(query.where) if query.where is not None else None
        rows = self._offered(scope, compiled.candidates(query.where))
        seen = scope.table.visible(rows, self._org.clock.now().timestamp())
        return list(seen) if test is None else [row for row in seen if test(row)]

    def _offered(self, scope: Scope, ids: set[str] | None) -> Iterable[Row]:
        table = scope.table
        if ids is None:
            live: Iterable[Row] = table.rows.values()
            binned: Iterable[Row] = table.bin.values()
        else:
            live = [table.rows[i] for i in sorted(ids) if i in table.rows]
            # The bin has no index: its rows are few, and queryAll is rare.
            binned = table.bin.values()
        return [*live, *binned] if self._deleted else live

    def _semi_join(self, inner: Query) -> set[Value]:
        if len(inner.items) != 1 or not isinstance(inner.items[0], Path):
            raise malformed(inner.text, inner.at, "SELECT one field in an inner select")
        scope = self._scope(inner)
        read = scope.column(inner.items[0]).read
        return {read(row) for row in self._matching(inner, scope)} - {None}

    def _ordered(self, query: Query, scope: Scope, rows: list[Row]) -> list[Row]:
        orders = query.orders
        in_order = scope.table.is_in_order and not self._deleted
        if len(orders) == 1 and _is_by_id(orders[0]) and in_order:
            return rows
        for order in reversed(orders):
            rows = ordered(rows, self._key(scope, order), order)
        return rows

    def _key(self, scope: Scope, order: Order) -> Callable[[Row], Value]:
        if isinstance(order.target, Call):
            raise malformed(
                scope.statement,
                order.target.at,
                f"unexpected token: '{order.target.name}'",
            )
        column = scope.column(order.target)
        if not column.field.sortable:
            raise refused(
                "INVALID_FIELD",
                scope.statement,
                order.target.at,
                f"field '{column.field.name}' can not be sorted in a query call",
            )
        read, fold = column.read, fold_key(column.field)
        if not column.field.is_text or column.field.case_sensitive:
            return read
        return lambda row: fold(read(row))

    def _window(self, query: Query, items: list[T]) -> list[T]:
        end = None if query.limit is None else query.offset + query.limit
        return items[query.offset : end]

    # Shapes

    def _shape(self, query: Query, scope: Scope) -> Shape:
        shape = Shape(scope)
        for item in query.items:
            if isinstance(item, Query):
                self._add_children(shape, scope, item)
            elif isinstance(item, Path):
                shape.add_path(item)
            else:
                self._add_call(shape, scope, query, item)
        return shape

    def _add_call(self, shape: Shape, scope: Scope, query: Query, call: Call) -> None:
        if call.name == "fields" and call.argument is not None:
            for of in _fields_of(scope, query, call):
                shape.add_field(of)
        elif call.name in _LABELS and call.argument is not None:
            shape.add_label(call, call.argument)
        elif call.name in AGGREGATES:
            raise malformed(
                query.text,
                call.at,
                "Grouped query cannot mix COUNT() with fields",
            )
        else:
            raise NotEmulated(f"SOQL {call.name}()")

    def _add_children(self, shape: Shape, scope: Scope, inner: Query) -> None:
        of, lookup = child_of(scope, inner)
        child_scope = Scope(self._org, inner.text, of, self._user_id)
        child_scope.aliases.add((inner.alias or inner.source).lower())
        inner_shape = self._shape(inner, child_scope)
        compiled = Filter(child_scope, self._semi_join)
        test = compiled.test(inner.where) if inner.where is not None else None
        table = child_scope.table
        slot = table.slots[lookup.name]

        def children(row: Row, version: str) -> object:
            held = table.find(slot, row[ID])
            now = self._org.clock.now().timestamp()
            held = [r for r in table.visible(held, now) if test is None or test(r)]
            rows = self._window(inner, self._ordered(inner, child_scope, held))
            if not rows:
                return None
            records = [inner_shape.record(r, version) for r in rows]
            return {"totalSize": len(records), "done": True, "records": records}

        shape.add_children(str(child_name(lookup)), children)


def child_of(scope: Scope, inner: Query) -> tuple[ObjectType, Field]:
    """Return the type and lookup behind the FROM of a child sub-query."""
    wanted = inner.source.lower()
    for child in scope.org.form(scope.of).children:
        name = child_name(child.field)
        rights = scope.org.access.of(scope.user_id, child.table.of)
        if name and name.lower() == wanted and rights.read and rights.sees(child.field):
            return child.table.of, child.field
    raise refused(
        "INVALID_TYPE",
        scope.statement,
        inner.source_at,
        f"Didn't understand relationship '{inner.source}' in FROM part of query "
        "call. If you are attempting to use a custom relationship, be sure to "
        "append the '__r' after the custom relationship name. Please reference "
        "your WSDL or the describe call for the appropriate names.",
    )


def _is_by_id(order: Order) -> bool:
    target = order.target
    if order.descending or not isinstance(target, Path):
        return False
    return target.text.lower() == "id"


def _is_bare_count(query: Query) -> bool:
    item = query.items[0]
    return (
        len(query.items) == 1
        and isinstance(item, Call)
        and item.name == "count"
        and item.argument is None
        and item.alias is None
        and not query.groups
    )


def _fields_of(scope: Scope, query: Query, call: Call) -> list[Field]:
    which = call.argument.text.lower() if call.argument else ""
    if which not in ("all", "standard", "custom"):
        raise malformed(query.text, call.at, f"unexpected token: '{which}'")
    if which != "standard" and (query.limit is None or query.limit > _FIELDS_LIMIT):
        raise malformed(
            query.text,
            call.at,
            "The SOQL FIELDS function must have a LIMIT of at most 200",
        )
    return [
        f
        for f in scope.visible_fields()
        if which == "all" or f.custom == (which == "custom")
    ]
