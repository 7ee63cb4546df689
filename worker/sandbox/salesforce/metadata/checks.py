"""
Checks components that refer to objects and fields: objects, permission sets,
layouts, list views, tabs, applications. Raises Problem in the vendor's words.
"""

import re
from collections.abc import Callable

from lxml import etree

from worker.sandbox.salesforce.metadata.package import (
    NAMESPACE,
    Component,
    Problem,
    child,
    children,
    line_of,
    texts,
)
from worker.sandbox.salesforce.schema import Field, ObjectType

_OBJECT_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c", re.ASCII)
_API_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*", re.ASCII)
_SHARING = frozenset(
    {"Private", "Read", "ReadWrite", "ReadWriteTransfer", "ControlledByParent"}
)
# Columns of list views and related lists are not API names for standard fields.
_LIST_COLUMNS = re.compile(
    r"NAME|FULL_NAME|OBJECT_ID|CREATED_DATE|LAST_UPDATE|LAST_ACTIVITY|RECORDTYPE|"
    r"(CREATEDBY_USER|UPDATEDBY_USER|OWNER)(\..+)?|CORE\.USERS\..+|[A-Z]+\.[A-Z_.]+|"
    r"[A-Z_]+"
)
_SCOPES = frozenset({"Everything", "Mine", "Queue", "Delegated", "MyTerritory"})
_OPERATIONS = frozenset(
    {
        "equals",
        "notEqual",
        "lessThan",
        "greaterThan",
        "lessOrEqual",
        "greaterOrEqual",
        "contains",
        "notContain",
        "startsWith",
        "includes",
        "excludes",
        "within",
    }
)
_COMPOUND = frozenset({"MailingAddress", "OtherAddress", "BillingAddress", "Address"})


class View:
    """The schema as it will be when everything sound in the package is there."""

    def __init__(self, types: dict[str, ObjectType]) -> None:
        self._types = {
            name: {f.name: f for f in of.fields.values()} for name, of in types.items()
        }
        self._labels = {name: of.name for name, of in types.items()}
        self.tabs: set[str] = set()

    def has_type(self, name: str) -> bool:
        return name.lower() in self._types

    def add_type(self, name: str, fields: list[Field]) -> None:
        self._types[name.lower()] = {f.name: f for f in fields}

    def add_field(self, type_name: str, made: Field) -> None:
        self._types[type_name.lower()][made.name] = made

    def fields(self, type_name: str) -> dict[str, Field]:
        return self._types.get(type_name.lower(), {})

    def field(self, full_name: str) -> Field | None:
        type_name, _, name = full_name.partition(".")
        return self.fields(type_name).get(name)


def check_object(component: Component, view: View) -> None:
    """A new custom object needs a label, a plural, a name field, a sharing model."""
    name = component.name
    if not name.endswith("__c"):
        if not view.has_type(name):
            raise Problem(f"Entity type: '{name}' is unknown", component.line())
        return
    if not _OBJECT_NAME.fullmatch(name):
        raise Problem(f"The object name is not valid: {name}", component.line())
    if view.has_type(name) and component.text("label") is None:
        return
    for tag, problem in (
        ("label", "Must specify a non-empty label for the CustomObject"),
        ("pluralLabel", "Must specify a non-empty pluralLabel for the CustomObject"),
        ("sharingModel", "Must specify a sharingModel for the CustomObject"),
    ):
        if not component.text(tag):
            raise Problem(problem, component.line())
    if component.text("sharingModel") not in _SHARING:
        raise Problem(
            f"'{component.text('sharingModel')}' is not a valid value for the enum "
            "'SharingModel'",
            component.line("sharingModel"),
        )
    _check_name_field(component)


def _check_name_field(component: Component) -> None:
    element = component.element
    name = None if element is None else child(element, "nameField")
    kind = None if name is None else child(name, "type")
    if name is None or kind is None or kind.text not in ("Text", "AutoNumber"):
        raise Problem(
            "Must specify a nameField of type Text or AutoNumber for the CustomObject",
            component.line("nameField"),
        )
    if kind.text == "AutoNumber" and child(name, "displayFormat") is None:
        raise Problem("Must specify 'displayFormat' for an AutoNumber", line_of(name))


def check_permission_set(component: Component, view: View) -> None:
    if not _API_NAME.fullmatch(component.name):
        raise Problem(f"The name is not valid: {component.name}", component.line())
    if not component.text("label"):
        raise Problem("Required field is missing: label", component.line())
    if component.element is None:
        return
    for grant in children(component.element, "fieldPermissions"):
        _check_field_grant(grant, view)
    for grant in children(component.element, "objectPermissions"):
        _check_object_grant(grant, view)


