"""Single rows: create, read, update, delete, upsert by key, updated and deleted."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from worker.sandbox.salesforce.clock import moment_of
from worker.sandbox.salesforce.errors import (
    NotEmulated,
    Refused,
    RequestRefused,
    entity_is_deleted,
    malformed_id,
    not_found,
    unknown_field,
)
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.handlers.discovery import readable_type
from worker.sandbox.salesforce.ids import normalise
from worker.sandbox.salesforce.schema import Field, ObjectType, Row
from worker.sandbox.salesforce.table import ID
from worker.sandbox.salesforce.transactions import Transaction

_DELETED_REACH = timedelta(days=15)
_UPDATED_REACH = timedelta(days=30)


def create(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    with Transaction(call.services.org):
        made = call.writer.insert_body(of, call.json_object())
    return Answer(201, {"id": made, "success": True, "errors": []})


def read(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    return Answer(200, record_of(call, of, _row(call, of)))


def update(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    row = _row(call, of)
    _check_unmodified(call, of, row)
    with Transaction(call.services.org):
        call.writer.update_body(of, row, call.json_object())
    return Answer(204)


def delete(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    row = _row(call, of)
    with Transaction(call.services.org):
        call.writer.delete(of, row)
    return Answer(204)


def _row(call: Call, of: ObjectType) -> Row:
    """The row of the path; what is not there is 404, whatever the reason."""
    text = call.params["id"]
    full = normalise(text)
    if full is None:
        raise not_found(
            f"Provided external ID field does not exist or is not accessible: {text}"
        )
    table = call.services.org.tables[of.name]
    if full in table.bin:
        raise entity_is_deleted()
    if full not in table.rows:
        raise not_found()
    return table.rows[full]


def _check_unmodified(call: Call, of: ObjectType, row: Row) -> None:
    since = call.header("if-unmodified-since")
    if not since:
        return
    slot = call.services.org.tables[of.name].slots["LastModifiedDate"]
    if moment_of(str(row[slot])) > parsedate_to_datetime(since):
        raise RequestRefused(
            "PRECONDITION_FAILED", "The record was modified since", status=412
        )


def record_of(call: Call, of: ObjectType, row: Row) -> dict[str, object]:
    """The fields asked for, or all that the caller may see."""
    table = call.services.org.tables[of.name]
    url = f"/services/data/{call.version}/sobjects/{of.name}/{row[ID]}"
    record: dict[str, object] = {"attributes": {"type": of.name, "url": url}}
    for field in _asked_fields(call, of):
        record[field.name] = row[table.slots[field.name]]
    return record


def _asked_fields(call: Call, of: ObjectType) -> list[Field]:
    rights = call.services.org.access.of(call.user_id, of)
    asked = [name for name in call.query.get("fields", "").split(",") if name]
    if not asked:
        return [f for f in of.fields.values() if rights.sees(f)]
    found = []
    for name in asked:
        field = of.field(name.strip())
        if field is None or not rights.sees(field):
            raise unknown_field(name, of.name)
        found.append(field)
    return found


# By key


def key_field(call: Call, of: ObjectType, name: str) -> Field:
    """Return a field that may be an upsert key, or refuse in the vendor's words."""
    field = of.field(name)
    rights = call.services.org.access.of(call.user_id, of)
    if field is None or not rights.sees(field):
        raise not_found(
            f"Provided external ID field does not exist or is not accessible: {name}"
        )
    if not (field.external_id or field.id_lookup):
        raise RequestRefused(
            "INVALID_FIELD",
            f"Field name provided, {name} does not match an External ID, Salesforce "
            f"Id, or indexed field for {of.name}",
        )
    return field


def _matches(call: Call, of: ObjectType, field: Field) -> list[str]:
    entry = call.services.org.form(of).entries[field.name.lower()]
    table = call.services.org.tables[of.name]
    if field.type == "id":
        full = normalise(call.params["value"])
        return [full] if full in table.rows else []
    return table.index(entry.slot).ids(entry.from_cell(call.params["value"]))


def _path_of(call: Call, of: ObjectType, found: str) -> str:
    return f"/services/data/{call.version}/sobjects/{of.name}/{found}"


