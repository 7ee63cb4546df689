"""What the commands print: tables and lines for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def out() -> Console:
    """Return a console on today's stdout; tests and pipes exchange it."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=True)


def err() -> Console:
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Print one JSON value on one line; letters of every script as they are."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns; numbers to the right."""
    rows = [tuple(row) for row in rows]
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    shown.show_header = any(columns)
    for position, column in enumerate(columns):
        numbers = rows and all(isinstance(row[position], int | float) for row in rows)
        shown.add_column(column, justify="right" if numbers else "left")
    for row in rows:
        shown.add_row(*(cell(value) for value in row))
    # Wider than a pipe's 80 columns: a table that wraps cannot be cut or searched.
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=200)
    console.print(shown)


def cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    # A value from a remote must not be read as markup.
    return str(value).replace("[", r"\[")


def ago(moment: datetime | None, now: datetime) -> str:
    """Say how long ago, or how far ahead, in the unit that a person would use."""
    if moment is None:
        return "never"
    distance = now - moment
    return (
        f"in {span(-distance)}"
        if distance.total_seconds() < 0
        else (f"{span(distance)} ago")
    )


def span(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def counts_line(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in counts.items())
