"""The little of the Tooling API that command-line tools ask for before they work."""

from collections.abc import Iterable

from worker.sandbox.salesforce.errors import RequestRefused, not_found
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.handlers import query
from worker.sandbox.salesforce.schema import Field, ObjectType
from worker.sandbox.salesforce.soql.parser import parse
from worker.sandbox.salesforce.soql.syntax import (
    And,
    Comparison,
    Condition,
    Literal,
    Path,
    Query,
)

Entry = dict[str, object]


def run_query(call: Call) -> Answer:
    """Answer the two definition objects; data objects go the usual way."""
    parsed = parse(call.query.get("q", ""))
    name = parsed.source.lower()
    if name == "entitydefinition":
        return _page(call, parsed, "EntityDefinition", _entities(call))
    if name == "fielddefinition":
        return _page(call, parsed, "FieldDefinition", _fields(call, parsed))
    return query.query(call)


def source_member(call: Call) -> Answer:
    """Answer as an org without source tracking: there is no such object."""
    del call
    raise not_found()


def _page(call: Call, parsed: Query, kind: str, entries: Iterable[Entry]) -> Answer:
    wanted = _equals(parsed.where)
    url = f"/services/data/{call.version}/tooling/sobjects/{kind}"
    records = [
        {"attributes": {"type": kind, "url": f"{url}/{entry['DurableId']}"}}
        | {name: _value(entry, name, parsed) for name in _names(parsed)}
        for entry in entries
        if all(str(entry.get(name)) == value for name, value in wanted)
    ]
    return Answer(
        200,
        {"size": len(records), "totalSize": len(records), "done": True}
        | {"queryLocator": None, "entityTypeName": kind, "records": records},
    )


def _names(parsed: Query) -> list[str]:
    return [item.text for item in parsed.items if isinstance(item, Path)]


def _value(entry: Entry, name: str, parsed: Query) -> object:
    for known, value in entry.items():
        if known.lower() == name.lower():
            return value
    raise RequestRefused(
        "INVALID_FIELD", f"No such column '{name}' on entity '{parsed.source}'"
    )


def _equals(condition: Condition | None) -> list[tuple[str, str]]:
    """The `name = 'value'` terms; definitions can be asked for in no other way."""
    terms = condition.terms if isinstance(condition, And) else [condition]
    found = []
    for term in terms:
        match term:
            case None:
                continue
            case Comparison(Path() as path, "=", Literal() as literal):
                found.append((path.text, literal.text))
            case _:
                raise RequestRefused(
                    "MALFORMED_QUERY", "Only equality is emulated on definitions"
                )
    return found


def _entities(call: Call) -> Iterable[Entry]:
    for of in call.services.org.types.values():
        yield {
            "DurableId": of.name,
            "QualifiedApiName": of.name,
            "DeveloperName": of.name.removesuffix("__c"),
            "Label": of.label,
            "PluralLabel": of.plural,
            "KeyPrefix": of.prefix,
            "IsCustomizable": True,
            "IsQueryable": True,
            "NamespacePrefix": None,
        }


def _fields(call: Call, parsed: Query) -> Iterable[Entry]:
    wanted = dict(_equals(parsed.where))
    name = wanted.get("EntityDefinition.QualifiedApiName") or wanted.get(
        "EntityDefinitionId", ""
    )
    of = call.services.org.types.get(name.lower())
    if of is None:
        raise RequestRefused(
            "MALFORMED_QUERY", "A filter on EntityDefinition is required"
        )
    return [_field(of, field) for field in of.fields.values()]


def _field(of: ObjectType, field: Field) -> Entry:
    return {
        "DurableId": f"{of.name}.{field.name}",
        "QualifiedApiName": field.name,
        "DeveloperName": field.name.removesuffix("__c"),
        "Label": field.label,
        "DataType": field.type,
        "Length": field.length,
        "Precision": field.precision,
        "Scale": field.scale,
        "IsNillable": field.nillable,
        "IsIndexed": field.external_id,
        "NamespacePrefix": None,
        "EntityDefinitionId": of.name,
        "EntityDefinition.QualifiedApiName": of.name,
    }
