"""What a type of record is made of: fields, types, flags. Knows no rows."""

from dataclasses import dataclass, field
from enum import StrEnum

Value = str | float | bool | None
Row = list[Value]

TEXT_TYPES = frozenset(
    {
        "string",
        "textarea",
        "email",
        "url",
        "phone",
        "picklist",
        "multipicklist",
        "combobox",
        "encryptedstring",
    }
)
NUMBER_TYPES = frozenset({"double", "currency", "percent", "int", "long"})


class OnDelete(StrEnum):
    """
    What becomes of a child when its parent is deleted.

    SET_NULL empties the lookup, CASCADE deletes the child, RESTRICT refuses.
    """

    SET_NULL = "SetNull"
    CASCADE = "Cascade"
    RESTRICT = "Restrict"


@dataclass(slots=True)
class Field:
    """One column of a type, with what its describe tells."""

    name: str
    label: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    id_lookup: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    child_relationship: str | None = None
    on_delete: OnDelete = OnDelete.SET_NULL
    master_detail: bool = False
    picklist: tuple[str, ...] = ()
    default_pick: str | None = None
    restricted: bool = False
    default: Value = None
    filterable: bool = True
    sortable: bool = True
    permissionable: bool = True
    compound: str | None = None
    custom: bool = False
    calculated: bool = False
    auto_number: str | None = None
    name_field: bool = False
    html: bool = False
    help_text: str | None = None
    # CaseComment.CommentBody is measured in bytes, everything else in UTF-16 units.
    length_in_bytes: bool = False

    @property
    def is_text(self) -> bool:
        return self.type in TEXT_TYPES

    @property
    def is_number(self) -> bool:
        return self.type in NUMBER_TYPES

    @property
    def always_accessible(self) -> bool:
        """Required and master-detail fields need no grant and admit none."""
        return not self.permissionable


@dataclass(slots=True)
class ObjectType:
    """One type of record; fields are found without regard to case, as the vendor."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)
    custom: bool = False
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    mergeable: bool = False
    description: str | None = None

    def add(self, new: Field) -> None:
        self.fields[new.name.lower()] = new

    def field(self, name: str) -> Field | None:
        return self.fields.get(name.lower())

    def by_relationship(self, name: str) -> Field | None:
        wanted = name.lower()
        for candidate in self.fields.values():
            if (candidate.relationship_name or "").lower() == wanted:
                return candidate
        return None

    @property
    def name_field(self) -> Field | None:
        return next((f for f in self.fields.values() if f.name_field), None)


def child_name(field: Field) -> str | None:
    """The name a child sub-query uses; a custom one ends in __r."""
    if field.child_relationship and field.custom:
        return f"{field.child_relationship}__r"
    return field.child_relationship
