"""
Turns conditions into predicates on rows, and finds the rows an index can offer.

Text is compared without case, unless its field minds case, as SOQL does.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.ids import normalise
from worker.sandbox.salesforce.schema import Field, Row, Value
from worker.sandbox.salesforce.soql.dates import span_of
from worker.sandbox.salesforce.soql.faults_of_query import malformed, refused
from worker.sandbox.salesforce.soql.scope import Column, Scope
from worker.sandbox.salesforce.soql.syntax import (
    And,
    Call,
    Comparison,
    Condition,
    Kind,
    Literal,
    Not,
    Or,
    Path,
    Query,
)
from worker.sandbox.salesforce.table import fold_key

Test = Callable[[Row], bool]
SemiJoin = Callable[[Query], set[Value]]

_ID_TYPES = frozenset({"id", "reference"})


class Filter:
    """Compiles the conditions of one query."""

    def __init__(self, scope: Scope, semi_join: SemiJoin) -> None:
        self._scope = scope
        self._semi_join = semi_join

    # Predicates

    def test(self, condition: Condition) -> Test:
        match condition:
            case And(terms):
                tests = [self.test(term) for term in terms]
                return lambda row: all(test(row) for test in tests)
            case Or(terms):
                tests = [self.test(term) for term in terms]
                return lambda row: any(test(row) for test in tests)
            case Not(term):
                inner = self.test(term)
                return lambda row: not inner(row)
            case _:
                return self._comparison(condition)

    def _comparison(self, condition: Comparison) -> Test:
        if isinstance(condition.target, Call):
            raise malformed(
                self._scope.statement,
                condition.target.at,
                f"unexpected token: '{condition.target.name}'",
            )
        column = self._filterable(condition.target)
        match condition.operator:
            case "in" | "not in":
                return self._membership(column, condition)
            case "like":
                return self._like(column, condition.value)
            case "includes" | "excludes":
                return self._picks(column, condition)
            case operator:
                value = condition.value
                if not isinstance(value, Literal):
                    raise malformed(self._scope.statement, 0, "unexpected token: '('")
                return self._compare(column, operator, value)

    def _filterable(self, path: Path) -> Column:
        column = self._scope.column(path)
        if not column.field.filterable:
            raise refused(
                "INVALID_FIELD",
                self._scope.statement,
                path.at,
                f"field '{column.field.name}' can not be filtered in a query call",
            )
        return column

    def _compare(self, column: Column, operator: str, literal: Literal) -> Test:
        if literal.kind is Kind.DATE_LITERAL:
            return self._span(column, operator, literal)
        wanted = self.value(column.field, literal)
        read, fold = column.read, fold_key(column.field)
        if operator in ("=", "!="):
            equal = operator == "="
            if not column.field.is_text or column.field.case_sensitive:
                return lambda row: (read(row) == wanted) is equal
            return lambda row: (fold(read(row)) == wanted) is equal
        if wanted is None:
            raise self._refused_operator(column.field, literal)
        return _ordering(operator, lambda row: fold(read(row)), wanted)

    def _refused_operator(self, field: Field, literal: Literal) -> RequestRefused:
        return refused(
            "INVALID_QUERY_FILTER_OPERATOR",
            self._scope.statement,
            literal.at,
            f"invalid operator on {field.type} field",
        )

    def _span(self, column: Column, operator: str, literal: Literal) -> Test:
        today = self._scope.org.clock.now().astimezone(UTC).date()
        span = span_of(literal.text, today)
        if span is None:
            raise malformed(
                self._scope.statement, literal.at, f"unexpected token: '{literal.text}'"
            )
        if column.field.type not in ("date", "datetime"):
            raise self._wrong_kind(column.field, literal)
        first, after = (_as_stored(column.field, day) for day in span)
        read = column.read
        tests: dict[str, Callable[[str], bool]] = {
            "=": lambda held: first <= held < after,
            "!=": lambda held: not first <= held < after,
            "<": lambda held: held < first,
            "<=": lambda held: held < after,
            ">": lambda held: held >= after,
            ">=": lambda held: held >= first,
        }
        test = tests[operator]
        missing = operator == "!="

        def within(row: Row) -> bool:
            held = read(row)
            return missing if held is None else test(str(held))

        return within

    def _membership(self, column: Column, condition: Comparison) -> Test:
        wanted = self.members(column.field, condition.value)
        read, fold = column.read, fold_key(column.field)
        inside = condition.operator == "in"
        return lambda row: (fold(read(row)) in wanted) is inside

    def members(
        self, field: Field, values: Literal | list[Literal] | Query
    ) -> set[Value]:
        if isinstance(values, Query):
            fold = fold_key(field)
            return {fold(value) for value in self._semi_join(values)}
        listed = values if isinstance(values, list) else [values]
        return {self.value(field, literal) for literal in listed}

    def _like(self, column: Column, value: object) -> Test:
        if not isinstance(value, Literal) or value.kind is not Kind.STRING:
            raise malformed(self._scope.statement, 0, "LIKE expects a string")
        if not column.field.is_text:
            raise self._refused_operator(column.field, value)
        pattern = _like_pattern(value.text)
        read = column.read
        return lambda row: pattern.fullmatch(str(read(row) or "")) is not None

    def _picks(self, column: Column, condition: Comparison) -> Test:
        value = condition.value
        if column.field.type != "multipicklist" or not isinstance(value, list):
            raise malformed(
                self._scope.statement, 0, "INCLUDES needs a multi-select picklist"
            )
        groups = [set(literal.text.split(";")) for literal in value]
        read, inside = column.read, condition.operator == "includes"

        def test(row: Row) -> bool:
            held = set(str(read(row) or "").split(";"))
            return any(group <= held for group in groups) is inside

        return test

    # Literals

    def value(self, field: Field, literal: Literal) -> Value:
        """Bring a literal to the form that rows of this field are compared in."""
        if literal.kind is Kind.NULL:
            return None
        if field.type in _ID_TYPES:
            return self._id(field, literal)
        if literal.kind not in _fitting(field):
            raise self._wrong_kind(field, literal)
        match literal.kind:
            case Kind.NUMBER:
                return float(literal.text)
            case Kind.BOOLEAN:
                return literal.text == "true"
            case Kind.DATETIME:
                return _stored_instant(literal.text)
            case _:
                return fold_key(field)(literal.text)

    def _id(self, field: Field, literal: Literal) -> Value:
        full = normalise(literal.text) if literal.kind is Kind.STRING else None
        if full is None and literal.text:
            raise refused(
                "INVALID_QUERY_FILTER_OPERATOR",
                self._scope.statement,
                literal.at,
                f"invalid ID field: {literal.text}",
            )
        del field
        return full

    def _wrong_kind(self, field: Field, literal: Literal) -> RequestRefused:
        names = {"boolean": "boolean", "date": "date", "datetime": "dateTime"}
        kind = "string" if field.is_text else names.get(field.type, field.type)
        quotes = "should" if field.is_text else "should not"
        return refused(
            "INVALID_FIELD",
            self._scope.statement,
            literal.at,
            f"value of filter criterion for field '{field.name}' must be of type "
            f"{kind} and {quotes} be enclosed in quotes",
        )

    # Indexes

    def candidates(self, condition: Condition | None) -> set[str] | None:
        """
        Return ids that may match, or None when only a scan can tell.

        Never too few; the predicate still decides.
        """
        match condition:
            case And(terms):
                offers = [self.candidates(term) for term in terms]
                known = [offer for offer in offers if offer is not None]
                return min(known, key=len) if known else None
            case Or(terms):
                return self._any_of([self.candidates(term) for term in terms])
            case Comparison(target=Path()):
                return self._offer(condition)
            case _:
                return None

    def _any_of(self, offers: list[set[str] | None]) -> set[str] | None:
        union: set[str] = set()
        for offer in offers:
            if offer is None:
                return None
            union |= offer
        return union

    def _offer(self, condition: Comparison) -> set[str] | None:
        if condition.operator not in ("=", "in") or not isinstance(
            condition.target, Path
        ):
            return None
        column = self._scope.column(condition.target)
        if not column.is_direct or not is_indexed(column.field):
            return None
        if _has_date_literal(condition.value):
            return None
        wanted = self.members(column.field, condition.value)
        if None in wanted:
            return None
        if column.field.type == "id":
            return {str(value) for value in wanted}
        index = self._scope.table.index(column.slot)
        return {found for value in wanted for found in index.ids(value)}


def is_indexed(field: Field) -> bool:
    """What the vendor indexes: ids, lookups, external ids, e-mails, names."""
    return (
        field.type in ("id", "reference", "email")
        or field.external_id
        or field.unique
        or field.id_lookup
        or field.name_field
        or field.compound == "Name"
    )


def _has_date_literal(value: object) -> bool:
    literals = value if isinstance(value, list) else [value]
    return any(
        isinstance(literal, Literal) and literal.kind is Kind.DATE_LITERAL
        for literal in literals
    )


def _ordering(operator: str, read: Callable[[Row], Value], wanted: Value) -> Test:
    def compare(row: Row) -> bool:
        held = read(row)
        if held is None:
            return False
        if operator == "<":
            return held < wanted  # type: ignore[operator] # literals fit the field
        if operator == "<=":
            return held <= wanted  # type: ignore[operator] # the same
        if operator == ">":
            return held > wanted  # type: ignore[operator] # the same
        return held >= wanted  # type: ignore[operator] # the same

    return compare


def _fitting(field: Field) -> tuple[Kind, ...]:
    if field.is_text:
        return (Kind.STRING,)
    if field.is_number:
        return (Kind.NUMBER,)
    return {
        "boolean": (Kind.BOOLEAN,),
        "date": (Kind.DATE,),
        "datetime": (Kind.DATETIME,),
    }.get(field.type, ())


def _stored_instant(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return (
        f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{moment.microsecond // 1000:03d}+0000"
    )


def _as_stored(field: Field, day: date) -> str:
    if field.type == "date":
        return day.isoformat()
    return f"{day.isoformat()}T00:00:00.000+0000"


def _like_pattern(text: str) -> re.Pattern[str]:
    pieces, escaped = [], False
    for letter in text:
        if escaped:
            pieces.append(re.escape(letter))
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            pieces.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
    return re.compile("".join(pieces), re.IGNORECASE | re.DOTALL)
