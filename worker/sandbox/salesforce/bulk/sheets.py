"""CSV as the Bulk API takes and gives it; knows no jobs and no fields."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DELIMITERS = {
    "COMMA": ",",
    "BACKQUOTE": "`",
    "CARET": "^",
    "PIPE": "|",
    "SEMICOLON": ";",
    "TAB": "\t",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
NULL = "#N/A"
_HEADER_LIMIT = 32_000


class SheetRefused(Exception):
    """The file as a whole cannot be read; the text is the job's errorMessage."""


@dataclass(frozen=True, slots=True)
class Dialect:
    delimiter: str = "COMMA"
    line_ending: str = "LF"

    def read(self, data: bytes) -> tuple[list[str], Iterator[list[str]]]:
        """Return the header and the rows to come; a broken row raises in its turn."""
        self._check_line_ending(data)
        # Decoded as it is read: 100 MB of text would take four times that at once.
        text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
        rows = csv.reader(
            text,
            delimiter=DELIMITERS[self.delimiter],
            strict=True,
        )
        try:
            header = next(rows)
        except UnicodeDecodeError:
            raise SheetRefused("InvalidBatch : The data is not UTF-8") from None
        except (StopIteration, csv.Error):
            raise SheetRefused("InvalidBatch : The file has no header row") from None
        if sum(map(len, header)) > _HEADER_LIMIT:
            raise SheetRefused("InvalidBatch : The header row is too long")
        return header, self._rows(rows, len(header))

    def _check_line_ending(self, data: bytes) -> None:
        newline = data.find(b"\n")
        if newline < 1:
            return
        if (data[newline - 1] == ord("\r")) != (self.line_ending == "CRLF"):
            raise SheetRefused(
                "ClientInputError : LineEnding is invalid on user data. Current "
                f"LineEnding setting is {self.line_ending}"
            )

    def _rows(self, rows: Iterable[list[str]], width: int) -> Iterator[list[str]]:
        try:
            for row in rows:
                if not row:
                    continue
                if len(row) != width:
                    raise SheetRefused(
                        f"ClientInputError : A row has {len(row)} columns and the "
                        f"header has {width}"
                    )
                yield row
        except csv.Error as error:
            raise SheetRefused(f"ClientInputError : {error}") from None
        except UnicodeDecodeError:
            raise SheetRefused("InvalidBatch : The data is not UTF-8") from None

    def line(self, cells: list[str]) -> str:
        """Write a row of results, every cell quoted: readers guess at bare ones."""
        delimiter = DELIMITERS[self.delimiter]
        joined = f'"{delimiter}"'.join(cells)
        if joined.count('"') != 2 * (len(cells) - 1):
            joined = f'"{delimiter}"'.join(cell.replace('"', '""') for cell in cells)
        return f'"{joined}"{LINE_ENDINGS[self.line_ending]}'
