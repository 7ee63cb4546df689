"""
From the text of a statement to its parts; knows the grammar, no schema.

Written by hand rather than generated: the vendor's messages name the offending
token and its place, and a list of 400 ids must parse in a millisecond.
"""

import re
from typing import NamedTuple, NoReturn

from worker.sandbox.salesforce.errors import NotEmulated
from worker.sandbox.salesforce.soql.faults_of_query import malformed
from worker.sandbox.salesforce.soql.syntax import (
    And,
    Call,
    Comparison,
    Condition,
    Kind,
    Literal,
    Not,
    Or,
    Order,
    Path,
    Query,
)

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::\d+)?)
    | (?P<sign><=|>=|!=|<>|[=<>(),:])
    | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    '"': '"',
    "'": "'",
    "\\": "\\",
}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_UNSUPPORTED = frozenset({"typeof", "using", "with", "for", "update"})
_CLAUSES = frozenset(
    {"where", "group", "having", "order", "limit", "offset", "all", "from"}
    | _UNSUPPORTED
)
_SIGNS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_STATEMENT_LIMIT = 100_000
_OFFSET_LIMIT = 2_000


class Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(statement: str) -> Query:
    """Parse one SELECT statement; raises MALFORMED_QUERY in the vendor's words."""
    if len(statement) > _STATEMENT_LIMIT:
        raise malformed(statement, 0, "SOQL statements cannot be longer than 100000")
    parser = _Parser(statement)
    query = parser.query()
    parser.expect_end()
    return query


