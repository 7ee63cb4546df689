"""
Who may see and write what: object and field permissions of permission sets.

Standard objects and their standard fields are granted by the profile. What a
metadata deploy adds is invisible until a permission set of the user grants it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.sandbox.salesforce.schema import Field, ObjectType, Value

if TYPE_CHECKING:
    from worker.sandbox.salesforce.state import OrgState


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """What one user may do with records of one type."""

    read: bool = False
    create: bool = False
    edit: bool = False
    delete: bool = False
    readable: frozenset[str] | None = frozenset()
    editable: frozenset[str] | None = frozenset()

    def sees(self, field: Field) -> bool:
        return (
            self.readable is None
            or not field.custom
            or field.always_accessible
            or field.name in self.readable
        )

    def writes(self, field: Field) -> bool:
        return (
            self.editable is None
            or not field.custom
            or field.always_accessible
            or field.name in self.editable
        )


EVERYTHING = ObjectAccess(
    read=True, create=True, edit=True, delete=True, readable=None, editable=None
)


class Access:
    """The rights of all users; recomputed when a permission row changes."""

    def __init__(self, org: "OrgState") -> None:
        self._org = org
        self._known: dict[tuple[str, str], ObjectAccess] = {}

    def forget(self) -> None:
        self._known.clear()

    def of(self, user_id: str | None, of: ObjectType) -> ObjectAccess:
        """Return a user's rights on a type; nobody in particular may do all."""
        if user_id is None:
            return EVERYTHING
        key = (user_id, of.name)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._compute(user_id, of)
        return found

    def _compute(self, user_id: str, of: ObjectType) -> ObjectAccess:
        sets = self._sets_of(user_id)
        grants = [
            row
            for row in self._org.records("FieldPermissions")
            if row["ParentId"] in sets and row["SobjectType"] == of.name
        ]
        readable = frozenset(_field_name(g) for g in grants if g["PermissionsRead"])
        editable = frozenset(_field_name(g) for g in grants if g["PermissionsEdit"])
        if not of.custom:
            return ObjectAccess(
                read=True,
                create=True,
                edit=True,
                delete=True,
                readable=readable,
                editable=editable,
            )
        return self._of_custom(sets, of, readable, editable)

    def _of_custom(
        self,
        sets: set[Value],
        of: ObjectType,
        readable: frozenset[str],
        editable: frozenset[str],
    ) -> ObjectAccess:
        rights = [
            row
            for row in self._org.records("ObjectPermissions")
            if row["ParentId"] in sets and row["SobjectType"] == of.name
        ]
        return ObjectAccess(
            read=any(r["PermissionsRead"] for r in rights),
            create=any(r["PermissionsCreate"] for r in rights),
            edit=any(r["PermissionsEdit"] for r in rights),
            delete=any(r["PermissionsDelete"] for r in rights),
            readable=readable,
            editable=editable,
        )

    def _sets_of(self, user_id: str) -> set[Value]:
        return {
            row["PermissionSetId"]
            for row in self._org.records("PermissionSetAssignment")
            if row["AssigneeId"] == user_id
        }


def _field_name(grant: dict[str, Value]) -> str:
    return str(grant["Field"]).partition(".")[2]
