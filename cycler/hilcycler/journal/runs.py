"""The runs of a data folder: which there are, how they stand, and which one is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hilcycler.errors import JournalError, RequestError
from hilcycler.journal.names import run_of
from hilcycler.journal.reading import Run, State, open_run
from hilcycler.quantities import Second
from hilcycler.records import Outcome


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line about a run. `problem` says why the rest is empty, if it is."""

    run: str
    path: Path
    state: State | None = None
    protocol: str = ""
    cell: str = ""
    instrument: str = ""
    started: Second | None = None
    rows: int = 0
    test_time: Second = 0.0
    step_count: int = 0
    cycle: int = 0
    outcome: Outcome | None = None
    reason: str = ""
    problem: str = ""


def list_runs(folder: Path, fallback: Path | None = None) -> list[RunSummary]:
    """All runs of a folder, the oldest first; files that cannot be read are there, with the reason."""
    return [summary(path, fallback) for path in _files(folder)]


def find_run(folder: Path, which: str) -> Path:
    """The file of the run whose id is `which`, or begins with it, or ends with it. RequestError."""
    paths = _files(folder)
    exact = [path for path in paths if run_of(path) == which]
    alike = [path for path in paths if (run_of(path) or "").startswith(which)] if which else []
    alike = alike or [path for path in paths if which and (run_of(path) or "").endswith(which)]
    match exact or alike:
        case [path]:
            return path
        case []:
            raise RequestError(f"no run {which!r} in {folder} ({len(paths)} runs there)")
        case several:
            names = ", ".join(str(run_of(path)) for path in several[:5])
            raise RequestError(f"run {which!r} could be any of {len(several)}: {names}")


def summary(path: Path, fallback: Path | None = None) -> RunSummary:
    """One line about the run in the file at `path`; never raises for what the file holds."""
    try:
        return summary_of(open_run(path, fallback))
    except JournalError as error:
        return RunSummary(run_of(path) or path.name, path, problem=str(error))


def summary_of(found: Run) -> RunSummary:
    """One line about a run that is open. JournalError if it has no header."""
    header = found.header
    return RunSummary(
        run=run_of(found.path) or found.path.name,
        path=found.path,
        state=found.state,
        protocol=header.protocol_name,
        cell=header.cell.name,
        instrument=f"{header.instrument.model} {header.instrument.serial}".strip(),
        started=header.stamp.utc,
        rows=found.rows,
        test_time=found.last_test_time,
        step_count=found.step_count,
        cycle=found.cycle,
        outcome=found.ended.outcome if found.ended else None,
        reason=found.ended.reason if found.ended else "",
    )


def _files(folder: Path) -> list[Path]:
    """First files of runs, by name. Links are not followed: a folder may hold what strangers put there."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"{folder}: cannot be read: {error}") from error
    paths = [folder / name for name in names]
    return sorted(path for path in paths if run_of(path) is not None)