def unquote(statement: str, token: Token, *, like: bool = False) -> str:
    """Undo the escapes of a string; LIKE keeps those of its own wildcards."""

    def escape(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        letter = match[2]
        if letter in "%_":
            return "\\" + letter if like else letter
        if letter not in _ESCAPES:
            raise malformed(
                statement, token.at, f"Illegal string literal: \\{letter} is not known"
            )
        return "\\\\" if like and letter == "\\" else _ESCAPES[letter]

    text = token.text[1:-1]
    return _ESCAPE.sub(escape, text) if "\\" in text else text


def _tokens(statement: str) -> list[Token]:
    found, position = [], 0
    while True:
        match = _TOKEN.match(statement, position)
        if match is None:
            at = len(statement) - len(statement[position:].lstrip())
            raise malformed(
                statement,
                at,
                f"line 1:{at} no viable alternative at character '{statement[at]}'",
            )
        kind = match.lastgroup or "end"
        found.append(Token(kind, match[kind], match.start(kind)))
        if kind == "end":
            return found
        position = match.end()


class _Parser:
    def __init__(self, statement: str) -> None:
        self._text = statement
        self._tokens = _tokens(statement)
        self._position = 0

    # Tokens

    @property
    def _here(self) -> Token:
        return self._tokens[self._position]

    def _next(self) -> Token:
        token = self._tokens[self._position]
        if token.kind != "end":
            self._position += 1
        return token

    def _word(self) -> str:
        token = self._here
        return token.text.lower() if token.kind == "name" else token.text

    def _take(self, *words: str) -> bool:
        """Step over these words if they all come next."""
        for ahead, word in enumerate(words):
            index = min(self._position + ahead, len(self._tokens) - 1)
            if self._tokens[index].text.lower() != word:
                return False
        self._position += len(words)
        return True

    def _expect(self, word: str) -> Token:
        if self._word() != word:
            self._unexpected()
        return self._next()

    def _unexpected(self) -> NoReturn:
        token = self._here
        if token.kind == "end":
            raise malformed(self._text, token.at, "unexpected token: '<EOF>'")
        raise malformed(self._text, token.at, f"unexpected token: '{token.text}'")

    def expect_end(self) -> None:
        if self._here.kind != "end":
            self._unexpected()

    def _name(self) -> Token:
        if self._here.kind != "name":
            self._unexpected()
        return self._next()

    # Clauses

    def query(self) -> Query:
        at = self._expect("select").at
        items = self._items()
        self._expect("from")
        source = self._name()
        query = Query(self._text, items, source.text, at, source.at)
        self._alias(query)
        self._refuse_unsupported()
        if self._take("where"):
            query.where = self._condition()
        self._refuse_unsupported()
        self._grouping(query)
        if self._take("order", "by"):
            query.orders = self._orders()
        self._window(query)
        self._refuse_unsupported()
        return query

    def _alias(self, query: Query) -> None:
        self._take("as")
        if self._here.kind == "name" and self._word() not in _CLAUSES:
            query.alias = self._next().text

    def _refuse_unsupported(self) -> None:
        word = self._word()
        if word in _UNSUPPORTED:
            raise NotEmulated(f"SOQL {word.upper()}")

    def _grouping(self, query: Query) -> None:
        if self._take("group", "by"):
            if self._word() in ("rollup", "cube"):
                raise NotEmulated(f"GROUP BY {self._word().upper()}")
            query.groups = [self._operand()]
            while self._take(","):
                query.groups.append(self._operand())
        if self._take("having"):
            query.having = self._condition()

    def _window(self, query: Query) -> None:
        if self._take("limit"):
            query.limit = self._whole_number()
        if self._take("offset"):
            at = self._here.at
            query.offset = self._whole_number()
            if query.offset > _OFFSET_LIMIT:
                raise malformed(
                    self._text, at, "SOQL: maximum SOQL offset allowed is 2000"
                )
        query.all_rows = self._take("all", "rows")

    def _whole_number(self) -> int:
        if self._here.kind != "number" or not self._here.text.isdigit():
            self._unexpected()
        return int(self._next().text)

    # Select list

    def _items(self) -> list[Path | Call | Query]:
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        return items

    def _item(self) -> Path | Call | Query:
        if self._take("("):
            query = self.query()
            self._expect(")")
            return query
        if self._word() == "typeof":
            self._refuse_unsupported()
        operand = self._operand()
        if self._here.kind == "name" and self._word() not in _CLAUSES:
            alias = self._next().text
            if isinstance(operand, Call):
                return Call(operand.name, operand.argument, operand.at, alias)
            return Path(operand.parts, operand.at, alias)
        return operand

    def _operand(self) -> Path | Call:
        name = self._name()
        if self._take("("):
            argument = None
            if not self._take(")"):
                inner = self._name()
                argument = Path(tuple(inner.text.split(".")), inner.at)
                self._expect(")")
            return Call(name.text.lower(), argument, name.at)
        return Path(tuple(name.text.split(".")), name.at)

    def _orders(self) -> list[Order]:
        orders = [self._order()]
        while self._take(","):
            orders.append(self._order())
        return orders

    def _order(self) -> Order:
        target = self._operand()
        descending = self._take("desc")
        if not descending:
            self._take("asc")
        nulls_last = self._take("nulls", "last")
        if not nulls_last:
            self._take("nulls", "first")
        return Order(target, descending, nulls_last)

    # Conditions

    def _condition(self) -> Condition:
        """AND and OR may not be mixed without brackets: the vendor refuses it."""
        terms = [self._term()]
        joiner = self._word()
        if joiner not in ("and", "or"):
            return terms[0]
        while self._word() in ("and", "or"):
            if self._word() != joiner:
                self._unexpected()
            self._next()
            terms.append(self._term())
        return And(terms) if joiner == "and" else Or(terms)

    def _term(self) -> Condition:
        if self._take("not"):
            return Not(self._term())
        if self._take("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        target = self._operand()
        word = self._word()
        if word in _SIGNS:
            self._next()
            return Comparison(target, "!=" if word == "<>" else word, self._literal())
        if word == "like":
            self._next()
            return Comparison(target, "like", self._literal(like=True))
        if self._take("not", "in"):
            return Comparison(target, "not in", self._list())
        if word in ("in", "includes", "excludes"):
            self._next()
            return Comparison(target, word, self._list())
        return self._unexpected()

    def _list(self) -> list[Literal] | Query:
        self._expect("(")
        if self._word() == "select":
            inner = self.query()
            self._expect(")")
            return inner
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")")
        return values

    def _literal(self, *, like: bool = False) -> Literal:
        token = self._here
        if token.kind == "string":
            self._next()
            return Literal(Kind.STRING, unquote(self._text, token, like=like), token.at)
        if token.kind in ("number", "date", "datetime"):
            self._next()
            return Literal(Kind(token.kind), token.text, token.at)
        word = token.text.lower()
        if token.kind != "name" or "." in word or word in _CLAUSES:
            self._unexpected()
        self._next()
        if word in ("true", "false"):
            return Literal(Kind.BOOLEAN, word, token.at)
        if word == "null":
            return Literal(Kind.NULL, word, token.at)
        return Literal(Kind.DATE_LITERAL, word.upper(), token.at)
