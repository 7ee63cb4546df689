"""
What one org holds: types, tables, rights, usage and switches, behind one lock.

Knows how to look things up; how rows are written is `writes`' business.
"""

import re
import threading
from typing import TYPE_CHECKING

from worker.sandbox.salesforce.access import Access
from worker.sandbox.salesforce.clock import OrgClock
from worker.sandbox.salesforce.errors import (
    Refused,
    entity_is_deleted,
    invalid_cross_reference,
    unknown_type,
)
from worker.sandbox.salesforce.faults import Faults
from worker.sandbox.salesforce.forms import Form
from worker.sandbox.salesforce.ids import IdCounter, normalise
from worker.sandbox.salesforce.schema import Field, ObjectType, Row, Value
from worker.sandbox.salesforce.standard import build_standard_types
from worker.sandbox.salesforce.table import Table
from worker.sandbox.salesforce.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable


class OrgState:
    """Everything the org holds; deterministic by seed but for the running clock."""

    def __init__(self, *, seed: int = 1) -> None:
        self.seed = seed
        self.lock = threading.RLock()
        self.clock = OrgClock()
        self.ids = IdCounter()
        self.types: dict[str, ObjectType] = {}
        self.tables: dict[str, Table] = {}
        self.by_prefix: dict[str, str] = {}
        self.counters: dict[str, int] = {}
        self.forms: dict[str, Form] = {}
        self.access = Access(self)
        self.faults = Faults(self.clock)
        self.usage = Usage(self.clock)
        self.admin_id = ""
        # Undo steps of the running transaction; None outside one.
        self.journal: list[Callable[[], None]] | None = None
        # Type → field whose equal values a duplicate rule refuses.
        self.duplicate_rules: dict[str, str] = {}
        # Owner that the active case assignment rule gives; None: no active rule.
        self.case_assignment: str | None = None
        self.schema_stamp = self.clock.stamp()
        for made in build_standard_types():
            self.add_type(made)

    @property
    def calls(self) -> dict[str, int]:
        """Metered API calls by endpoint kind."""
        return dict(self.usage.by_kind)

    # Types

    def add_type(self, made: ObjectType) -> Table:
        self.types[made.name.lower()] = made
        self.by_prefix[made.prefix] = made.name
        table = self.tables[made.name] = Table(made)
        self.schema_changed()
        return table

    def drop_type(self, name: str) -> None:
        gone = self.types.pop(name.lower())
        del self.by_prefix[gone.prefix]
        del self.tables[gone.name]
        self.schema_changed()

    def add_field(self, type_name: str, made: Field) -> None:
        of = self.type(type_name)
        of.add(made)
        self.tables[of.name].add_field(made)
        self.schema_changed()

    def drop_field(self, type_name: str, field_name: str) -> None:
        of = self.type(type_name)
        self.tables[of.name].drop_field(of.fields.pop(field_name.lower()))
        self.schema_changed()

    def schema_changed(self) -> None:
        """Forget what was derived from the schema and move its stamp."""
        self.forms.clear()
        self.access.forget()
        self.schema_stamp = self.clock.stamp()

    def type(self, name: str) -> ObjectType:
        found = self.types.get(name.lower())
        if found is None:
            raise unknown_type(name)
        return found

    def table(self, name: str) -> Table:
        return self.tables[self.type(name).name]

    def form(self, of: ObjectType) -> Form:
        """Return what writing this type needs, built once per schema."""
        found = self.forms.get(of.name)
        if found is None:
            found = self.forms[of.name] = Form(self, of)
        return found

    def next_count(self, name: str, start: int = 0) -> int:
        self.counters[name] = self.counters.get(name, start - 1) + 1
        return self.counters[name]

    def next_number(self, type_name: str, field: Field) -> str:
        """Return the next value of an auto-number field, in its display format."""
        number = self.next_count(f"{type_name}.{field.name}", 1)
        pattern = field.auto_number or "{0}"
        digits = re.search(r"\{(0+)\}", pattern)
        shown = str(number).zfill(len(digits[1])) if digits else str(number)
        return re.sub(r"\{0+\}", shown, pattern)

    # References

    def live_row(self, of: ObjectType, text: str) -> Row:
        """Return the row of an id, or refuse as a row operation does."""
        table = self.tables[of.name]
        row = table.rows.get(text)
        if row is not None:
            return row
        full = normalise(text)
        if full is None:
            raise Refused("MALFORMED_ID", f"malformed id {text}", ("Id",))
        if full in table.rows:
            return table.rows[full]
        if full in table.bin:
            raise entity_is_deleted()
        raise invalid_cross_reference()

    def reference(self, field: Field, text: str) -> str:
        """Check a lookup value: an id of the right type that exists."""
        for target in field.reference_to:
            table = self.tables.get(target)
            if table is not None and text in table.rows:
                return text
        full = normalise(text)
        if full is None or self.by_prefix.get(full[:3]) not in field.reference_to:
            raise Refused(
                "MALFORMED_ID",
                f"{field.label}: id value of incorrect type: {text}",
                (field.name,),
            )
        table = self.tables[self.by_prefix[full[:3]]]
        if full in table.bin:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", (field.name,))
        if full not in table.rows:
            raise invalid_cross_reference((field.name,))
        return full

    # Reading, outside permissions and metering

    def get(self, type_name: str, record_id: str) -> dict[str, Value] | None:
        with self.lock:
            table = self.table(type_name)
            row = table.rows.get(normalise(record_id) or "")
            return None if row is None else table.values_of(row)

    def records(
        self, type_name: str, *, deleted: bool = False
    ) -> list[dict[str, Value]]:
        """Return all live records of a type, or those in the recycle bin."""
        with self.lock:
            table = self.table(type_name)
            held = table.bin if deleted else table.rows
            return [table.values_of(row) for row in held.values()]

    def find(self, type_name: str, **equal: Value) -> list[dict[str, Value]]:
        """Return the records whose fields have these values, in order of id."""
        return [
            record
            for record in self.records(type_name)
            if all(record[name] == value for name, value in equal.items())
        ]
