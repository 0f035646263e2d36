"""Reading a run file, live or sealed, from any process: what notebooks and every other reader use.

Nothing is believed that its checksum does not prove. Each call opens the file, takes one consistent
look and closes it again, so that readers never stand in the way of the writer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler import disk
from hilcycler.errors import JournalError, RequestError
from hilcycler.journal import proof
from hilcycler.journal.blocks import Keys, unpack
from hilcycler.journal.runs import lock_path
from hilcycler.journal.schema import reading
from hilcycler.quantities import Second
from hilcycler.records import COLUMNS, Event, RunEnded, RunStarted, from_json

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd

STEP_COLUMNS: Final = {"step_count": "<i8", "step_index": "<i8", "cycle": "<i8"}
"""Columns beside those of the instrument: which executed step, which step as written, which cycle."""

CHUNK: Final = 262_144
"""Rows, at least, that `chunks` hands over at a time."""


class State(StrEnum):
    """What is known of a run from its file and its lock."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class News:
    """What came since the last look: sample columns, events, and where to look next."""

    columns: dict[str, NDArray[Any]]
    events: tuple[Event, ...]
    next_sequence: int
    next_event: int
    state: State


def open_run(path: str | os.PathLike[str]) -> Run:
    """The run in the file at `path`. JournalError if it is not a run file that we can read."""
    run = Run(Path(path))
    run.refresh()
    return run


