"""Shapes rows as the vendor's JSON: attributes, nested parents, child results."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.sandbox.salesforce.schema import Field, Row, Value
from worker.sandbox.salesforce.soql.scope import Read, Scope
from worker.sandbox.salesforce.soql.syntax import Call, Path
from worker.sandbox.salesforce.table import ID

Record = dict[str, object]
Children = Callable[[Row, str], object]


@dataclass(slots=True)
class Node:
    """The record itself or one parent of it, with what was asked of it."""

    parent_id: Read | None = None
    values: list[tuple[str, Read]] = field(default_factory=list)
    parents: dict[str, "Node"] = field(default_factory=dict)
    children: list[tuple[str, Children]] = field(default_factory=list)
    slots: list[tuple[str, int]] = field(default_factory=list)


class Shape:
    """How one query's rows become records; cells for bulk results come from it too."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._root = Node()
        self.columns: list[tuple[str, Read, Field]] = []
        self._type_of = {t.of.prefix: t.of.name for t in scope.org.tables.values()}

    def add_path(self, path: Path) -> None:
        column = self._scope.column(path)
        names = [str(step.relationship_name) for step in column.steps]
        self.columns.append(
            (".".join([*names, column.field.name]), column.read, column.field)
        )
        if column.is_direct:
            name = path.alias or column.field.name
            self._root.slots.append((name, column.slot))
            self._root.values.append((name, column.read))
            return
        node = self._root
        start = len(path.parts) - len(column.steps) - 1
        for depth, name in enumerate(names):
            if name not in node.parents:
                through = Path((*path.parts[start : start + depth + 1], "Id"), path.at)
                made = Node(self._scope.column(through).read)
                node.parents[name] = made
            node = node.parents[name]
        node.values.append((column.field.name, column.read))

    def add_field(self, of: Field) -> None:
        self.add_path(Path((of.name,), 0))

    def add_children(self, name: str, children: Children) -> None:
        self._root.children.append((name, children))

    def add_label(self, call: Call, argument: Path) -> None:
        """`toLabel(x)` and `FORMAT(x)`: the org has one language, so the value."""
        column = self._scope.column(argument)
        name = call.alias or column.field.name
        self._root.values.append((name, column.read))
        self._root.slots.append((name, column.slot))
        self.columns.append((name, column.read, column.field))

    def record(self, row: Row, version: str) -> Record:
        """Build one record; a query without parents takes the short way."""
        root = self._root
        record: Record = {"attributes": self._attributes(str(row[ID]), version)}
        for name, slot in root.slots:
            record[name] = row[slot]
        for name, node in root.parents.items():
            record[name] = self._parent(node, row, version)
        for name, children in root.children:
            record[name] = children(row, version)
        return record

    def _parent(self, node: Node, row: Row, version: str) -> Record | None:
        parent_id = node.parent_id(row) if node.parent_id else None
        if parent_id is None:
            return None
        record: Record = {"attributes": self._attributes(str(parent_id), version)}
        for name, read in node.values:
            record[name] = read(row)
        for name, inner in node.parents.items():
            record[name] = self._parent(inner, row, version)
        return record

    def _attributes(self, row_id: str, version: str) -> Record:
        name = self._type_of[row_id[:3]]
        url = f"/services/data/{version}/sobjects/{name}/{row_id}"
        return {"type": name, "url": url}


def cell(value: Value) -> str:
    """Write a value as a cell of a bulk result."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("+0000", "Z") if _is_instant(value) else str(value)


def _is_instant(value: Value) -> bool:
    return (
        isinstance(value, str)
        and len(value) == 28
        and value.endswith("+0000")
        and value[10] == "T"
    )
