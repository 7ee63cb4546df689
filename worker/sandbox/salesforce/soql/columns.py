"""The column metadata of a query (`columns=true`), which the vendor's CLI asks for."""

from worker.sandbox.salesforce.org import Org
from worker.sandbox.salesforce.schema import Field
from worker.sandbox.salesforce.soql.run import Found, child_of
from worker.sandbox.salesforce.soql.scope import Scope
from worker.sandbox.salesforce.soql.syntax import Call, Path, Query

Column = dict[str, object]
_APEX_TYPES = {"id": "Id", "reference": "Id", "boolean": "Boolean", "int": "Integer"}


def metadata(org: Org, found: Found, user_id: str | None) -> Column:
    """Describe the columns of a query without its rows."""
    query = found.query
    scope = Scope(org, query.text, found.of, user_id)
    scope.aliases.add((query.alias or query.source).lower())
    plain = [i for i in query.items if isinstance(i, Path)]
    return {
        "columnMetadata": [_column(scope, item) for item in query.items],
        "entityName": found.of.name,
        "groupBy": bool(query.groups),
        "idSelected": any(path.text.lower() == "id" for path in plain),
        "keyPrefix": found.of.prefix,
    }


def _column(scope: Scope, item: Path | Call | Query) -> Column:
    if isinstance(item, Query):
        of, _ = child_of(scope, item)
        inner = Scope(scope.org, item.text, of, scope.user_id)
        inner.aliases.add((item.alias or item.source).lower())
        joined = [_column(inner, part) for part in item.items]
        return _described(item.source, None, aggregate=True) | {"joinColumns": joined}
    if isinstance(item, Call):
        name = item.alias or item.name
        return _described(name, None, aggregate=True) | {"numberType": True}
    field = scope.column(item).field
    return _described(item.text, field, aggregate=False)


def _described(name: str, field: Field | None, *, aggregate: bool) -> Column:
    kind = field.type if field else ""
    return {
        "aggregate": aggregate,
        "apexType": _APEX_TYPES.get(kind, "String"),
        "booleanType": kind == "boolean",
        "columnName": name,
        "custom": bool(field and field.custom),
        "displayName": name,
        "foreignKeyName": field.relationship_name if field else None,
        "insertable": bool(field and field.createable),
        "joinColumns": [],
        "numberType": bool(field and field.is_number),
        "textType": bool(field and field.is_text),
        "updatable": bool(field and field.updateable),
    }
