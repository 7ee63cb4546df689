"""
Resolves names of a query against the schema as its user sees it: types, fields,
parents. A resolved path knows how to read its value from a row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import Field, ObjectType, Row, Value
from worker.sandbox.salesforce.soql.faults_of_query import (
    malformed,
    no_such_column,
    no_such_relationship,
    no_such_type,
)
from worker.sandbox.salesforce.soql.syntax import Path

Read = Callable[[Row], Value]
Climb = Callable[[Row], Row | None]
_PARENT_LEVELS = 5


@dataclass(frozen=True, slots=True)
class Column:
    """A resolved path: the field at its end, the parents on the way."""

    field: Field
    steps: tuple[Field, ...]
    slot: int
    read: Read

    @property
    def is_direct(self) -> bool:
        return not self.steps


class Scope:
    """The type a query selects from, through the eyes of one user."""

    def __init__(
        self, org: Org, statement: str, of: ObjectType, user_id: str | None
    ) -> None:
        self.org = org
        self.statement = statement
        self.of = of
        self.user_id = user_id
        self.table = org.tables[of.name]
        self.aliases = {of.name.lower()}

    def field(self, of: ObjectType, name: str, at: int) -> Field:
        found = of.field(name)
        if found is None or not self.org.access.of(self.user_id, of).sees(found):
            raise no_such_column(self.statement, at, name, of.name)
        return found

    def visible_fields(self) -> list[Field]:
        rights = self.org.access.of(self.user_id, self.of)
        return [f for f in self.of.fields.values() if rights.sees(f)]

    def column(self, path: Path) -> Column:
        """Resolve a path from the queried type; refuses as the vendor does."""
        parts = path.parts
        if len(parts) > 1 and parts[0].lower() in self.aliases:
            parts = parts[1:]
        if len(parts) > _PARENT_LEVELS + 1:
            raise malformed(
                self.statement, path.at, "SOQL: at most 5 parent levels are allowed"
            )
        of, steps = self.of, list[Field]()
        reader: Climb = _itself
        for name in parts[:-1]:
            step = self._step(of, name, path.at)
            reader = self._through(reader, of, step)
            steps.append(step)
            of = self._target(step, parts[-1], path.at)
        field = self.field(of, parts[-1], path.at)
        slot = self.org.tables[of.name].slots[field.name]
        return Column(field, tuple(steps), slot, self._reading(reader, steps, field))

    def _step(self, of: ObjectType, name: str, at: int) -> Field:
        step = of.by_relationship(name)
        if step is None or not self.org.access.of(self.user_id, of).sees(step):
            raise no_such_relationship(self.statement, at, name, of.name)
        return step

    def _target(self, step: Field, wanted: str, at: int) -> ObjectType:
        """The parent type; of several (Owner), the first that has the field."""
        known = [t for t in step.reference_to if t in self.org.tables]
        for name in known:
            of = self.org.tables[name].of
            if len(known) == 1 or of.field(wanted) or of.by_relationship(wanted):
                return of
        raise no_such_column(self.statement, at, wanted, "Name")

    def _through(self, reader: Climb, of: ObjectType, step: Field) -> Climb:
        slot = self.org.tables[of.name].slots[step.name]
        parents = [
            self.org.tables[t] for t in step.reference_to if t in self.org.tables
        ]

        def climb(row: Row) -> Row | None:
            below = reader(row)
            if below is None or below[slot] is None:
                return None
            key = str(below[slot])
            for table in parents:
                if key in table.rows:
                    return table.rows[key]
            return None

        return climb

    def _reading(self, reader: Climb, steps: list[Field], field: Field) -> Read:
        name = field.name
        if not steps:
            slot = self.table.slots[name]
            return itemgetter(slot)
        slots = {
            t: self.org.tables[t].slots.get(name)
            for t in steps[-1].reference_to
            if t in self.org.tables
        }
        by_prefix = {self.org.tables[t].of.prefix: slot for t, slot in slots.items()}

        def read(row: Row) -> Value:
            parent = reader(row)
            if parent is None:
                return None
            slot = by_prefix.get(str(parent[0])[:3])
            return None if slot is None else parent[slot]

        return read


def _itself(row: Row) -> Row | None:
    return row


def open_scope(
    org: Org, statement: str, source: str, at: int, user_id: str | None
) -> Scope:
    """Open the scope of FROM; a type the user may not read does not exist for him."""
    of = org.types.get(source.lower())
    if of is None or not org.access.of(user_id, of).read:
        raise no_such_type(statement, at, source)
    return Scope(org, statement, of, user_id)
