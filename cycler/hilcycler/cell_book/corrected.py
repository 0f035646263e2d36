"""A run as it is seen with what is known of its cell today. Rows and the run's file stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hilcycler.cell import Cell
from hilcycler.cell_book.book import CellBook
from hilcycler.journal import Run, open_run
from hilcycler.records import Event, RunStarted


def open_corrected(path: Path, fallback: Path | None = None) -> Run:
    """The run in the file at `path`; if its cell stands in the book beside it, as the book has it now.

    JournalError for a run or a book that cannot be trusted; RequestError never.
    """
    run = open_run(path, fallback)
    record = CellBook(path.parent).cells().get(run.header.cell.name) if run.event_count else None
    return run if record is None else _Corrected(path, fallback, record.cell)


class _Corrected(Run):
    """A run whose header names another cell than its file."""

    def __init__(self, path: Path, fallback: Path | None, cell: Cell) -> None:
        super().__init__(path, fallback)
        self._cell = cell
        self.refresh()

    @property
    def header(self) -> RunStarted:
        """As written, but for the cell."""
        return replace(super().header, cell=self._cell)

    def events(self, start: int = 0) -> list[Event]:
        """As written, but for the cell of the first."""
        return [
            replace(event, cell=self._cell) if isinstance(event, RunStarted) else event
            for event in super().events(start)
        ]
