"""The cell that somebody means: a file that describes one, or a name in the book."""

from __future__ import annotations

from pathlib import Path

from hilcycler.cell import Cell
from hilcycler.cell_book.book import CellBook
from hilcycler.errors import RequestError
from hilcycler.language import load_cell


def described(which: Path, folder: Path) -> Cell:
    """The cell in the file `which`, or of that name in the book of `folder`. RequestError for neither."""
    if which.is_file():
        return load_cell(which)
    try:
        return CellBook(folder).get(str(which)).cell
    except RequestError as error:
        raise RequestError(f"--cell {which}: no such file, and {error}") from None
