"""How a run stands whose file is, or is not, there: asked when a service comes back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from hilcycler.journal import open_run, resume_state
from hilcycler.journal.beginning import discard, never_begun
from hilcycler.records import RunEnded
from hilcycler.service.running import was_ending


class Standing(StrEnum):
    """`ending`: it was to end, and its process ended before it could write so."""

    NEW = "new"
    INTERRUPTED = "interrupted"
    ENDING = "ending"
    ENDED = "ended"


def standing(path: Path) -> tuple[Standing, RunEnded | None]:
    """How the run of the file at `path` stands, and its end if it has one. JournalError.

    A file that holds nothing is of a run that never began, and is removed.
    """
    if not path.exists():
        return Standing.NEW, None
    if never_begun(path):
        discard(path)
        return Standing.NEW, None
    run = open_run(path)
    if run.ended is not None:
        return Standing.ENDED, run.ended
    return (Standing.ENDING if was_ending(resume_state(path)) else Standing.INTERRUPTED), None
