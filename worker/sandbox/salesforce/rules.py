"""
What single standard objects do on saving: names, case status, comments, duplicates.

`before_save` may change the row that is about to be saved; `after_save` may write
other rows or drop what was derived from this one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.sandbox.salesforce.errors import Refused
from worker.sandbox.salesforce.schema import ObjectType, Row
from worker.sandbox.salesforce.table import ID

if TYPE_CHECKING:
    from worker.sandbox.salesforce.forms import Form
    from worker.sandbox.salesforce.state import OrgState
    from worker.sandbox.salesforce.writes import Caller, Writer

_PERMISSION_TYPES = frozenset(
    {
        "PermissionSet",
        "PermissionSetAssignment",
        "ObjectPermissions",
        "FieldPermissions",
    }
)
_PERSONS = frozenset({"Contact", "Lead", "User"})


def before_save(
    org: "OrgState", form: "Form", row: Row, before: Row | None, caller: "Caller"
) -> None:
    name = form.of.name
    if name in _PERSONS:
        _name_person(form, row)
    elif name == "Case":
        _settle_case(org, form, row, before, caller)
    elif name == "PermissionSetAssignment" and before is None:
        _refuse_second_assignment(org, form, row)
    if name in org.duplicate_rules and not caller.allow_duplicates:
        _refuse_duplicates(org, form, row, before)


def _name_person(form: "Form", row: Row) -> None:
    parts = (row[form.slot("FirstName")], row[form.slot("LastName")])
    row[form.slot("Name")] = " ".join(str(part) for part in parts if part)


def _refuse_second_assignment(org: "OrgState", form: "Form", row: Row) -> None:
    set_id, assignee = (form.slot(n) for n in ("PermissionSetId", "AssigneeId"))
    for held in org.tables[form.of.name].find(assignee, row[assignee]):
        if held[set_id] == row[set_id]:
            raise Refused(
                "DUPLICATE_VALUE",
                "duplicate value found: PermissionSetAssignment duplicates value on "
                f"record with id: {str(held[ID])[:15]}",
                (),
            )


def _settle_case(
    org: "OrgState", form: "Form", row: Row, before: Row | None, caller: "Caller"
) -> None:
    slot = form.slot
    if before is None:
        row[slot("CaseNumber")] = f"{org.next_count('CaseNumber', 1000):08d}"
    status = row[slot("Status")]
    closed = any(
        state["IsClosed"] for state in org.find("CaseStatus", MasterLabel=status)
    )
    if closed != row[slot("IsClosed")]:
        row[slot("IsClosed")] = closed
        row[slot("ClosedDate")] = org.clock.stamp() if closed else None
    if org.case_assignment is not None and caller.auto_assign:
        row[slot("OwnerId")] = org.case_assignment
    _derive_from_contact(org, form, row)


def _derive_from_contact(org: "OrgState", form: "Form", row: Row) -> None:
    slot = form.slot
    contact = org.tables["Contact"].rows.get(str(row[slot("ContactId")]))
    source = org.tables["Contact"].slots
    if contact is not None and row[slot("AccountId")] is None:
        row[slot("AccountId")] = contact[source["AccountId"]]
    for own, theirs in (
        ("ContactEmail", "Email"),
        ("ContactPhone", "Phone"),
        ("ContactMobile", "MobilePhone"),
        ("ContactFax", "Fax"),
    ):
        row[slot(own)] = contact[source[theirs]] if contact is not None else None


def _refuse_duplicates(
    org: "OrgState", form: "Form", row: Row, before: Row | None
) -> None:
    key = org.duplicate_rules[form.of.name]
    slot = form.slot(key)
    if before is not None and before[slot] == row[slot]:
        return
    others = [i for i in form.table.index(slot).ids(row[slot]) if i != row[ID]]
    if not others:
        return
    refused = Refused("DUPLICATES_DETECTED", "Use one of these records?", ())
    refused.extra["duplicateResult"] = _duplicate_result(form.of.name, others)
    raise refused


def _duplicate_result(name: str, ids: list[str]) -> dict[str, object]:
    matches = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": name}, "Id": found},
        }
        for found in ids
    ]
    return {
        "allowSave": True,
        "duplicateRule": f"Standard_{name}_Duplicate_Rule",
        "duplicateRuleEntityType": name,
        "errorMessage": "Use one of these records?",
        "matchResults": [
            {
                "entityType": name,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": matches,
                "rule": f"Standard_{name}_Match_Rule",
                "size": len(matches),
                "success": True,
            }
        ],
    }


def after_save(writer: "Writer", of: ObjectType, row: Row) -> None:
    follow_up = _AFTER.get(of.name)
    if follow_up is not None:
        follow_up(writer, row)


def _forget_rights(writer: "Writer", row: Row) -> None:
    del row
    writer.org.access.forget()


def _split_off_comment(writer: "Writer", row: Row) -> None:
    """`Comments` is write-only: its text becomes an internal comment of the case."""
    slot = writer.org.tables["Case"].slots["Comments"]
    if row[slot] is not None:
        text, row[slot] = row[slot], None
        body = {"ParentId": row[ID], "CommentBody": text, "IsPublished": False}
        writer.insert_body(writer.org.type("CaseComment"), body)


_AFTER: dict[str, Callable[["Writer", Row], None]] = {
    "Case": _split_off_comment,
    **dict.fromkeys(_PERMISSION_TYPES, _forget_rights),
}
