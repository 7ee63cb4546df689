"""Between rows and named tuples: columns in the order of a tuple's fields, slices."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import InstrumentedAttribute

Item = TypeVar("Item")
# A row whose columns are those of a named tuple.
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

# SQLite takes 32,766 values a statement; beyond some hundreds nothing is gained.
SLICE = 500


def columns(
    model: type, record: type[tuple[Any, ...]]
) -> tuple[InstrumentedAttribute[Any], ...]:
    """Return the model's columns in the order of the record's fields."""
    return tuple(getattr(model, name) for name in record._fields)  # type: ignore[attr-defined]  # every NamedTuple has it


def slices(items: Iterable[Item], size: int = SLICE) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
