"""A table of cells, as laboratories keep it: one row a cell, one column a field, in CSV.

A value carries its unit, or the column's heading does, in brackets: `electrode weight [mg]`. What does
not fit is refused row by row, all at once, and nothing is taken in.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Container
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from hilcycler.cell_book.fields import KEYS, cell_of, checked
from hilcycler.errors import RequestError

MOST_BYTES: Final = 1 << 20
MOST_ROWS: Final = 10_000
_HEADING: Final = re.compile(r"([^\[\]()]+?)\s*(?:[\[(]([^\[\]()]{1,20})[\])])?")
_SHOWN: Final = 20


def read_csv(path: Path) -> dict[str, dict[str, str]]:
    """Cells by name, each field as text with its unit. RequestError naming file, row and column."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError(f"{path}: is not UTF-8 text; save it as CSV UTF-8") from None
    if len(content) > MOST_BYTES:
        raise RequestError(f"{path}: is larger than {MOST_BYTES} bytes")
    separator = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise RequestError(f"{path}: not readable as CSV: {error}") from None
    if not rows:
        raise RequestError(f"{path}: is empty; expected a first row with name, {', '.join(KEYS)}")
    if len(rows) > MOST_ROWS:
        raise RequestError(f"{path}: more than {MOST_ROWS} rows")
    return _cells(path, _columns(path, rows[0]), rows[1:])


def _columns(path: Path, headings: list[str]) -> list[tuple[str, str]]:
    """Field and unit of each column; "" for a unit that the values carry themselves."""
    columns: list[tuple[str, str]] = []
    for number, heading in enumerate(headings, start=1):
        match = _HEADING.fullmatch(heading.strip())
        key = match[1].strip().lower().replace("_", " ") if match else ""
        if match is None or key not in (*KEYS, "name"):
            close = get_close_matches(key, (*KEYS, "name"), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; expected name, {', '.join(KEYS)}"
            raise RequestError(f"{path}: column {number}: {heading[:60]!r} is no field of a cell{hint}")
        if key in (known for known, _ in columns):
            raise RequestError(f"{path}: column {number}: {key!r} is there twice")
        columns.append((key, (match[2] or "").strip()))
    if "name" not in (key for key, _ in columns):
        raise RequestError(f"{path}: has no column 'name'")
    return columns


def _cells(path: Path, columns: list[tuple[str, str]], rows: list[list[str]]) -> dict[str, dict[str, str]]:
    cells: dict[str, dict[str, str]] = {}
    faults: list[str] = []
    for number, row in enumerate(rows, start=2):
        if any(each.strip() for each in row):
            try:
                name, written = _cell(columns, row, cells)
                cells[name] = written
            except RequestError as error:
                faults += [f"{path}: row {number}: {line}" for line in str(error).splitlines()]
    if faults:
        more = [f"{path}: and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise RequestError("\n".join(faults[:_SHOWN] + more))
    return cells


def _cell(
    columns: list[tuple[str, str]], row: list[str], known: Container[str]
) -> tuple[str, dict[str, str]]:
    if len(row) > len(columns):
        raise RequestError(f"{len(row)} values, {len(columns)} columns")
    written = {
        key: f"{value.strip()} {unit}".strip()
        for (key, unit), value in zip(columns, row, strict=False)
        if value.strip()
    }
    name = written.pop("name", "")
    if name in known:
        raise RequestError(f"cell {name!r} is there twice")
    cell_of(name, checked(name, written))
    return name, written
