"""sObject Collections: up to 200 rows a call, one result per row, in order."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

from worker.sandbox.salesforce.errors import Refused, RequestRefused, unknown_type
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.handlers.discovery import readable_type
from worker.sandbox.salesforce.handlers.rows import key_field, record_of
from worker.sandbox.salesforce.ids import normalise
from worker.sandbox.salesforce.schema import Field, ObjectType, Value
from worker.sandbox.salesforce.table import ID, fold_key
from worker.sandbox.salesforce.transactions import Transaction
from worker.sandbox.salesforce.writes import Writer

Body = dict[str, object]
Result = dict[str, object]

_LIMIT = 200
_TYPE_RUNS = 10
_ROLLED_BACK = Refused(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using "
    "AllOrNone header",
    (),
)


def create(call: Call) -> Answer:
    all_or_none, records = _records(call)
    types = _types(call, records)
    writer = call.writer

    def save(position: int) -> Result:
        return _saved(writer.insert_body(types[position], records[position]))

    return _run(call, len(records), save, all_or_none=all_or_none)


def update(call: Call) -> Answer:
    all_or_none, records = _records(call)
    types = _types(call, records)
    writer = call.writer

    def save(position: int) -> Result:
        of, body = types[position], dict(records[position])
        row_id = _pop(body, "Id")
        if not isinstance(row_id, str):
            raise Refused("MISSING_ARGUMENT", "Id not specified in an update call", ())
        row = call.services.org.live_row(of, row_id)
        writer.update_body(of, row, body)
        return _saved(str(row[ID]))

    return _run(call, len(records), save, all_or_none=all_or_none)


def upsert(call: Call) -> Answer:
    """Upsert one type by the key in the path; equal keys in one call all fail."""
    of = readable_type(call, call.params["type"])
    key = key_field(call, of, call.params["field"])
    all_or_none, records = _records(call)
    for other in _types(call, records):
        if other is not of:
            raise RequestRefused(
                "INVALID_TYPE", f"All records must be of type {of.name}"
            )
    keys = [_key_of(key, body) for body in records]
    twice = {value for value, times in Counter(keys).items() if value and times > 1}
    writer = call.writer

    def save(position: int) -> Result:
        if keys[position] in twice:
            raise Refused(
                "DUPLICATE_VALUE",
                f"Duplicate external id specified: {keys[position]}",
                (key.name,),
            )
        row_id, created = _upsert_one(writer, of, key, dict(records[position]))
        return _saved(row_id) | {"created": created}

    return _run(call, len(records), save, all_or_none=all_or_none)


def _upsert_one(
    writer: Writer, of: ObjectType, key: Field, body: Body
) -> tuple[str, bool]:
    given = _pop(body, key.name)
    value: Value = None
    if given is not None and given != "":
        entry = writer.org.form(of).entries[key.name.lower()]
        value = str(given) if key.type == "id" else entry.from_json(given)
    creating = value is None or not _is_known(writer, of, key, value)
    return writer.upsert(of, key, value, writer.shape(of, body, creating=creating))


def _is_known(writer: Writer, of: ObjectType, key: Field, value: Value) -> bool:
    table = writer.org.tables[of.name]
    if key.type == "id":
        return True
    return bool(table.index(table.slots[key.name]).ids(value))


def delete(call: Call) -> Answer:
    ids = [i for i in call.query.get("ids", "").split(",") if i]
    _check_size(len(ids))
    writer, org = call.writer, call.services.org

    def remove(position: int) -> Result:
        of = _type_of_id(call, ids[position])
        row = org.live_row(of, ids[position])
        writer.delete(of, row)
        return _saved(str(row[ID]))

    all_or_none = call.query.get("allOrNone", "").lower() == "true"
    return _run(call, len(ids), remove, all_or_none=all_or_none)


def _type_of_id(call: Call, text: str) -> ObjectType:
    full = normalise(text)
    name = call.services.org.by_prefix.get(full[:3]) if full else None
    if name is None:
        raise Refused("MALFORMED_ID", f"malformed id {text}", ())
    return call.services.org.type(name)


def retrieve(call: Call) -> Answer:
    """Read many rows by id; a row that is not there is null in its place."""
    of = readable_type(call, call.params["type"])
    if call.method == "POST":
        body = call.json_object()
        ids, fields = body.get("ids"), body.get("fields")
    else:
        ids = call.query.get("ids", "").split(",")
        fields = call.query.get("fields", "").split(",")
    if not isinstance(ids, list) or not isinstance(fields, list) or not fields:
        raise RequestRefused("MALFORMED_QUERY", "ids and fields are required")
    call.query["fields"] = ",".join(str(f) for f in fields)
    rows = call.services.org.tables[of.name].rows
    held = [rows.get(normalise(str(i)) or "") for i in ids]
    return Answer(200, [row and record_of(call, of, row) for row in held])


# The common walk


def _records(call: Call) -> tuple[bool, list[Body]]:
    body = call.json_object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise RequestRefused("JSON_PARSER_ERROR", "records must be an array of objects")
    _check_size(len(records))
    return body.get("allOrNone") is True, records


def _check_size(rows: int) -> None:
    if rows == 0:
        raise RequestRefused("INVALID_INPUT", "No records were given")
    if rows > _LIMIT:
        raise RequestRefused(
            "EXCEEDED_ID_LIMIT",
            "record limit reached. cannot submit more than 200 records in this request",
        )


def _types(call: Call, records: Iterable[Body]) -> list[ObjectType]:
    """The type of every row; the vendor works in runs of one type, at most ten."""
    types = [_type_of(call, body) for body in records]
    runs = 1 + sum(1 for left, right in pairwise(types) if left is not right)
    if runs > _TYPE_RUNS:
        raise RequestRefused(
            "TOO_MANY_CHUNKS",
            "Cannot have more than 10 chunks in a single operation. Please rearrange "
            "the data to reduce chunking.",
        )
    return types


def _type_of(call: Call, body: Body) -> ObjectType:
    attributes = body.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise RequestRefused(
            "INVALID_TYPE", "attributes.type has to be specified for each record"
        )
    org = call.services.org
    of = org.types.get(name.lower())
    if of is None or not org.access.of(call.user_id, of).read:
        raise unknown_type(name)
    return of


def _key_of(key: Field, body: Body) -> Value:
    for name, value in body.items():
        if name.lower() == key.name.lower():
            return fold_key(key)(
                value if isinstance(value, str | float | int) else None
            )
    return None


def _pop(body: Body, name: str) -> object:
    for given in body:
        if given.lower() == name.lower():
            return body.pop(given)
    return None


def _saved(row_id: str) -> Result:
    return {"id": row_id, "success": True, "errors": []}


def _failed(refused: Refused) -> Result:
    return {"success": False, "errors": [refused.row_error()]}


def _run(
    call: Call, rows: int, save: Callable[[int], Result], *, all_or_none: bool
) -> Answer:
    org = call.services.org
    locked = org.faults.locked_rows(call.method, call.path)
    with Transaction(org) as whole:
        results = [
            _attempt(call, position, save, locked=position < locked)
            for position in range(rows)
        ]
        if all_or_none and not all(result["success"] for result in results):
            whole.call_off()
            results = [_failed(_ROLLED_BACK) if r["success"] else r for r in results]
    return Answer(200, results)


def _attempt(
    call: Call, position: int, save: Callable[[int], Result], *, locked: bool
) -> Result:
    try:
        with Transaction(call.services.org):
            if locked:
                raise lock_refused()
            return save(position)
    except RequestRefused:
        raise
    except Refused as refused:
        return _failed(refused)


def lock_refused() -> Refused:
    return Refused(
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record or 1 records",
        (),
    )
