"""The parts of a parsed query. Data only; `at` is the offset in the statement."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of literal; DATE_LITERAL is a named range such as TODAY."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    DATE = "date"
    DATETIME = "datetime"
    DATE_LITERAL = "date literal"


@dataclass(frozen=True, slots=True)
class Literal:
    kind: Kind
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps through parents: `Contact.Account.Name`."""

    parts: tuple[str, ...]
    at: int
    alias: str | None = None

    @property
    def text(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of at most one field: COUNT(Id), MAX(x), toLabel(Status)."""

    name: str
    argument: Path | None
    at: int
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    target: Path | Call
    operator: str
    value: "Literal | list[Literal] | Query"


@dataclass(frozen=True, slots=True)
class And:
    terms: list["Condition"]


@dataclass(frozen=True, slots=True)
class Or:
    terms: list["Condition"]


@dataclass(frozen=True, slots=True)
class Not:
    term: "Condition"


Condition = Comparison | And | Or | Not


@dataclass(frozen=True, slots=True)
class Order:
    target: Path | Call
    descending: bool = False
    nulls_last: bool = False


@dataclass(slots=True)
class Query:
    text: str
    items: list["Path | Call | Query"]
    source: str
    at: int
    source_at: int
    alias: str | None = None
    where: Condition | None = None
    groups: list[Path | Call] = field(default_factory=list)
    having: Condition | None = None
    orders: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False
