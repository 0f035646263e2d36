"""An exact verdict about a run file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hilcycler.errors import JournalError
from hilcycler.journal.proof import prove
from hilcycler.journal.reading import State, open_run
from hilcycler.journal.schema import check_tables, reading


class Verdict(StrEnum):
    """What can be said of a run file."""

    WHOLE = "sealed and whole"
    OPEN = "open: whole as far as it goes, but its tail cannot be proved"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict and what was found: `detail` says where it is damaged, or how far it goes."""

    verdict: Verdict
    state: State | None
    rows: int
    events: int
    detail: str


def verify(path: Path) -> Verification:
    """Read everything in the run file at `path` and judge it. JournalError if it is no run file."""
    rows = events = 0
    state: State | None = None
    with reading(path):
        pass
    try:
        run = open_run(path)
        rows, events, state = run.rows, run.event_count, run.state
        with reading(path) as connection:
            check_tables(connection, path)
            proof = prove(connection, path)
            seal = connection.execute("SELECT rows, blocks, events, digest FROM seal").fetchone()
        if seal is None:
            return Verification(Verdict.OPEN, state, rows, events, f"{rows} samples, {events} events proved")
        if seal != tuple(proof):
            raise JournalError(f"{path}: the seal does not fit what is in the file")
    except JournalError as error:
        return Verification(Verdict.CORRUPT, state, rows, events, str(error))
    return Verification(Verdict.WHOLE, state, rows, events, f"{rows} samples, {events} events")
