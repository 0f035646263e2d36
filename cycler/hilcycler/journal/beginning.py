"""Files of runs that never began: their process ended between making the file and the first record."""

from __future__ import annotations

from pathlib import Path

from hilcycler.journal.reading import open_run
from hilcycler.journal.schema import ordinary, speaking, tables


def never_begun(path: Path) -> bool:
    """Whether the file at `path` holds nothing at all; JournalError if that cannot be known."""
    ordinary(path)
    with speaking(path, "reading"):
        if tables(path) == 0:
            return True
    run = open_run(path)
    return run.event_count == 0 and run.rows == 0


def discard(path: Path) -> None:
    """Remove a file that holds nothing, and what lies beside it."""
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
