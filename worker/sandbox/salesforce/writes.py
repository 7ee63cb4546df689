"""
Writes rows: rights, converters, rules, uniqueness, stamps, undo.

One writer serves one call of one user. Whatever the door (single rows,
Collections, bulk, the short methods of the org), rows pass through here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.sandbox.salesforce import rules
from worker.sandbox.salesforce.errors import (
    Refused,
    RequestRefused,
    invalid_cross_reference,
    no_access,
    not_writable,
    required_missing,
    unknown_field,
)
from worker.sandbox.salesforce.forms import Form, several_matches
from worker.sandbox.salesforce.ids import normalise
from worker.sandbox.salesforce.schema import Field, ObjectType, OnDelete, Row, Value
from worker.sandbox.salesforce.state import OrgState
from worker.sandbox.salesforce.table import DELETED, ID

Changes = dict[int, Value]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is, and the headers that change how rows are saved."""

    user_id: str | None = None
    allow_duplicates: bool = False
    auto_assign: bool = True


SYSTEM = Caller(None, allow_duplicates=True, auto_assign=False)


class Writer:
    """Raises Refused for one row, RequestRefused where the whole call fails."""

    def __init__(self, org: OrgState, caller: Caller = SYSTEM) -> None:
        self.org = org
        self.caller = caller
        self._user = caller.user_id or org.admin_id

    # From JSON bodies

    def insert_body(self, of: ObjectType, body: Mapping[str, object]) -> str:
        return self.insert(of, self.shape(of, body, creating=True))

    def update_body(self, of: ObjectType, row: Row, body: Mapping[str, object]) -> None:
        self.update(of, row, self.shape(of, body, creating=False))

    def shape(
        self, of: ObjectType, body: Mapping[str, object], *, creating: bool
    ) -> Changes:
        """Turn a body into slots and stored values; refuses what may not be set."""
        form = self.org.form(of)
        changes: Changes = {}
        read_only: list[str] = []
        for name, value in body.items():
            if name.lower() == "id":
                _refuse_id(value, creating=creating)
                continue
            entry = form.entries.get(name.lower())
            if entry is None:
                if name == "attributes":
                    continue
                field, stored = self._relation(form, name, value)
            else:
                field = entry.field
                stored = entry.from_json(value)
            if not self.may_set(of, field, creating=creating):
                read_only.append(field.name)
            changes[form.slot(field.name)] = stored
        if read_only:
            raise not_writable(read_only)
        return changes

    def _relation(self, form: Form, name: str, value: object) -> tuple[Field, Value]:
        if self.caller.user_id is not None:
            field = form.of.by_relationship(name)
            if field is not None and not self._sees(form.of, field):
                raise unknown_field(name, form.of.name)
        return form.relation(name, value)

    def may_set(self, of: ObjectType, field: Field, *, creating: bool) -> bool:
        """Whether the caller may set a field; raises if he may not even see it."""
        if self.caller.user_id is None:
            return True
        if not self._sees(of, field):
            raise unknown_field(field.name, of.name)
        able = field.createable if creating else field.updateable
        return able and self.org.access.of(self.caller.user_id, of).writes(field)

    def _sees(self, of: ObjectType, field: Field) -> bool:
        return self.org.access.of(self.caller.user_id, of).sees(field)

    # Rows

    def insert(self, of: ObjectType, changes: Changes) -> str:
        """Save a new row; returns its id."""
        self._may(of, "create")
        form = self.org.form(of)
        row = form.table.template.copy()
        for slot, value in changes.items():
            row[slot] = value
        missing = [name for slot, name in form.required if row[slot] is None]
        if missing:
            raise required_missing(missing)
        self._check(form, row, None)
        self._complete(form, row)
        form.table.add(row)
        self._did(lambda: form.table.remove(row))
        self._late(form, row, None)
        rules.after_save(self, of, row)
        return str(row[ID])

    def update(self, of: ObjectType, row: Row, changes: Changes) -> None:
        """Save changes to a live row; stamps move even if nothing differs."""
        self._may(of, "edit")
        form = self.org.form(of)
        after = row.copy()
        for slot, value in changes.items():
            after[slot] = value
        missing = [
            name
            for slot, name in form.not_null
            if after[slot] is None and row[slot] is not None
        ]
        if missing:
            raise required_missing(missing)
        self._check(form, after, row)
        self._stamp(form, after)
        before = row.copy()
        form.table.replace(row, after)
        self._did(lambda: form.table.replace(row, before))
        self._late(form, row, before)
        rules.after_save(self, of, row)

    def upsert(
        self, of: ObjectType, key: Field, value: Value, changes: Changes
    ) -> tuple[str, bool]:
        """Update the one row with this key, or insert it; says whether it is new."""
        form = self.org.form(of)
        if value is None:
            if key.type == "id":
                return self.insert(of, changes), True
            raise Refused("MISSING_ARGUMENT", f"{key.name} not specified", ())
        if key.type == "id":
            row = self.org.live_row(of, str(value))
            self.update(of, row, changes)
            return str(row[ID]), False
        slot = form.slot(key.name)
        ids = form.table.index(slot).ids(value)
        if len(ids) > 1:
            raise several_matches(key.name, ids)
        if ids:
            self.update(of, form.table.rows[ids[0]], changes)
            return ids[0], False
        changes[slot] = value
        return self.insert(of, changes), True

    def _check(self, form: Form, row: Row, before: Row | None) -> None:
        rules.before_save(self.org, form, row, before, self.caller)
        if self.org.faults.rejects_rows:
            self.org.faults.reject(form.of.name, form.table.values_of(row))
        for slot, field in form.unique:
            self._check_unique(form, slot, field, row)

    def _check_unique(self, form: Form, slot: int, field: Field, row: Row) -> None:
        for other in form.table.index(slot).ids(row[slot]):
            if other != row[ID]:
                raise Refused(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {field.name} duplicates value on record "
                    f"with id: {other[:15]}",
                    (),
                )

    def _complete(self, form: Form, row: Row) -> None:
        """Fill in what the platform gives a new row."""
        row[ID] = self.org.ids.next(form.of.prefix)
        row[DELETED] = False
        for slot, field in form.auto_numbers:
            row[slot] = self.org.next_number(form.of.name, field)
        if form.name_slot is not None and row[form.name_slot] is None:
            # A custom object whose text name was left out is named by its id.
            row[form.name_slot] = row[ID]
        owner = form.table.slots.get("OwnerId")
        if owner is not None and row[owner] is None:
            row[owner] = self._user
        if self.caller.user_id is not None or row[form.slot("CreatedDate")] is None:
            row[form.slot("CreatedDate")] = self.org.clock.stamp()
        row[form.slot("CreatedById")] = self._user
        self._stamp(form, row)

    def _stamp(self, form: Form, row: Row) -> None:
        modified, stamp, by = form.stamps
        row[modified] = row[stamp] = self.org.clock.stamp()
        row[by] = self._user

    def _late(self, form: Form, row: Row, before: Row | None) -> None:
        until = self.org.faults.late_until
        if until is not None:
            form.table.shadows[str(row[ID])] = (until, before)

    # Deleting

    def delete(self, of: ObjectType, row: Row) -> None:
        """Put a row into the recycle bin, its children as their lookups say."""
        self._may(of, "delete")
        form = self.org.form(of)
        self._leave_children(form, row)
        form.table.remove(row)
        before = row.copy()
        row[DELETED] = True
        self._stamp(form, row)
        form.table.bin[str(row[ID])] = row
        self._did(lambda: self._take_back(form, row, before))
        rules.after_save(self, of, row)

    def _take_back(self, form: Form, row: Row, before: Row) -> None:
        del form.table.bin[str(row[ID])]
        row[:] = before
        form.table.add(row)

    def _leave_children(self, form: Form, row: Row) -> None:
        for child in form.children:
            for held in child.table.find(child.slot, row[ID]):
                match child.on_delete:
                    case OnDelete.RESTRICT:
                        raise _held_by(form.of, child.table.of, held)
                    case OnDelete.CASCADE:
                        self.delete(child.table.of, held)
                    case OnDelete.SET_NULL:
                        self._empty(child.table.of, child.slot, held)

    def _empty(self, of: ObjectType, slot: int, row: Row) -> None:
        table = self.org.tables[of.name]
        before, after = row.copy(), row.copy()
        after[slot] = None
        table.replace(row, after)
        self._did(lambda: table.replace(row, before))

    def undelete(self, of: ObjectType, record_id: str) -> None:
        form = self.org.form(of)
        row = form.table.bin.pop(normalise(record_id) or "", None)
        if row is None:
            raise invalid_cross_reference()
        row[DELETED] = False
        self._stamp(form, row)
        form.table.add(row)

    def purge(self, of: ObjectType, row: Row) -> None:
        """Delete without the recycle bin."""
        self.delete(of, row)
        table = self.org.tables[of.name]
        held = table.bin.pop(str(row[ID]))
        self._did(lambda: table.bin.update({str(held[ID]): held}))

    def _may(self, of: ObjectType, deed: str) -> None:
        if self.caller.user_id is None:
            return
        rights = self.org.access.of(self.caller.user_id, of)
        able = {"create": of.createable, "edit": of.updateable, "delete": of.deletable}
        if not able[deed]:
            raise Refused(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type {of.name} does not support {deed}",
                (),
            )
        if not getattr(rights, deed):
            raise no_access(f"insufficient access rights on {of.name}: {deed}")

    # Transactions

    def _did(self, undo: Callable[[], None]) -> None:
        if self.org.journal is not None:
            self.org.journal.append(undo)


def _refuse_id(value: object, *, creating: bool) -> None:
    """An id is given by the platform; an empty one, as CSV writers send, is nothing."""
    if value in (None, ""):
        return
    if creating:
        raise Refused(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "cannot specify Id in an insert call",
            ("Id",),
        )
    raise RequestRefused(
        "INVALID_FIELD", "The Id field should not be specified in the sobject data."
    )


def _held_by(of: ObjectType, child: ObjectType, row: Row) -> Refused:
    return Refused(
        "DELETE_FAILED",
        f"Your attempt to delete this {of.label.lower()} could not be completed "
        f"because it is associated with the following {child.plural.lower()}.: "
        f"{row[ID]}",
        (),
    )
