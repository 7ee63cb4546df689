"""
What writing one type needs, derived once per schema: converters, required and
unique fields, children. Knows the fields, not the rules of a type.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from worker.sandbox.salesforce.errors import Refused, unknown_field, wrong_json
from worker.sandbox.salesforce.schema import Field, ObjectType, OnDelete, Value
from worker.sandbox.salesforce.values import (
    FromCell,
    FromJson,
    Shortcut,
    from_cell,
    from_json,
    shortcut_of,
)

if TYPE_CHECKING:
    from worker.sandbox.salesforce.state import OrgState
    from worker.sandbox.salesforce.table import Table


@dataclass(frozen=True, slots=True)
class Entry:
    """One field as it is written."""

    slot: int
    field: Field
    from_json: FromJson
    from_cell: FromCell
    shortcut: Shortcut


@dataclass(frozen=True, slots=True)
class Child:
    """A lookup of another type that may point at this one."""

    table: "Table"
    slot: int
    field: Field
    on_delete: OnDelete


class Form:
    """The entries of one type by lower-case field name."""

    def __init__(self, org: "OrgState", of: ObjectType) -> None:
        self._org = org
        self.of = of
        self.table = org.tables[of.name]
        self.entries = {
            name: Entry(
                self.table.slots[field.name],
                field,
                from_json(field, org.reference),
                from_cell(field, org.reference),
                shortcut_of(field),
            )
            for name, field in of.fields.items()
        }

    def slot(self, name: str) -> int:
        return self.table.slots[name]

    @cached_property
    def required(self) -> list[tuple[int, str]]:
        return [
            (e.slot, e.field.name)
            for e in self.entries.values()
            if not e.field.nillable and e.field.createable and not e.field.defaulted
        ]

    @cached_property
    def not_null(self) -> list[tuple[int, str]]:
        """Fields an update may not empty, defaulted or not."""
        return [
            (e.slot, e.field.name)
            for e in self.entries.values()
            if not e.field.nillable and (e.field.createable or e.field.updateable)
        ]

    @cached_property
    def unique(self) -> list[tuple[int, Field]]:
        return [(e.slot, e.field) for e in self.entries.values() if e.field.unique]

    @cached_property
    def stamps(self) -> tuple[int, int, int]:
        """The slots of LastModifiedDate, SystemModstamp and LastModifiedById."""
        names = ("LastModifiedDate", "SystemModstamp", "LastModifiedById")
        modified, stamp, by = (self.slot(name) for name in names)
        return modified, stamp, by

    @cached_property
    def name_slot(self) -> int | None:
        field = self.of.name_field
        return None if field is None else self.slot(field.name)

    @cached_property
    def auto_numbers(self) -> list[tuple[int, Field]]:
        return [(e.slot, e.field) for e in self.entries.values() if e.field.auto_number]

    @cached_property
    def children(self) -> list[Child]:
        found = []
        for table in self._org.tables.values():
            for field in table.of.fields.values():
                if self.of.name in field.reference_to and field.name not in (
                    "MasterRecordId",
                    "CreatedById",
                    "LastModifiedById",
                ):
                    slot = table.slots[field.name]
                    found.append(Child(table, slot, field, field.on_delete))
        return found

    def relation(self, name: str, value: object) -> tuple[Field, Value]:
        """Resolve a parent given by external id in a JSON body."""
        field = self.of.by_relationship(name)
        if field is None:
            raise unknown_field(name, self.of.name)
        if value is None:
            return field, None
        if not isinstance(value, dict):
            raise wrong_json("SObject", "VALUE_STRING", value)
        keys = [(k, v) for k, v in value.items() if k != "attributes"]
        if len(keys) != 1:
            raise Refused(
                "INVALID_FIELD",
                f"{field.label}: exactly one external id is expected of {name}",
                (field.name,),
            )
        return field, self.parent_by_key(field, keys[0][0], keys[0][1])

    def parent_by_key(self, field: Field, key: str, value: object) -> Value:
        """Return the id of the one parent with this external id."""
        for target in field.reference_to:
            found = self._parents(target, key, str(value))
            if found is None:
                continue
            if len(found) == 1:
                return found[0]
            if found:
                raise several_matches(key, found)
            raise Refused(
                "INVALID_FIELD",
                f"Foreign key external ID: {value} not found for field {key} in "
                f"entity {target}",
                (),
            )
        raise Refused(
            "INVALID_FIELD",
            f"Field name provided, {key} does not match an External ID, Salesforce "
            f"Id, or indexed field for {field.reference_to[0]}",
            (),
        )

    def _parents(self, target: str, key: str, value: str) -> list[str] | None:
        table = self._org.tables.get(target)
        if table is None:
            return None
        field = table.of.field(key)
        if field is None or not (field.external_id or field.id_lookup):
            return None
        if field.type == "id":
            return [self._org.reference(field_to(target, field), value)]
        slot = table.slots[field.name]
        stored = self._org.form(table.of).entries[key.lower()].from_cell(value)
        return table.index(slot).ids(stored)


def field_to(target: str, key: Field) -> Field:
    return Field(key.name, key.label, "reference", reference_to=(target,))


def several_matches(key: str, ids: list[str]) -> Refused:
    return Refused(
        "DUPLICATE_EXTERNAL_ID",
        f"{key}: more than one record found for external id field: [{', '.join(ids)}]",
        (key,),
    )
