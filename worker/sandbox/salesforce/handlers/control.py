"""The sandbox's own doors under /_sandbox/: faults, clock, reset, true state."""

import html
from datetime import datetime, timedelta

import msgspec

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.faults import KINDS

_LIMITS = ("allowed",)


def _state(call: Call) -> dict[str, object]:
    org = call.services.org
    return {
        "org_id": call.services.identity.org_id,
        "now": org.clock.now().isoformat(),
        "calls": {"used": org.usage.used, "allowed": org.usage.allowed},
        "records": {name: len(table.rows) for name, table in org.tables.items()},
        "faults": org.faults.listing(),
        "fault_kinds": KINDS,
        "login_attempts": dict(call.services.identity.attempts),
        "duplicate_rules": org.duplicate_rules,
        "case_assignment": org.case_assignment,
    }


def page(call: Call) -> Answer:
    """The state as JSON, or as one plain page for a person's browser."""
    state = _state(call)
    if "text/html" not in call.header("accept"):
        return Answer(200, state)
    shown = html.escape(msgspec.json.format(msgspec.json.encode(state)).decode())
    text = (
        "<!doctype html><title>Salesforce sandbox</title><h1>Salesforce sandbox</h1>"
        f"<pre>{shown}</pre>"
    )
    return Answer(200, text, "text/html; charset=UTF-8")


def add_fault(call: Call) -> Answer:
    body = call.json_object()
    kind = str(body.pop("kind", ""))
    try:
        call.services.org.faults.add(kind, **body)
    except (TypeError, ValueError) as error:
        raise RequestRefused("INVALID_FAULT", str(error)) from None
    return Answer(200, call.services.org.faults.listing())


def clear_faults(call: Call) -> Answer:
    call.services.org.faults.clear()
    return Answer(200, [])


def reset(call: Call) -> Answer:
    """Start over with a bare org; logins and jobs are gone too."""
    call.services.furnish()
    return Answer(200, _state(call))


def clock(call: Call) -> Answer:
    """Take `{"now": iso}`, `{"advance_s": n}`, `{"freeze": true|false}`."""
    body, org_clock = call.json_object(), call.services.org.clock
    if body.get("freeze") is True:
        org_clock.freeze()
    if body.get("freeze") is False:
        org_clock.resume()
    if "now" in body:
        org_clock.set(datetime.fromisoformat(str(body["now"])))
    if "advance_s" in body:
        org_clock.advance(timedelta(seconds=float(str(body["advance_s"]))))
    return Answer(200, {"now": org_clock.now().isoformat()})


def switches(call: Call) -> Answer:
    """Take duplicate_rules, case_assignment, allowed, idle_s."""
    body, org = call.json_object(), call.services.org
    if isinstance(body.get("duplicate_rules"), dict):
        org.duplicate_rules = dict(body["duplicate_rules"])  # type: ignore[call-overload] # checked above
    if "case_assignment" in body:
        owner = body["case_assignment"]
        org.case_assignment = None if owner is None else str(owner)
    if "allowed" in body:
        org.usage.allowed = int(str(body["allowed"]))
    if "idle_s" in body:
        idle = timedelta(seconds=float(str(body["idle_s"])))
        call.services.identity.idle_for = idle
    return Answer(200, _state(call))


def calls(call: Call) -> Answer:
    """Calls since the start or the last DELETE, by endpoint kind and by method."""
    usage = call.services.org.usage
    if call.method == "DELETE":
        usage.forget()
    return Answer(
        200,
        {
            "total": usage.by_kind.total(),
            "used": usage.used,
            "allowed": usage.allowed,
            "by_kind": dict(usage.by_kind),
            "by_method": dict(usage.by_method),
            "unmetered": dict(usage.unmetered),
        },
    )


def insert_records(call: Call) -> Answer:
    """Insert one object or a list of them, unmetered and outside permissions."""
    body = call.json()
    rows: list[dict[str, object]] = body if isinstance(body, list) else [body]  # type: ignore[list-item] # insert refuses what is no object
    name = call.params["type"]
    return Answer(200, {"inserted": call.services.org.insert_many(name, rows)})


def list_records(call: Call) -> Answer:
    """All live records as JSON lines; `deleted=true` gives the recycle bin."""
    binned = call.query.get("deleted") == "true"
    records = call.services.org.records(call.params["type"], deleted=binned)
    encode = msgspec.json.encode
    lines = b"\n".join(encode(record) for record in records)
    return Answer(200, lines + b"\n" if lines else b"", "application/x-ndjson")
