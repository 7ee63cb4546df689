"""Puts checked components into the org, or takes them out."""

from lxml import etree

from worker.sandbox.salesforce.metadata.package import Component, child, children
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import Field, ObjectType
from worker.sandbox.salesforce.standard import system_fields

_NAME_LENGTH = 80


def name_field_of(component: Component) -> list[Field]:
    """The name and owner of a custom object."""
    element = component.element
    name = None if element is None else child(element, "nameField")
    label = _text(name, "label") or f"{component.text('label')} Name"
    made = Field("Name", label, "string", length=_NAME_LENGTH, nillable=True)
    made.name_field, made.permissionable = True, False
    if _text(name, "type") == "AutoNumber":
        made.auto_number = _text(name, "displayFormat")
        made.createable = made.updateable = False
    owner = Field(
        "OwnerId",
        "Owner ID",
        "reference",
        length=18,
        reference_to=("Group", "User"),
        relationship_name="Owner",
        nillable=False,
        defaulted=True,
        permissionable=False,
    )
    return [owner, made]


def install_object(org: Org, component: Component) -> None:
    """Make a custom object, or change the labels of one that is there."""
    held = org.types.get(component.name.lower())
    label = component.text("label")
    if held is not None:
        if held.custom and label:
            held.label = label
            held.plural = component.text("pluralLabel") or label
        org.schema_changed()
        return
    prefix = f"a{len([t for t in org.types.values() if t.custom]):02d}"
    made = ObjectType(
        component.name,
        label or component.name,
        component.text("pluralLabel") or component.name,
        prefix,
        custom=True,
        description=component.text("description"),
    )
    for field in [*system_fields(made.label), *name_field_of(component)]:
        made.add(field)
    org.add_type(made)


def install_permission_set(org: Org, component: Component) -> None:
    """Replace the grants of a permission set; its assignments stay."""
    if component.element is None:
        return
    about: dict[str, object] = {
        "Label": component.text("label"),
        "Description": (component.text("description") or "")[:255] or None,
        "IsCustom": True,
    }
    found = org.find("PermissionSet", Name=component.name)
    if found:
        set_id = str(found[0]["Id"])
        org.update("PermissionSet", set_id, **about)
    else:
        set_id = org.insert("PermissionSet", Name=component.name, **about)
    for name in ("FieldPermissions", "ObjectPermissions"):
        for row in org.find(name, ParentId=set_id):
            org.delete(name, str(row["Id"]))
    for grant in children(component.element, "fieldPermissions"):
        _grant_field(org, set_id, grant)
    for grant in children(component.element, "objectPermissions"):
        _grant_object(org, set_id, grant)


def _grant_field(org: Org, set_id: str, grant: etree._Element) -> None:
    full_name = _text(grant, "field")
    if _text(grant, "readable") != "true":
        return
    org.insert(
        "FieldPermissions",
        ParentId=set_id,
        SobjectType=full_name.partition(".")[0],
        Field=full_name,
        PermissionsRead=True,
        PermissionsEdit=_text(grant, "editable") == "true",
    )


def _grant_object(org: Org, set_id: str, grant: etree._Element) -> None:
    rights = {
        f"Permissions{name}": _text(grant, tag) == "true"
        for name, tag in (
            ("Create", "allowCreate"),
            ("Read", "allowRead"),
            ("Edit", "allowEdit"),
            ("Delete", "allowDelete"),
            ("ViewAllRecords", "viewAllRecords"),
            ("ModifyAllRecords", "modifyAllRecords"),
        )
    }
    name = _text(grant, "object")
    org.insert("ObjectPermissions", ParentId=set_id, SobjectType=name, **rights)


def drop_component(org: Org, component: Component) -> None:
    if component.kind == "CustomObject":
        org.drop_type(component.name)
        return
    type_name, _, field_name = component.name.partition(".")
    org.drop_field(type_name, field_name)


def _text(element: etree._Element | None, tag: str) -> str:
    found = None if element is None else child(element, tag)
    return "" if found is None else (found.text or "").strip()