def _check_field_grant(grant: etree._Element, view: View) -> None:
    name = _text(grant, "field")
    field = view.field(name)
    if field is None:
        raise Problem(
            f"In field: field - no CustomField named {name} found", line_of(grant)
        )
    if not field.permissionable:
        raise Problem(f"You cannot deploy to a required field: {name}", line_of(grant))
    if _text(grant, "editable") == "true" and _text(grant, "readable") != "true":
        raise Problem(
            f"Field {name}: an editable field has to be readable", line_of(grant)
        )


def _check_object_grant(grant: etree._Element, view: View) -> None:
    name = _text(grant, "object")
    if not view.has_type(name):
        raise Problem(
            f"In field: field - no CustomObject named {name} found", line_of(grant)
        )
    for right, needs in (
        ("allowCreate", "allowRead"),
        ("allowEdit", "allowRead"),
        ("allowDelete", "allowEdit"),
        ("viewAllRecords", "allowRead"),
        ("modifyAllRecords", "allowDelete"),
    ):
        if _text(grant, right) == "true" and _text(grant, needs) != "true":
            raise Problem(
                f"Permission {right} {name} depends on permission(s): {needs} {name}",
                line_of(grant),
            )


def check_layout(component: Component, view: View) -> None:
    type_name = component.name.partition("-")[0]
    if not view.has_type(type_name):
        raise Problem(f"Entity type: '{type_name}' is unknown", component.line())
    if component.element is None:
        return
    for item in component.element.iter(f"{{{NAMESPACE}}}layoutItems"):
        _check_layout_field(type_name, _text(item, "field"), line_of(item), view)
    for related in children(component.element, "relatedLists"):
        _check_related_list(related, view)


def _check_layout_field(
    type_name: str, name: str, line: int | None, view: View
) -> None:
    if name and name not in view.fields(type_name) and name not in _COMPOUND:
        raise Problem(
            f"In field: field - no CustomField named {type_name}.{name} found", line
        )


def _check_related_list(related: etree._Element, view: View) -> None:
    name = _text(related, "relatedList")
    if name.startswith("Related"):
        return
    lookup = view.field(name)
    if lookup is None or lookup.type != "reference":
        raise Problem(f"Cannot find related list:{name}", line_of(related))
    type_name = name.partition(".")[0]
    for column in [*texts(related, "fields"), *texts(related, "sortField")]:
        _check_column(type_name, column, line_of(related), view)


def _check_column(type_name: str, column: str, line: int | None, view: View) -> None:
    if column in view.fields(type_name) and column.endswith("__c"):
        return
    if column.endswith("__c") or not _LIST_COLUMNS.fullmatch(column):
        raise Problem(f"Could not resolve list view column: {column}", line)


def check_list_view(component: Component, view: View) -> None:
    type_name = component.name.partition(".")[0]
    if not component.text("label"):
        raise Problem("Required field is missing: label", component.line())
    if component.text("filterScope") not in _SCOPES:
        raise Problem("Required field is missing: filterScope", component.line())
    if component.element is None:
        return
    for column in children(component.element, "columns"):
        _check_column(type_name, (column.text or ""), line_of(column), view)
    for condition in children(component.element, "filters"):
        _check_column(type_name, _text(condition, "field"), line_of(condition), view)
        if _text(condition, "operation") not in _OPERATIONS:
            raise Problem(
                f"'{_text(condition, 'operation')}' is not a valid value for the enum "
                "'FilterOperation'",
                line_of(condition),
            )


def check_compact_layout(component: Component, view: View) -> None:
    type_name = component.name.partition(".")[0]
    if not component.text("label"):
        raise Problem("Required field is missing: label", component.line())
    names = [] if component.element is None else texts(component.element, "fields")
    for name in names:
        _check_layout_field(type_name, name, component.line(), view)


def check_tab(component: Component, view: View) -> None:
    if component.flag("customObject") and not view.has_type(component.name):
        raise Problem(
            f"In field: customObject - no CustomObject named {component.name} found",
            component.line(),
        )
    if not component.text("motif"):
        raise Problem("Required field is missing: motif", component.line())
    view.tabs.add(component.name)


def check_application(component: Component, view: View) -> None:
    if not component.text("label"):
        raise Problem("Required field is missing: label", component.line())
    names = [] if component.element is None else texts(component.element, "tabs")
    for name in names:
        if not name.startswith("standard-") and name not in view.tabs:
            raise Problem(
                f"In field: tab - no CustomTab named {name} found",
                component.line("tabs"),
            )


CHECKS: dict[str, Callable[[Component, View], None]] = {
    "CustomObject": check_object,
    "CompactLayout": check_compact_layout,
    "ListView": check_list_view,
    "CustomTab": check_tab,
    "Layout": check_layout,
    "CustomApplication": check_application,
    "PermissionSet": check_permission_set,
}


def _text(element: etree._Element, tag: str) -> str:
    found = child(element, tag)
    return "" if found is None else (found.text or "").strip()
