"""
The rows of one type and their indexes; knows nothing of rules or rights.

A row is a list with one slot per field: 200,000 rows of 45 fields stay small, and a
compiled query reads `row[7]`. Indexes hold ids only.
"""

from collections.abc import Callable, Iterable, Iterator

from worker.sandbox.salesforce.schema import Field, ObjectType, Row, Value

ID, DELETED = 0, 1


def fold_key(field: Field) -> Callable[[Value], Value]:
    """How values of a field are compared: without case, unless the field minds it."""
    if field.is_text and not field.case_sensitive:
        return lambda value: value.lower() if isinstance(value, str) else value
    return lambda value: value


class Index:
    """From a value to the id, or ids, of the live rows that have it."""

    def __init__(self, field: Field, slot: int) -> None:
        self.slot = slot
        self._fold = fold_key(field)
        self._ids: dict[Value, str | list[str]] = {}

    def add(self, value: Value, row_id: str) -> None:
        if value is None:
            return
        key = self._fold(value)
        held = self._ids.get(key)
        if held is None:
            self._ids[key] = row_id
        elif isinstance(held, str):
            self._ids[key] = [held, row_id]
        else:
            held.append(row_id)

    def drop(self, value: Value, row_id: str) -> None:
        if value is None:
            return
        key = self._fold(value)
        held = self._ids.get(key)
        if held == row_id:
            del self._ids[key]
        elif isinstance(held, list):
            held.remove(row_id)
            if len(held) == 1:
                self._ids[key] = held[0]

    def ids(self, value: Value) -> list[str]:
        held = self._ids.get(self._fold(value))
        if held is None:
            return []
        return [held] if isinstance(held, str) else list(held)


class Table:
    """Rows by id in the order they were made, and the recycle bin beside them."""

    def __init__(self, of: ObjectType) -> None:
        self.of = of
        self.slots: dict[str, int] = {}
        self.fields: list[Field] = []
        self.rows: dict[str, Row] = {}
        self.bin: dict[str, Row] = {}
        self.template: Row = []
        self.indexes: dict[int, Index] = {}
        # What queries see of a row until the moment it becomes visible (late_rows).
        self.shadows: dict[str, tuple[float, Row | None]] = {}
        # Ids are given out in order; only what comes back from the bin breaks it.
        self.is_in_order = True
        self._newest = ""
        for field in of.fields.values():
            self.add_field(field)

    def add_field(self, field: Field) -> int:
        """Give a new field a slot in every row; its default fills the old ones."""
        slot = self.slots.setdefault(field.name, len(self.fields))
        if slot == len(self.fields):
            self.fields.append(field)
            filler = field.default if field.type == "boolean" else None
            self.template.append(field.default)
            for row in self._every_row():
                row.append(filler)
        else:
            self.fields[slot] = field
            self.template[slot] = field.default
        self.indexes.pop(slot, None)
        if field.external_id or field.unique:
            self.index(slot)
        return slot

    def drop_field(self, field: Field) -> None:
        """Empty a removed field's slot; the slot itself stays where it was."""
        slot = self.slots.pop(field.name)
        self.indexes.pop(slot, None)
        self.template[slot] = None
        for row in self._every_row():
            row[slot] = None

    def _every_row(self) -> Iterator[Row]:
        yield from self.rows.values()
        yield from self.bin.values()

    def index(self, slot: int) -> Index:
        """Return the index of a slot; the first question builds it."""
        found = self.indexes.get(slot)
        if found is None:
            found = Index(self.fields[slot], slot)
            for row in self.rows.values():
                found.add(row[slot], str(row[ID]))
            self.indexes[slot] = found
        return found

    def find(self, slot: int, value: Value) -> list[Row]:
        return [self.rows[row_id] for row_id in self.index(slot).ids(value)]

    def add(self, row: Row) -> None:
        row_id = str(row[ID])
        if row_id < self._newest:
            self.is_in_order = False
        else:
            self._newest = row_id
        self.rows[row_id] = row
        for slot, index in self.indexes.items():
            index.add(row[slot], row_id)

    def replace(self, row: Row, after: Row) -> None:
        """Give a row the values of its successor; the list itself stays the same."""
        row_id = str(row[ID])
        for slot, index in self.indexes.items():
            if row[slot] != after[slot]:
                index.drop(row[slot], row_id)
                index.add(after[slot], row_id)
        row[:] = after

    def remove(self, row: Row) -> None:
        """Take a row out altogether; the bin is the caller's business."""
        row_id = str(row[ID])
        del self.rows[row_id]
        for slot, index in self.indexes.items():
            index.drop(row[slot], row_id)

    def values_of(self, row: Row) -> dict[str, Value]:
        return {name: row[slot] for name, slot in self.slots.items()}

    def visible(self, rows: Iterable[Row], now: float) -> Iterable[Row]:
        """What queries see of these rows; the rows themselves, nearly always."""
        if not self.shadows:
            return rows
        return self._through_shadows(rows, now)

    def _through_shadows(self, rows: Iterable[Row], now: float) -> Iterator[Row]:
        self.shadows = {k: v for k, v in self.shadows.items() if v[0] > now}
        for row in rows:
            shadow = self.shadows.get(str(row[ID]))
            if shadow is None:
                yield row
            elif shadow[1] is not None:
                yield shadow[1]
