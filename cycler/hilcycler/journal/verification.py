"""An exact verdict about a run file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hilcycler.journal import proof
from hilcycler.journal.damage import Damage
from hilcycler.journal.reading import State, open_run
from hilcycler.journal.schema import reading


class Verdict(StrEnum):
    """What can be said of a run file."""

    WHOLE = "sealed and whole"
    OPEN = "not sealed: whole as far as it goes, its tail cannot be proved"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict. `rows` and `events` were found and proved, or promised where the file is corrupt.

    `damage` is the first thing that is not as it was written; then `state` is not known.
    """

    verdict: Verdict
    state: State | None
    rows: int
    events: int
    detail: str
    damage: Damage | None = None


def verify(path: Path) -> Verification:
    """Read everything in the run file at `path` and judge it.

    JournalError if it is no run file at all, or one of a version that we do not know.
    """
    reached = proof.Checkpoint(0, 0, b"")
    try:
        with reading(path) as connection:
            reached = proof.checkpoint(connection, path)
            found, seal = _prove_all(connection, path), proof.sealed(connection)
    except Damage as damage:
        return Verification(Verdict.CORRUPT, None, reached.rows, reached.events, str(damage), damage)
    if seal is None:
        detail = f"{found.rows} samples and {found.events} events proved; nothing says that no more came"
        return Verification(Verdict.OPEN, open_run(path).state, found.rows, found.events, detail)
    detail = (
        f"{found.rows} samples in {found.blocks} blocks, {found.events} events, sha256 {found.digest.hex()}"
    )
    return Verification(Verdict.WHOLE, State.SEALED, found.rows, found.events, detail)


def _prove_all(connection: sqlite3.Connection, path: Path) -> proof.Seal:
    """What is in the tables first, then what SQLite says of pages that a walk through them does not pass."""
    found, seal = proof.prove(connection, path), proof.sealed(connection)
    if seal is not None:
        if seal != found:
            raise Damage(path, "seal", 0, "the seal does not fit what is in the file")
        _check_length(connection, path)
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise Damage(path, "structure", 0, f"the database is damaged: {answer}")
    return found


def _check_length(connection: sqlite3.Connection, path: Path) -> None:
    """SQLite forgives a last page that is cut off where nothing was in it; we do not."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    if path.stat().st_size != pages * size:
        raise Damage(path, "structure", 0, f"{path.stat().st_size} bytes, {pages * size} were sealed")
