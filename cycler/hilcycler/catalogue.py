"""The catalogue of a data folder: what is known of each run, so that nobody has to open ten thousand files.

A cache and nothing more. What it says of a run holds as long as the run's files are the ones it has
seen (size, time of change); of runs that have not ended it says nothing. Missing, damaged, from
another version or not writable, it is made again or done without: the run files are the truth.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from hilcycler.errors import JournalError
from hilcycler.journal import RunSummary, State, open_run
from hilcycler.journal.names import SUFFIX, run_of
from hilcycler.journal.runs import summary_of
from hilcycler.quantities import Coulomb

NAME: Final = "catalogue.sqlite"
_VERSION: Final = 1
_APPLICATION_ID: Final = 0x4843_4341  # the letters HCCA
_TABLE: Final = """CREATE TABLE run (
  run TEXT PRIMARY KEY,
  seen TEXT NOT NULL,     -- JSON: size and time of change of each of its files
  known TEXT NOT NULL     -- JSON: see Known
) STRICT"""
_FINISHED: Final = frozenset({State.ENDED, State.SEALED})


@dataclass(frozen=True, slots=True)
class Known:
    """A run in one line, where it was made, and what passed through the cell."""

    summary: RunSummary
    channel: str = ""
    instrument: str = ""
    charged: Coulomb | None = None
    discharged: Coulomb | None = None
    partial: bool = False


_KNOWN: Final = TypeAdapter(Known)
_Seen = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class Catalogue:
    """The catalogue of `folder`."""

    folder: Path
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / NAME

    def runs(self) -> list[Known]:
        """Every run, the oldest first; what is not known yet, or no longer true, is looked at and kept."""
        return self._refreshed(self._kept())

    def reindex(self) -> list[Known]:
        """As `runs`, believing nothing that was kept."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        return self._refreshed({})

    def of_cell(self, name: str) -> list[Known]:
        """The runs of one cell, with the charge that passed in each, in the order in which they began."""
        whole = [each for each in self.runs() if each.summary.cell == name]
        told = [each if each.charged is not None else _with_charge(each) for each in whole]
        self._keep({each.summary.run: each for each in told if each.summary.state in _FINISHED})
        return sorted(told, key=lambda each: each.summary.started or 0.0)

    def _refreshed(self, kept: Mapping[str, tuple[str, str]]) -> list[Known]:
        known: dict[str, Known] = {}
        fresh: dict[str, Known] = {}
        for run, seen in _files(self.folder):
            if run in kept and kept[run][0] == json.dumps(seen):
                with suppress(ValidationError):
                    known[run] = _KNOWN.validate_json(kept[run][1])
            if run not in known:
                known[run] = _look(self.folder / f"{run}{SUFFIX}")
                if known[run].summary.state in _FINISHED:
                    fresh[run] = known[run]
        self._keep(fresh, gone=[run for run in kept if run not in known])
        return list(known.values())

    def _kept(self) -> dict[str, tuple[str, str]]:
        if not self.path.is_file() or self.path.is_symlink():
            return {}
        try:
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=2.0)) as connection:
                if _ids(connection) != (_APPLICATION_ID, _VERSION):
                    return {}
                rows = connection.execute("SELECT run, seen, known FROM run")
                return {run: (seen, known) for run, seen, known in rows}
        except (sqlite3.Error, OSError, ValueError):
            return {}

    def _keep(self, fresh: Mapping[str, Known], gone: Iterable[str] = ()) -> None:
        """Write down what was found; that it cannot be is no matter."""
        gone = list(gone)
        if not fresh and not gone:
            return
        seen = dict(_files(self.folder))
        rows = [
            (run, json.dumps(seen[run]), _KNOWN.dump_json(known).decode())
            for run, known in fresh.items()
            if run in seen
        ]
        try:
            self._write(rows, gone)
        except (sqlite3.Error, OSError):
            with suppress(OSError, sqlite3.Error):  # damaged, or not ours: made again, once
                if not self.path.is_symlink():
                    self.path.unlink(missing_ok=True)
                    self._write(rows, gone)

    def _write(self, rows: list[tuple[str, str, str]], gone: list[str]) -> None:
        if self.path.is_symlink():
            return
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=2.0)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # a cache: what is lost is found again
            connection.execute("BEGIN IMMEDIATE")
            if _ids(connection) != (_APPLICATION_ID, _VERSION):
                connection.execute("DROP TABLE IF EXISTS run")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.executemany("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", rows)
            connection.executemany("DELETE FROM run WHERE run = ?", [(run,) for run in gone])
            connection.execute("COMMIT")


def _files(folder: Path) -> Iterator[tuple[str, _Seen]]:
    """Runs of the folder by name, each with its files as they are now. Links are not followed."""
    files: dict[str, list[tuple[str, int, int]]] = {}
    first: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, dot, _ = entry.name.partition(SUFFIX)
                if not dot or not entry.is_file(follow_symlinks=False):
                    continue
                stat = entry.stat(follow_symlinks=False)
                files.setdefault(stem.partition(".")[0], []).append(
                    (entry.name, stat.st_size, stat.st_mtime_ns)
                )
                if (run := run_of(Path(entry.name))) is not None:
                    first.append(run)
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(f"{folder}: cannot be read: {error}") from error
    for run in sorted(first):
        yield run, tuple(sorted(files[run]))


def _look(path: Path) -> Known:
    """Open the run and see; what cannot be read says why."""
    try:
        found = open_run(path)
        header, told = found.header, summary_of(found)
    except JournalError as error:
        return Known(RunSummary(run_of(path) or path.name, path, problem=str(error)))
    who = header.instrument
    return Known(told, header.channel, f"{who.model} {who.serial}".strip())


def _with_charge(known: Known) -> Known:
    """What passed each way in the steps that are over, both positive."""
    if known.summary.problem:
        return known
    try:
        steps = open_run(known.summary.path).steps()
    except JournalError:
        return known
    charges = [step.charge for step in steps if step.charge is not None]
    return Known(
        known.summary,
        known.channel,
        known.instrument,
        charged=sum(each for each in charges if each > 0.0),
        discharged=-sum(each for each in charges if each < 0.0),
        partial=any(step.partial or step.charge is None for step in steps),
    )


def _ids(connection: sqlite3.Connection) -> tuple[int, int]:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return application, connection.execute("PRAGMA user_version").fetchone()[0]


@dataclass(frozen=True, slots=True)
class Visit:
    """One run in a cell's life: where it was, and how far the cell had come when it ended.

    `cycle`, `hours` and the charges count from the cell's first run on. `complete`: False where part of a
    step was not observed or a run has not ended, in it or before, so that the charges are at least these.
    """

    known: Known
    cycle: int
    hours: float
    charged: Coulomb
    discharged: Coulomb
    complete: bool


def life(runs: Iterable[Known]) -> list[Visit]:
    """The runs of one cell, joined: cycles, hours and charge go on from one to the next."""
    visits: list[Visit] = []
    cycle, test_time, charged, discharged, complete = 0, 0.0, 0.0, 0.0, True
    for each in runs:
        cycle += each.summary.cycle
        test_time += each.summary.test_time
        charged += each.charged or 0.0
        discharged += each.discharged or 0.0
        complete = complete and each.charged is not None and not each.partial
        complete = complete and each.summary.state in _FINISHED
        visits.append(Visit(each, cycle, test_time / 3600.0, charged, discharged, complete))
    return visits
