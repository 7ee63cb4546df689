"""
CSV as Bulk API 2.0 reads and writes it: job files with null and unchanged told
apart, and result files parsed as they stream. Knows no job and no HTTP.
"""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Final, Self

from worker.errors import ContractBroken

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

# 150 MB a job after the vendor's own base64.
# https://developer.salesforce.com/docs/platform/api-asynch/guide/
LIMIT: Final = 100_000_000
# A file is full this far below, so that one more batch of rows always fits.
ROOM: Final = 10_000_000
NULL: Final = "#N/A"


class Unchanged:
    """The cell that leaves the org's value alone; csv writes it as its text."""

    __slots__ = ()

    def __str__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()
Cell = str | int | float | bool | Unchanged | None

# A text that is the vendor's sign for null. No escape exists; the org trims texts
# when it saves them, so a blank makes it data. Texts that look like formulas need
# nothing: the org never evaluates them.
_NULL_AS_TEXT: Final = f"{NULL} "


class CsvFile:
    """
    One job's file, written row by row; `rows` and `bytes` are known at any time.

    Rows are sequences in the order of `columns`. None and the empty text clear a
    field, UNCHANGED leaves it, a bool becomes true or false.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.rows = 0
        self._binary: IO[bytes] = path.open("wb")
        # A lone surrogate can stand in no UTF-8 file; it must not cost the others.
        self._text = io.TextIOWrapper(
            self._binary, encoding="utf-8", errors="replace", newline=""
        )
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow(self.columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._text.close()

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    @property
    def bytes(self) -> int:
        """The size so far; costs a flush, so ask once a batch."""
        if self._text.closed:
            return self.path.stat().st_size
        self._text.flush()
        return self._binary.tell()

    @property
    def is_full(self) -> bool:
        return self.bytes > LIMIT - ROOM

    def write_rows(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append rows; ValueError where a row is not as long as the header."""
        width = len(self.columns)
        written = 0

        def cells() -> Iterator[list[object]]:
            nonlocal written
            for row in rows:
                if len(row) != width:
                    raise ValueError(f"a row of {len(row)} cells under {width} columns")
                written += 1
                yield _cells(row)

        self._writer.writerows(cells())
        self.rows += written


def _cells(row: Sequence[Cell]) -> list[object]:
    # Inline, by identity first: a call per cell halves the rows per second
    # (137,000 rows of 35 columns; csv.writer alone does 207,000).
    return [
        NULL
        if cell is None
        else "true"
        if cell is True
        else "false"
        if cell is False
        else (NULL if cell == "" else _NULL_AS_TEXT if cell == NULL else cell)
        for cell in row
    ]


def read(file: IO[bytes]) -> Generator[list[str], None, None]:
    """
    Yield the rows of a result file, header first; it is UTF-8 whatever was said.

    Newlines inside a cell survive, for only csv decides where a row ends. Close the
    generator before the file. Raises ContractBroken.
    """
    # The default of 131,072 characters is what a Long Text may hold, and an error
    # one character later. The limit is the interpreter's; a larger one harms nobody.
    csv.field_size_limit(max(csv.field_size_limit(), 1_000_000))
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        rows = csv.reader(text, strict=True)
        header = next(rows, [])
        yield header
        for row in rows:
            if len(row) != len(header):
                raise ContractBroken(
                    "salesforce", "read results", detail="a row is cut short"
                )
            yield row
    except (csv.Error, UnicodeDecodeError):
        # The cause would quote the bytes that it stumbled over.
        detail = "the results are no CSV in UTF-8"
        raise ContractBroken("salesforce", "read results", detail=detail) from None
    finally:
        # The file is the caller's to close.
        text.detach()