def upsert_by_key(call: Call) -> Answer:
    """PATCH by external id: 201 for a new row, 200 for a known one, 300 for several."""
    of = readable_type(call, call.params["type"])
    field = key_field(call, of, call.params["field"])
    body = call.json_object()
    if any(name.lower() == field.name.lower() for name in body):
        raise RequestRefused(
            "INVALID_FIELD",
            f"The {field.name} field should not be specified in the sobject data.",
            (),
        )
    found = _matches(call, of, field)
    if len(found) > 1:
        return Answer(300, [_path_of(call, of, i) for i in found])
    if not found and call.query.get("updateOnly") == "true":
        raise not_found()
    with Transaction(call.services.org):
        row_id, created = _save_by_key(call, of, field, found, body)
    status = 201 if created else 200
    return Answer(
        status, {"id": row_id, "success": True, "errors": [], "created": created}
    )


def _save_by_key(
    call: Call, of: ObjectType, field: Field, found: list[str], body: dict[str, object]
) -> tuple[str, bool]:
    writer, table = call.writer, call.services.org.tables[of.name]
    if found:
        writer.update_body(of, table.rows[found[0]], body)
        return found[0], False
    if field.type == "id":
        raise malformed_id(call.params["value"])
    changes = writer.shape(of, body, creating=True)
    entry = call.services.org.form(of).entries[field.name.lower()]
    changes[entry.slot] = entry.from_json(call.params["value"])
    return writer.insert(of, changes), True


def _the_one(call: Call, of: ObjectType) -> Row | Answer:
    field = key_field(call, of, call.params["field"])
    found = _matches(call, of, field)
    if len(found) > 1:
        return Answer(300, [_path_of(call, of, i) for i in found])
    if not found:
        raise not_found()
    return call.services.org.tables[of.name].rows[found[0]]


def read_by_key(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    if normalise(call.params["field"]) is not None:
        raise NotEmulated("Reading a record's relationship by path")
    found = _the_one(call, of)
    if isinstance(found, Answer):
        return found
    return Answer(200, record_of(call, of, found))


def delete_by_key(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    found = _the_one(call, of)
    if isinstance(found, Answer):
        return found
    with Transaction(call.services.org):
        call.writer.delete(of, found)
    return Answer(204)


# What changed


def updated(call: Call) -> Answer:
    """Ids of rows whose SystemModstamp lies in the span."""
    of = readable_type(call, call.params["type"])
    start, end = _span(call, _UPDATED_REACH)
    table = call.services.org.tables[of.name]
    slot = table.slots["SystemModstamp"]
    now = call.services.org.clock.now().timestamp()
    rows = table.visible(table.rows.values(), now)
    ids = [str(row[ID]) for row in rows if start <= str(row[slot]) < end]
    return Answer(200, {"ids": ids, "latestDateCovered": end})


def deleted(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    start, end = _span(call, _DELETED_REACH)
    table = call.services.org.tables[of.name]
    slot = table.slots["SystemModstamp"]
    records = [
        {"id": row[ID], "deletedDate": row[slot]}
        for row in table.bin.values()
        if start <= str(row[slot]) < end
    ]
    earliest = call.services.org.clock.now() - _DELETED_REACH
    return Answer(
        200,
        {
            "deletedRecords": records,
            "earliestDateAvailable": _stamp(earliest),
            "latestDateCovered": end,
        },
    )


def _span(call: Call, reach: timedelta) -> tuple[str, str]:
    """The asked span without its seconds; never beyond now, never too old."""
    start, end = (_moment(call, name) for name in ("start", "end"))
    now = call.services.org.clock.now()
    if start < now - reach:
        raise Refused(
            "INVALID_REPLICATION_DATE",
            f"startDate before org oldest date: {_stamp(now - reach)}",
        )
    if end - start < timedelta(minutes=1):
        raise Refused(
            "INVALID_REPLICATION_DATE", "endDate must be at least one minute later"
        )
    return _stamp(start), _stamp(min(end, now))


def _moment(call: Call, name: str) -> datetime:
    text = call.query.get(name, "").replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestRefused(
            "INVALID_REPLICATION_DATE", f"Invalid value for {name}: {text}"
        ) from None
    return moment.replace(second=0, microsecond=0, tzinfo=moment.tzinfo or UTC)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
