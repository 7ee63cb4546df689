"""
Works off an ingest job: 200 rows at a time, giving way to other calls in between.

Results are written out as they come, so a job of 100,000 rows keeps no rows.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from worker.sandbox.salesforce.bulk.jobs import IngestJob, State, Stopwatch
from worker.sandbox.salesforce.bulk.sheets import NULL, SheetRefused
from worker.sandbox.salesforce.errors import Refused, not_writable
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import Field, Value
from worker.sandbox.salesforce.table import fold_key
from worker.sandbox.salesforce.transactions import Transaction
from worker.sandbox.salesforce.values import NO_SHORTCUT, FromCell, Shortcut
from worker.sandbox.salesforce.writes import Changes, Writer

if TYPE_CHECKING:
    from worker.sandbox.salesforce.forms import Form

CHUNK = 200
_PATH = "/jobs/ingest"


async def work(org: Org, job: IngestJob) -> None:
    """Bring a closed job to its final state."""
    await asyncio.sleep(0)
    with org.lock:
        if job.state is not State.UPLOAD_COMPLETE:
            return
        job.move(State.IN_PROGRESS, org.clock.stamp())
    try:
        await _work(org, job)
    except SheetRefused as refused:
        _fail(org, job, str(refused))
    job.data = None


async def _work(org: Org, job: IngestJob) -> None:
    with org.lock, Stopwatch(job):
        job.header, rows = job.dialect.read(job.data or b"")
        loader = Loader(org, job)
    while True:
        with org.lock, Stopwatch(job):
            if job.state is not State.IN_PROGRESS:
                job.unprocessed += [job.dialect.line(row).encode() for row in rows]
                return
            if not _next_chunk(loader, rows):
                job.move(State.COMPLETE, org.clock.stamp())
                return
        await asyncio.sleep(0)


def _next_chunk(loader: "Loader", rows: Iterator[list[str]]) -> bool:
    chunk = list(islice(rows, CHUNK))
    if chunk:
        loader.load(chunk)
    return bool(chunk)


def _fail(org: Org, job: IngestJob, reason: str) -> None:
    with org.lock:
        job.error_message = reason
        job.move(State.FAILED, org.clock.stamp())


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file and where its cells go; no slot: they are ignored."""

    name: str
    slot: int | None
    convert: FromCell
    empty: Value = None
    shortcut: Shortcut = NO_SHORTCUT


