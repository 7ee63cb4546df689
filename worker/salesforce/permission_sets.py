"""Gives a user one of the package's permission sets, without which no field is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from simple_salesforce.format import format_soql

from worker.errors import PermissionMissing, RecordRejected
from worker.salesforce.connection import OpenOrg
from worker.salesforce.payloads import SERVICE, decode

if TYPE_CHECKING:
    import requests

    from worker.salesforce.connection import Connection

SYNC_PERMISSION_SET = "Aurora_Sync"
_DEPLOY_FIRST = "deploy the package first (aurora-sync salesforce deploy)"
_ASSIGN_CURE = (
    'give the API user the right "Assign Permission Sets", or let an administrator '
    "assign the permission set"
)


class _Found(msgspec.Struct):
    Id: str


class _Rows(msgspec.Struct):
    records: list[_Found]


def assign_permission_set(
    connection: Connection, session: requests.Session, name: str, user_id: str
) -> bool:
    """
    Assign the permission set; return False where the user has it already.

    Safe to repeat. Raises PermissionMissing where the set is not in the org or the
    API user may not assign it.
    """
    org = OpenOrg(connection, session)
    sets = _query(org, "SELECT Id FROM PermissionSet WHERE Name = {}", name)
    if not sets:
        raise PermissionMissing(
            SERVICE, "find permission set", detail=_DEPLOY_FIRST, fields=(name,)
        )
    assignments = _query(
        org,
        "SELECT Id FROM PermissionSetAssignment"
        " WHERE AssigneeId = {} AND PermissionSetId = {}",
        user_id,
        sets[0],
    )
    return not assignments and _assign(org, user_id, sets[0])


def _query(org: OpenOrg, soql: str, *values: str) -> list[str]:
    query = {"q": str(format_soql(soql, *values))}
    answer = org.send(
        "find permission set", "GET", "/query", cure=_ASSIGN_CURE, params=query
    )
    return [row.Id for row in decode(_Rows, answer, "find permission set").records]


def _assign(org: OpenOrg, user_id: str, permission_set_id: str) -> bool:
    body = {"AssigneeId": user_id, "PermissionSetId": permission_set_id}
    path = "/sobjects/PermissionSetAssignment"
    try:
        org.send("assign permission set", "POST", path, cure=_ASSIGN_CURE, json=body)
    except RecordRejected as error:
        # Somebody else assigned it between our question and our call.
        if error.code == "DUPLICATE_VALUE":
            return False
        raise
    return True
