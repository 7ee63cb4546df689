"""Describes of types and fields in the vendor's full set of attributes."""

from worker.sandbox.salesforce.access import ObjectAccess
from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import (
    Field,
    ObjectType,
    OnDelete,
    child_name,
)

Described = dict[str, object]

_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
}
_NOT_GROUPABLE = frozenset({"datetime", "double", "currency", "percent"})
_MASTER_RECORD_TYPE = "012000000000000AAA"


def global_entry(of: ObjectType, version: str) -> Described:
    """What the global describe tells of a type."""
    base = f"/services/data/{version}/sobjects/{of.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": of.createable,
        "custom": of.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": of.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": of.prefix,
        "label": of.label,
        "labelPlural": of.plural,
        "layoutable": True,
        "mergeable": of.mergeable,
        "mruEnabled": True,
        "name": of.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": of.deletable,
        "updateable": of.updateable,
        "urls": {
            "rowTemplate": f"{base}/{{ID}}",
            "describe": f"{base}/describe",
            "layouts": f"{base}/describe/layouts",
            "sobject": base,
        },
    }


def object_describe(
    org: Org, of: ObjectType, rights: ObjectAccess, version: str
) -> Described:
    """The full describe of a type, with the fields its user may see."""
    visible = [f for f in of.fields.values() if rights.sees(f)]
    return global_entry(of, version) | {
        "actionOverrides": [],
        "childRelationships": _children(org, of),
        "compactLayoutable": True,
        "createable": of.createable and rights.create,
        "defaultImplementation": None,
        "deletable": of.deletable and rights.delete,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [field_describe(f, rights) for f in visible],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [_master_record_type(of, version)],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {of.plural.lower()}", "name": "everything"},
            {"label": f"My {of.plural.lower()}", "name": "mine"},
        ],
        "updateable": of.updateable and rights.edit,
    }


def _master_record_type(of: ObjectType, version: str) -> Described:
    layout = f"/services/data/{version}/sobjects/{of.name}/describe/layouts"
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": _MASTER_RECORD_TYPE,
        "urls": {"layout": f"{layout}/{_MASTER_RECORD_TYPE}"},
    }


def _children(org: Org, of: ObjectType) -> list[Described]:
    return [
        {
            "cascadeDelete": child.on_delete is OnDelete.CASCADE,
            "childSObject": child.table.of.name,
            "deprecatedAndHidden": False,
            "field": child.field.name,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": child_name(child.field),
            "restrictedDelete": child.on_delete is OnDelete.RESTRICT,
        }
        for child in org.form(of).children
    ]


def field_describe(field: Field, rights: ObjectAccess) -> Described:
    """One field with all the attributes a recorded describe has."""
    writes = rights.writes(field)
    return (
        _NEVER_SET
        | _figures(field)
        | _reference(field)
        | {
            "aggregatable": field.sortable and field.type != "boolean",
            "autoNumber": field.auto_number is not None,
            "calculated": field.calculated,
            "caseSensitive": field.case_sensitive,
            "compoundFieldName": field.compound,
            "createable": field.createable and writes and rights.create,
            "custom": field.custom,
            "defaultValue": field.default,
            "defaultedOnCreate": field.defaulted,
            "externalId": field.external_id,
            "filterable": field.filterable,
            "groupable": field.sortable and field.type not in _NOT_GROUPABLE,
            # The vendor's idLookup says: this field can be an upsert key.
            "idLookup": field.id_lookup or field.external_id,
            "inlineHelpText": field.help_text,
            "label": field.label,
            "name": field.name,
            "nameField": field.name_field,
            "nillable": field.nillable,
            "permissionable": field.permissionable,
            "picklistValues": _picklist(field),
            "restrictedPicklist": field.restricted,
            "sortable": field.sortable,
            "unique": field.unique,
            "updateable": field.updateable and writes and rights.edit,
        }
    )


# Attributes of features this org has not.
_NEVER_SET: Described = {
    "aiPredictionField": False,
    "calculatedFormula": None,
    "controllerName": None,
    "defaultValueFormula": None,
    "dependentPicklist": False,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "encrypted": False,
    "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False,
    "highScaleNumber": False,
    "mask": None,
    "maskType": None,
    "queryByDistance": False,
    "referenceTargetField": None,
    "writeRequiresMasterRead": False,
}


def _reference(field: Field) -> Described:
    return {
        # A standard lookup tells this in childRelationships alone.
        "cascadeDelete": field.custom and field.on_delete is OnDelete.CASCADE,
        "namePointing": len(field.reference_to) > 1,
        "polymorphicForeignKey": len(field.reference_to) > 1,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name,
        "relationshipOrder": 0 if field.master_detail else None,
        "restrictedDelete": field.custom and field.on_delete is OnDelete.RESTRICT,
        "searchPrefilterable": field.type == "reference",
    }


def _figures(field: Field) -> Described:
    width = 1 if field.type in ("id", "reference") else 3
    plain = "plaintextarea" if field.type == "textarea" else None
    return {
        "byteLength": field.length * width,
        "digits": field.digits,
        "htmlFormatted": field.html,
        "extraTypeInfo": "richtextarea" if field.html else plain,
        "length": field.length,
        "precision": field.precision,
        "scale": field.scale,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "type": field.type,
    }


def _picklist(field: Field) -> list[Described]:
    return [
        {
            "active": True,
            "defaultValue": value == field.default_pick,
            "label": value,
            "validFor": None,
            "value": value,
        }
        for value in field.picklist
    ]