class Loader:
    """Writes the rows of one job."""

    def __init__(self, org: Org, job: IngestJob) -> None:
        self._org = org
        self._job = job
        self._form: Form = org.form(job.of)
        self._writer = Writer(org, job.caller)
        self._fields: list[Field] = []
        self._key = self._find_key()
        self._columns = [self._column(name) for name in job.header]
        self._plan = [
            (position, column.slot, column.shortcut, column)
            for position, column in enumerate(self._columns)
            if column.slot is not None
        ]
        self._key_at = self._position_of(self._key)
        self._refused = {
            creating: self._unwritable(creating=creating) for creating in (True, False)
        }

    # The header

    def _find_key(self) -> Field:
        name = self._job.key if self._job.operation == "upsert" else "Id"
        return self._form.entries[str(name or "Id").lower()].field

    def _position_of(self, key: Field) -> int | None:
        for position, name in enumerate(self._job.header):
            if name.lower() == key.name.lower():
                return position
        if self._job.operation == "insert":
            return None
        raise SheetRefused(f"InvalidBatch : Field name not found : {key.name}")

    def _column(self, name: str) -> Column:
        if name.lower() in ("id", self._key.name.lower()) or not name:
            return Column(name, None, str)
        entry = self._form.entries.get(name.lower())
        if entry is not None and self._sees(entry.field):
            self._fields.append(entry.field)
            empty = False if entry.field.type == "boolean" else None
            return Column(name, entry.slot, entry.from_cell, empty, entry.shortcut)
        relation, _, key = name.partition(".")
        field = self._form.of.by_relationship(relation)
        if field is None or not key or not self._sees(field):
            raise SheetRefused(f"InvalidBatch : Field name not found : {name}")
        self._fields.append(field)
        return Column(name, self._form.slot(field.name), self._parent(field, key))

    def _sees(self, field: Field) -> bool:
        rights = self._org.access.of(self._job.caller.user_id, self._job.of)
        return rights.sees(field)

    def _parent(self, field: Field, key: str) -> FromCell:
        return lambda cell: self._form.parent_by_key(field, key, cell)

    def _unwritable(self, *, creating: bool) -> list[str]:
        may_set = self._writer.may_set
        of = self._form.of
        return [f.name for f in self._fields if not may_set(of, f, creating=creating)]

    # The rows

    def load(self, chunk: list[list[str]]) -> None:
        """Write one chunk; every row lands in the successes or in the failures."""
        job, line = self._job, self._job.dialect.line
        locked = self._org.faults.locked_rows("POST", _PATH)
        half = self._org.faults.strike(("half_failed_bulk",), "POST", _PATH)
        twice = self._twice(chunk)
        successes, failures = [], []
        for number, cells in enumerate(chunk):
            struck = _LOCKED if number < locked else None
            if half and number % 2:
                struck = Refused(half.code, half.message, ())
            try:
                row_id, created = self._save(cells, twice, struck)
            except Refused as refused:
                failures.append(line([self._id(cells), refused.bulk_text(), *cells]))
            else:
                flag = "true" if created else "false"
                successes.append(line([row_id, flag, *cells]))
        job.processed += len(chunk)
        job.failed += len(failures)
        # The vendor gives no order; a client that counts on one must fail here.
        job.successes.append("".join(reversed(successes)).encode())
        job.failures.append("".join(reversed(failures)).encode())

    def _id(self, cells: list[str]) -> str:
        at = self._key_at
        return cells[at] if at is not None and self._key.type == "id" else ""

    def _twice(self, chunk: list[list[str]]) -> set[Value]:
        if self._job.operation != "upsert" or self._key_at is None:
            return set()
        fold, at = fold_key(self._key), self._key_at
        counted = Counter(fold(cells[at]) for cells in chunk)
        if len(counted) == len(chunk):
            return set()
        return {key for key, times in counted.items() if key and times > 1}

    def _save(
        self, cells: list[str], twice: set[Value], struck: Refused | None
    ) -> tuple[str, bool]:
        if struck is not None:
            raise struck
        with Transaction(self._org):
            match self._job.operation:
                case "insert":
                    return self._insert(cells), True
                case "update":
                    return self._update(cells), False
                case "upsert":
                    return self._upsert(cells, twice)
                case _:
                    return self._delete(cells), False

    def _changes(self, cells: list[str]) -> Changes:
        changes: Changes = {}
        for position, slot, shortcut, column in self._plan:
            cell = cells[position]
            if not cell:
                continue
            if cell == NULL:
                changes[slot] = column.empty
            elif len(cell) <= shortcut.fits and cell[0] > " ":
                changes[slot] = cell
            elif cell in shortcut.known:
                changes[slot] = shortcut.known[cell]
            else:
                changes[slot] = column.convert(cell)
        return changes

    def _insert(self, cells: list[str]) -> str:
        self._check_writable(creating=True)
        return self._writer.insert(self._form.of, self._changes(cells))

    def _update(self, cells: list[str]) -> str:
        self._check_writable(creating=False)
        row = self._org.live_row(self._form.of, self._key_cell(cells))
        self._writer.update(self._form.of, row, self._changes(cells))
        return str(row[0])

    def _delete(self, cells: list[str]) -> str:
        row = self._org.live_row(self._form.of, self._key_cell(cells))
        self._writer.delete(self._form.of, row)
        return str(row[0])

    def _upsert(self, cells: list[str], twice: set[Value]) -> tuple[str, bool]:
        cell = self._key_cell(cells)
        if twice and fold_key(self._key)(cell) in twice:
            raise Refused(
                "DUPLICATE_VALUE",
                f"Duplicate external id specified: {cell}",
                (self._key.name,),
            )
        value: Value = cell or None
        if value is not None and self._key.type != "id":
            value = self._form.entries[self._key.name.lower()].from_cell(cell)
        self._check_writable(creating=not self._is_known(value))
        changes = self._changes(cells)
        return self._writer.upsert(self._form.of, self._key, value, changes)

    def _is_known(self, value: Value) -> bool:
        if self._key.type == "id":
            return value is not None
        slot = self._form.slot(self._key.name)
        return bool(self._form.table.index(slot).ids(value))

    def _key_cell(self, cells: list[str]) -> str:
        cell = "" if self._key_at is None else cells[self._key_at]
        if not cell and self._job.operation != "upsert":
            raise Refused("MISSING_ARGUMENT", "Id not specified in the row", ())
        return "" if cell == NULL else cell

    def _check_writable(self, *, creating: bool) -> None:
        names = self._refused[creating]
        if names:
            raise not_writable(names)


_LOCKED = Refused(
    "UNABLE_TO_LOCK_ROW",
    "unable to obtain exclusive access to this record or 200 records",
    (),
)
