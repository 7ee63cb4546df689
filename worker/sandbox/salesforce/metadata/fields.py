"""From a CustomField's XML to a field of the schema, with the vendor's refusals."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from worker.sandbox.salesforce.metadata.package import (
    Component,
    Problem,
    child,
    children,
    line_of,
)
from worker.sandbox.salesforce.schema import Field, OnDelete, Value

_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c", re.ASCII)
_TRUTHS = ("true", "false")
_KEYS = frozenset({"Text", "Number", "Email", "AutoNumber"})
_UNIQUE = frozenset({"Text", "Number", "Email", "AutoNumber"})
_LONG_TEXT = range(256, 131_073)
_NAME_LIMIT, _LABEL_LIMIT, _HELP_LIMIT, _DESCRIPTION_LIMIT = 43, 40, 510, 1000
_CASCADE = {
    "SetNull": OnDelete.SET_NULL,
    "Cascade": OnDelete.CASCADE,
    "Restrict": OnDelete.RESTRICT,
}


@dataclass(frozen=True, slots=True)
class World:
    """What a field may refer to: the types that exist or are about to."""

    has_type: Callable[[str], bool]


Build = Callable[[Component, Field, World], None]


def field_of(component: Component, world: World) -> Field:
    """Build the field a component describes; raises Problem."""
    name = component.name.partition(".")[2]
    kind = component.text("type")
    _check_names(component, name)
    if component.text("formula"):
        raise _problem(component, "formula", "Formula fields are not emulated")
    if kind is None:
        raise Problem("Must specify a field type", component.line())
    build = _BUILDERS.get(kind)
    if build is None:
        raise _problem(
            component, "type", f"'{kind}' is not a valid value for the enum 'FieldType'"
        )
    made = Field(name, component.text("label") or "", "string", custom=True)
    made.help_text = component.text("inlineHelpText")
    build(component, made, world)
    _apply_flags(component, made, kind)
    return made


def _problem(component: Component, tag: str, text: str) -> Problem:
    return Problem(text, component.line(tag))


def _check_names(component: Component, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        raise _problem(component, "fullName", f"The field name is not valid: {name}")
    if not component.text("label"):
        raise Problem(
            "Must specify a non-empty label for the CustomField", component.line()
        )
    for tag, limit in (
        ("label", _LABEL_LIMIT),
        ("inlineHelpText", _HELP_LIMIT),
        ("description", _DESCRIPTION_LIMIT),
    ):
        if len(component.text(tag) or "") > limit:
            raise _problem(
                component,
                tag,
                f"Value too long for field: {tag} maximum length is:{limit}",
            )


def _whole(component: Component, tag: str) -> int:
    kind, text = component.text("type"), component.text(tag)
    if text is None:
        raise Problem(
            f"Must specify '{tag}' for a CustomField of type {kind}", component.line()
        )
    if not text.isdigit():
        raise _problem(component, tag, f"'{text}' is not a valid value for '{tag}'")
    return int(text)


def _sized(type_name: str, length: int) -> Build:
    def build(component: Component, made: Field, world: World) -> None:
        del component, world
        made.type, made.length = type_name, length

    return build


def _plain(type_name: str) -> Build:
    def build(component: Component, made: Field, world: World) -> None:
        del component, world
        made.type = type_name

    return build


def _text(component: Component, made: Field, world: World) -> None:
    del world
    made.length = _whole(component, "length")
    if not 1 <= made.length <= 255:
        raise _problem(
            component, "length", "Text fields must have a length between 1 and 255"
        )


def _long_text(component: Component, made: Field, world: World) -> None:
    del world
    made.type, made.length = "textarea", _whole(component, "length")
    _whole(component, "visibleLines")
    if made.length not in _LONG_TEXT:
        raise _problem(
            component, "length", "Long text fields must have a length of 256 to 131072"
        )
    made.html = component.text("type") == "Html"
    made.filterable = made.sortable = False


def _number(component: Component, made: Field, world: World) -> None:
    del world
    kind = component.text("type") or ""
    made.type = "double" if kind == "Number" else kind.lower()
    made.precision = _whole(component, "precision")
    made.scale = _whole(component, "scale")
    if made.precision > 18 or made.precision < 1:
        raise _problem(component, "precision", "Precision must be between 1 and 18")
    if made.scale > made.precision:
        raise _problem(
            component, "scale", "Can not specify a scale larger than the precision"
        )


def _checkbox(component: Component, made: Field, world: World) -> None:
    del world
    default = (component.text("defaultValue") or "").lower()
    if default not in _TRUTHS:
        raise Problem(
            "Must specify 'defaultValue' for a CustomField of type Checkbox",
            component.line(),
        )
    made.type, made.default = "boolean", default == "true"
    made.nillable, made.defaulted = False, True


def _picklist(component: Component, made: Field, world: World) -> None:
    del world
    made.type = "picklist" if component.text("type") == "Picklist" else "multipicklist"
    made.length = 255 if made.type == "picklist" else 4099
    values = None if component.element is None else child(component.element, "valueSet")
    definition = None if values is None else child(values, "valueSetDefinition")
    if values is None or definition is None:
        raise Problem(
            f"Must specify a valueSet for a CustomField of type {made.type}",
            component.line(),
        )
    restricted = child(values, "restricted")
    made.restricted = restricted is not None and restricted.text == "true"
    names, default = [], None
    for value in children(definition, "value"):
        name, chosen = child(value, "fullName"), child(value, "default")
        if name is None or not name.text:
            raise Problem("A picklist value needs a fullName", line_of(value))
        names.append(name.text)
        if chosen is not None and chosen.text == "true":
            default = name.text
    made.picklist, made.default_pick, made.default = tuple(names), default, default


def _lookup(component: Component, made: Field, world: World) -> None:
    target, relation = component.text("referenceTo"), component.text("relationshipName")
    kind = component.text("type")
    for tag, value in (("referenceTo", target), ("relationshipName", relation)):
        if not value:
            raise Problem(
                f"Must specify '{tag}' for a CustomField of type {kind}",
                component.line(),
            )
    if not world.has_type(str(target)):
        raise _problem(
            component,
            "referenceTo",
            f"referenceTo value of '{target}' does not resolve to a valid sObject type",
        )
    made.type, made.length = "reference", 18
    made.reference_to = (str(target),)
    made.relationship_name = made.name.removesuffix("__c") + "__r"
    made.child_relationship = relation
    constraint = component.text("deleteConstraint") or "SetNull"
    if constraint not in _CASCADE:
        raise _problem(
            component,
            "deleteConstraint",
            f"'{constraint}' is not a valid value for the enum 'DeleteConstraint'",
        )
    made.on_delete = _CASCADE[constraint]
    if kind == "MasterDetail":
        made.master_detail, made.on_delete = True, OnDelete.CASCADE
        made.nillable = made.permissionable = made.updateable = False


def _auto_number(component: Component, made: Field, world: World) -> None:
    del world
    pattern = component.text("displayFormat")
    if not pattern or "{0" not in pattern:
        raise Problem(
            "Must specify 'displayFormat' for a CustomField of type AutoNumber",
            component.line(),
        )
    made.auto_number, made.length = pattern, 30
    made.createable = made.updateable = False
    made.defaulted = True


_BUILDERS: dict[str, Build] = {
    "Text": _text,
    "TextArea": _sized("textarea", 255),
    "LongTextArea": _long_text,
    "Html": _long_text,
    "Number": _number,
    "Currency": _number,
    "Percent": _number,
    "Checkbox": _checkbox,
    "Date": _plain("date"),
    "DateTime": _plain("datetime"),
    "Email": _sized("email", 80),
    "Phone": _sized("phone", 40),
    "Url": _sized("url", 255),
    "Picklist": _picklist,
    "MultiselectPicklist": _picklist,
    "Lookup": _lookup,
    "MasterDetail": _lookup,
    "AutoNumber": _auto_number,
}


def _apply_flags(component: Component, made: Field, kind: str) -> None:
    made.external_id = component.flag("externalId")
    made.unique = component.flag("unique")
    made.case_sensitive = component.flag("caseSensitive")
    for tag, on, allowed in (
        ("externalId", made.external_id, _KEYS),
        ("unique", made.unique, _UNIQUE),
        ("caseSensitive", made.case_sensitive, frozenset({"Text"})),
    ):
        if on and kind not in allowed:
            raise _problem(
                component,
                tag,
                f"Can not specify '{tag}' for a CustomField of type {kind}",
            )
    if component.flag("required"):
        if made.type == "boolean" or made.auto_number or kind == "LongTextArea":
            raise _problem(
                component,
                "required",
                f"Can not specify 'required' for a CustomField of type {kind}",
            )
        made.nillable = made.permissionable = False
    default = component.text("defaultValue")
    if default is not None and made.type != "boolean":
        made.default = _literal(default)


def _literal(text: str) -> Value:
    """A default may be a formula; only a quoted text or a number is taken."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    quoted = re.fullmatch(r"([\"'])(.*)\1", text)
    return quoted[2] if quoted else None