class Run:
    """One run, read. `refresh` looks how far a live one has come; the rest reads what it is asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.event_count = 0
        self.last_test_time: Second = 0.0
        self._header: RunStarted | None = None
        self._sealed = False
        self._ended: RunEnded | None = None

    def refresh(self) -> None:
        """Look how far the run has come."""
        with reading(self.path) as connection:
            reached = proof.checkpoint(connection, self.path)
            self.rows, self.event_count = reached.rows, reached.events
            self._sealed = connection.execute("SELECT count(*) FROM seal").fetchone()[0] > 0
            last = proof.last_blocks(connection, self.path)
            self.last_test_time = last[-1][0].t1 if last else 0.0
            if self._header is None and reached.events:
                first = from_json(next(self._links(connection, 0)).record)
                if not isinstance(first, RunStarted):
                    raise JournalError(f"{self.path}: does not begin with RunStarted")
                self._header = first
            if self._ended is None and reached.events:
                final = next(self._links(connection, reached.events - 1))
                event = from_json(final.record) if final.kind == "run-ended" else None
                self._ended = event if isinstance(event, RunEnded) else None

    @property
    def header(self) -> RunStarted:
        """Protocol, cell, instrument, envelope. JournalError if the run was cut off before it."""
        if self._header is None:
            raise JournalError(f"{self.path}: holds no header; the run was cut off before it began")
        return self._header

    @property
    def ended(self) -> RunEnded | None:
        """How the run ended, if it did."""
        return self._ended

    @property
    def state(self) -> State:
        """As of the last `refresh`; running only while its writer lives."""
        if self._sealed:
            return State.SEALED
        if self._ended is not None:
            return State.ENDED
        return State.RUNNING if disk.locked(lock_path(self.path)) else State.INTERRUPTED

    # --- events -----------------------------------------------------------------------------

    def events(self, start: int = 0) -> list[Event]:
        """Events from number `start` on, in the order in which they happened."""
        with reading(self.path) as connection:
            return [from_json(link.record) for link in self._links(connection, start)]

    # --- samples ----------------------------------------------------------------------------

    def columns(
        self, names: Sequence[str] | None = None, t0: Second | None = None, t1: Second | None = None
    ) -> dict[str, NDArray[Any]]:
        """Samples with t0 <= test time <= t1, as arrays, oldest first.

        `names`: of records.COLUMNS and step_count, step_index, cycle; None: all there are. Rows without
        a temperature hold NaN where others have one.
        """
        parts = list(self._parts(names, t0, t1))
        wanted = _wanted(names)
        if names is None and not any("temperature" in part for part in parts):
            wanted = tuple(name for name in wanted if name != "temperature")
        return {name: _joined(name, parts) for name in wanted}

    def chunks(
        self, names: Sequence[str] | None = None, t0: Second | None = None, t1: Second | None = None
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """As `columns`, a few hundred thousand rows at a time, for runs larger than the memory."""
        held: list[dict[str, NDArray[Any]]] = []
        rows = 0
        for part in self._parts(names, t0, t1):
            held.append(part)
            rows += len(next(iter(part.values())))
            if rows >= CHUNK:
                yield {name: _joined(name, held) for name in _wanted(names)}
                held, rows = [], 0
        if held:
            yield {name: _joined(name, held) for name in _wanted(names)}

    # --- following --------------------------------------------------------------------------

    def since(self, sequence: int = 0, event: int = 0) -> News:
        """What is there from sample `sequence` and event `event` on, in one consistent look."""
        with reading(self.path) as connection:
            parts = []
            for keys, data in proof.blocks(connection, self.path, _block_at(connection, sequence)):
                part = _read(keys, data, None)
                parts.append(
                    {name: column[max(sequence - keys.sequence, 0) :] for name, column in part.items()}
                )
            events = tuple(from_json(link.record) for link in self._links(connection, event))
        columns = {name: _joined(name, parts) for name in _wanted(None)}
        self.refresh()
        return News(columns, events, sequence + len(columns["test_time"]), event + len(events), self.state)

    async def follow(self, sequence: int = 0, event: int = 0, *, every: Second = 1.0) -> AsyncIterator[News]:
        """Each look that brings something new, until the run has ended or its writer is gone."""
        while True:
            news = self.since(sequence, event)
            if news.next_sequence > sequence or news.next_event > event:
                yield news
            elif news.state is not State.RUNNING:
                return
            sequence, event = news.next_sequence, news.next_event
            await asyncio.sleep(every if news.state is State.RUNNING else 0)

    # --- frames -----------------------------------------------------------------------------

    def samples(
        self, names: Sequence[str] | None = None, t0: Second | None = None, t1: Second | None = None
    ) -> pd.DataFrame:
        """As `columns`, as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.columns(names, t0, t1), copy=False)

    # --- within -----------------------------------------------------------------------------

    def _links(self, connection: sqlite3.Connection, start: int) -> Iterator[Any]:
        place = proof.segment(connection, self.path)
        if start <= place.event:
            return proof.events(connection, self.path, place.event, place.head)
        row = connection.execute("SELECT hash FROM event WHERE number = ?", (start - 1,)).fetchone()
        if row is None:
            return iter(())
        return proof.events(connection, self.path, start, row[0])

    def _parts(
        self, names: Sequence[str] | None, t0: Second | None, t1: Second | None
    ) -> Iterator[dict[str, NDArray[Any]]]:
        wanted = _wanted(names)
        low, high = -np.inf if t0 is None else t0, np.inf if t1 is None else t1
        with reading(self.path) as connection:
            last = proof.last_blocks(connection, self.path)
            if not last:
                return
            start = self._first_block(connection, low) if low > -np.inf else 0
            for keys, data in proof.blocks(connection, self.path, start):
                if keys.t0 > high + last[-1][0].lag:
                    break
                part = _read(keys, data, (*wanted, "test_time"))
                if keys.t0 < low or keys.t1 > high:
                    inside = (part["test_time"] >= low) & (part["test_time"] <= high)
                    part = {name: column[inside] for name, column in part.items()}
                yield {name: part[name] for name in wanted if name in part}

    def _first_block(self, connection: sqlite3.Connection, low: Second) -> int:
        """Start of the first block that reaches test time `low`: bisection over proved blocks."""
        below, above = 0, self.rows
        while below < above:
            middle = _block_at(connection, (below + above) // 2)
            keys, _ = next(proof.blocks(connection, self.path, middle))
            if keys.t1 < low:
                below = keys.sequence + keys.rows
            else:
                above = keys.sequence
        return below


def _wanted(names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return (*COLUMNS, *STEP_COLUMNS)
    for name in names:
        if name not in COLUMNS and name not in STEP_COLUMNS:
            raise RequestError(f"no column {name!r}; there are {', '.join((*COLUMNS, *STEP_COLUMNS))}")
    return tuple(names)


def _block_at(connection: sqlite3.Connection, sequence: int) -> int:
    """Start of the block that holds sample `sequence`."""
    row = connection.execute("SELECT max(sequence) FROM block WHERE sequence <= ?", (sequence,)).fetchone()
    return int(row[0]) if row[0] is not None else sequence


def _read(keys: Keys, data: bytes, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
    rows = unpack(data, keys.rows, names)
    lengths = np.diff([span.row for span in rows.spans], append=keys.rows)
    part = dict(rows.columns)
    for at, name in enumerate(STEP_COLUMNS, start=1):
        if names is None or name in names:
            part[name] = np.repeat(np.array([span[at] for span in rows.spans], "<i8"), lengths)
    return part


def _joined(name: str, parts: Sequence[dict[str, NDArray[Any]]]) -> NDArray[Any]:
    dtype = np.dtype((COLUMNS | STEP_COLUMNS)[name])  # type: ignore[operator]
    pieces = [
        part[name] if name in part else np.full(len(next(iter(part.values()))), np.nan, dtype)
        for part in parts
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype)
