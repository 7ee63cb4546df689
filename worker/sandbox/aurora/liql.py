"""
Reads LiQL into a query; knows its grammar and nothing of collections or fields.
The structured form of `POST /search` becomes the same query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from worker.sandbox.aurora.errors import BadQuery

Value = str | int | float | bool


class Field(NamedTuple):
    """`rank.name`, or with an aggregate `kudos_received.sum(weight)`."""

    path: tuple[str, ...]
    aggregate: str | None = None

    @property
    def text(self) -> str:
        return ".".join((*self.path, *([self.aggregate] if self.aggregate else [])))


@dataclass(frozen=True, slots=True)
class Comparison:
    field: Field
    operator: str
    value: Value | tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Condition, ...]


Condition = Comparison | All | Either


class Sort(NamedTuple):
    field: Field
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """`fields` is empty for `SELECT *`."""

    collection: str
    fields: tuple[Field, ...] = ()
    where: Condition | None = None
    order: tuple[Sort, ...] = ()
    limit: int | None = None
    offset: int | None = None
    cursor: str | None = None

    @property
    def counts_rows(self) -> bool:
        return self.fields == (Field((), "count(*)"),)


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))
    | (?P<number>-?\d+(?:\.\d+)?)(?![\w])
    | (?P<word>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<sign><=|>=|!=|[=<>(),*])
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = frozenset({"=", "!=", "<", ">", "<=", ">="})
_CLAUSE = frozenset(
    {"select", "from", "where", "order", "limit", "offset", "cursor", "and", "or"}
)


class _Token(NamedTuple):
    kind: str
    text: str


def parse(text: str) -> Query:
    return _Reader(_tokens(text.strip().removesuffix(";"))).query()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise BadQuery(f"unreadable at {position}")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return found


class _Reader:
    """One pass over the tokens, one method a clause."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def query(self) -> Query:
        self._expect_word("select")
        fields = self._fields()
        self._expect_word("from")
        collection = self._take("word").text
        where = self._either() if self._word("where") else None
        order = self._sorts() if self._word("order") else ()
        limit = self._count() if self._word("limit") else None
        offset = self._count() if self._word("offset") else None
        cursor = _unquote(self._take("text").text) if self._word("cursor") else None
        self._end()
        if offset is not None and cursor is not None:
            raise BadQuery("OFFSET and CURSOR exclude each other")
        return Query(collection, fields, where, order, limit, offset, cursor)

    def only_field(self) -> Field:
        field = self._field()
        self._end()
        return field

    def only_sort(self) -> Sort:
        sort = self._sort()
        self._end()
        return sort

    def _end(self) -> None:
        if self._at != len(self._tokens):
            raise BadQuery("something follows the end")

    def _fields(self) -> tuple[Field, ...]:
        if self._sign("*"):
            return ()
        fields = [self._field()]
        while self._sign(","):
            fields.append(self._field())
        return tuple(fields)

    def _field(self) -> Field:
        word = self._take("word").text
        if word.lower() in _CLAUSE:
            raise BadQuery("a field is missing")
        path = tuple(word.split("."))
        if not self._sign("("):
            return Field(path)
        argument = "*" if self._sign("*") else self._take("word").text
        self._expect_sign(")")
        return Field(path[:-1], f"{path[-1].lower()}({argument})")

    def _either(self) -> Condition:
        parts = [self._all()]
        while self._word("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._term()]
        while self._word("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self) -> Condition:
        if self._sign("("):
            inner = self._either()
            self._expect_sign(")")
            return inner
        field = self._field()
        if self._word("matches"):
            return Comparison(field, "matches", self._value())
        if self._word("in"):
            return Comparison(field, "in", self._list())
        token = self._take("sign")
        if token.text not in _COMPARISONS:
            raise BadQuery("a comparison is missing")
        return Comparison(field, token.text, self._value())

    def _list(self) -> tuple[Value, ...]:
        self._expect_sign("(")
        values = [self._value()]
        while self._sign(","):
            values.append(self._value())
        self._expect_sign(")")
        return tuple(values)

    def _value(self) -> Value:
        token = self._next()
        if token.kind == "text":
            return _unquote(token.text)
        if token.kind == "time":
            return token.text
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind == "word" and token.text.lower() in {"true", "false"}:
            return token.text.lower() == "true"
        raise BadQuery("a value is missing")

    def _sorts(self) -> tuple[Sort, ...]:
        self._expect_word("by")
        sorts = [self._sort()]
        while self._sign(","):
            sorts.append(self._sort())
        return tuple(sorts)

    def _sort(self) -> Sort:
        field = self._field()
        if self._word("desc"):
            return Sort(field, descending=True)
        self._word("asc")
        return Sort(field, descending=False)

    def _count(self) -> int:
        text = self._take("number").text
        if not text.isdigit():
            raise BadQuery("a whole number is missing")
        return int(text)

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise BadQuery("the query ends early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str) -> _Token:
        token = self._next()
        if token.kind != kind:
            raise BadQuery(f"{kind} expected")
        return token

    def _word(self, word: str) -> bool:
        return self._skip("word", word)

    def _sign(self, sign: str) -> bool:
        return self._skip("sign", sign)

    def _skip(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == kind and token.text.lower() == text:
                self._at += 1
                return True
        return False

    def _expect_word(self, word: str) -> None:
        if not self._word(word):
            raise BadQuery(f"{word} expected")

    def _expect_sign(self, sign: str) -> None:
        if not self._sign(sign):
            raise BadQuery(f"{sign} expected")


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def from_object(body: object) -> Query:
    """Read `{"users": {"fields": […], "constraints": […], "sorts": […], …}}`."""
    if not isinstance(body, dict) or len(body) != 1:
        raise BadQuery("one collection expected")
    [(collection, parts)] = body.items()
    if not isinstance(parts, dict) or not set(parts) <= _PARTS:
        raise BadQuery("unknown part")
    cursor = parts.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise BadQuery("cursor must be a text")
    fields = _texts(parts, "fields")
    return Query(
        collection=str(collection),
        fields=()
        if fields == ["*"]
        else tuple(_reader(f).only_field() for f in fields),
        where=_constraints(parts.get("constraints")),
        order=tuple(_reader(sort).only_sort() for sort in _texts(parts, "sorts")),
        limit=_number(parts, "limit"),
        offset=_number(parts, "offset"),
        cursor=cursor,
    )


def _reader(text: str) -> _Reader:
    return _Reader(_tokens(text))


_PARTS = {"fields", "constraints", "sorts", "limit", "offset", "cursor"}


def _texts(parts: dict[str, object], name: str) -> list[str]:
    value = parts.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadQuery(f"{name} must be a list of texts")
    return value


def _number(parts: dict[str, object], name: str) -> int | None:
    value = parts.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise BadQuery(f"{name} must be a number")
    return value


def _constraints(value: object) -> Condition | None:
    """`{"field": value}` means `=`; `{"field": {">=": value}}` names the comparison."""
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(c, dict) for c in value):
        raise BadQuery("constraints must be a list of objects")
    parts = [
        _constraint(name, wanted) for item in value for name, wanted in item.items()
    ]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _constraint(name: str, wanted: object) -> Condition:
    operator = "="
    if isinstance(wanted, dict) and len(wanted) == 1:
        [(operator, wanted)] = wanted.items()
    if isinstance(wanted, list):
        operator, wanted = "in", tuple(wanted)
    if operator.lower() not in {*_COMPARISONS, "in", "matches"}:
        raise BadQuery("unknown comparison")
    if not isinstance(wanted, (str, int, float, bool, tuple)):
        raise BadQuery("a value is missing")
    return Comparison(_reader(name).only_field(), operator.lower(), wanted)
