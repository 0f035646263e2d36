"""Reading a run, live or finished, from any process: what notebooks and every other reader use.

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
from hilcycler.errors import JournalError
from hilcycler.journal import proof, samples
from hilcycler.journal.blocks import unpack
from hilcycler.journal.chain import Link
from hilcycler.journal.damage import understanding
from hilcycler.journal.executed import ExecutedStep, executed_steps
from hilcycler.journal.names import lock_path, segments
from hilcycler.journal.samples import Piece
from hilcycler.journal.schema import reading
from hilcycler.quantities import Second
from hilcycler.records import Event, RunEnded, RunStarted, from_json

if TYPE_CHECKING:
    import pandas as pd

CHUNK: Final = 262_144
"""Rows, about, that are handed over at a time where there may be more than the memory holds."""


class State(StrEnum):
    """What is known of a run from its file and its lock."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class News:
    """What came since the last look: sample columns, events, and where to look next.

    `after`: for each event, how many samples of the run came before it.
    """

    columns: dict[str, NDArray[Any]]
    events: tuple[Event, ...]
    next_sequence: int
    next_event: int
    state: State
    after: tuple[int, ...] = ()


def open_run(path: str | os.PathLike[str], fallback: Path | None = None) -> Run:
    """The run in the file at `path`. JournalError if it is not a run file that we can read.

    Segments of it that a failing disk has sent elsewhere are found beside it or in `fallback`.
    """
    run = Run(Path(path), fallback)
    run.refresh()
    return run


class Run:
    """One run, read. `refresh` looks how far a live one has come; the rest reads what it is asked.

    As of the last `refresh`: `rows` and `event_count`; test time, step count and cycle of the last
    sample; `ended`, if it has.
    """

    def __init__(self, path: Path, fallback: Path | None = None) -> None:
        self.path = path
        self.rows = 0
        self.event_count = 0
        self.last_test_time: Second = 0.0
        self.step_count = 0
        self.cycle = 0
        self.ended: RunEnded | None = None
        self._fallback = fallback
        self._pieces: list[Piece] = []
        self._header: RunStarted | None = None
        self._sealed = False

    def refresh(self) -> None:
        """Look how far the run has come. JournalError."""
        self._pieces = _pieces(segments(self.path, self._fallback))
        with reading(self._pieces[-1].path) as connection:
            path = self._pieces[-1].path
            reached = proof.checkpoint(connection, path)
            self._sealed = proof.sealed(connection) is not None
            last = proof.last_blocks(connection, path, 1)
            final = list(proof.events(connection, path, reached.events - 1))[-1:]
        self.rows, self.event_count = reached.rows, reached.events
        if last:
            keys, data = last[-1]
            span = unpack(data, keys.rows, ()).spans[-1]
            self.last_test_time, self.step_count, self.cycle = keys.t1, span.step_count, span.cycle
        ended = from_json(final[0].record) if final and final[0].kind == "run-ended" else None
        self.ended = ended if isinstance(ended, RunEnded) else None
        if self._header is None and reached.events and self._pieces[0].event == 0:
            self._header = self._first_event()

    @property
    def header(self) -> RunStarted:
        """Protocol, cell, instrument, envelope. JournalError if the run was cut off before it.

        A later segment without the first one has none either.
        """
        if self._header is None:
            raise JournalError(f"{self.path}: holds no header; the run was cut off, or begins elsewhere")
        return self._header

    @property
    def state(self) -> State:
        """As of the last `refresh`; running only while its writer lives."""
        if self._sealed:
            return State.SEALED
        if self.ended is not None:
            return State.ENDED
        return State.RUNNING if disk.locked(lock_path(self._pieces[-1].path)) else State.INTERRUPTED

    # --- events -----------------------------------------------------------------------------

    def events(self, start: int = 0) -> list[Event]:
        """Events from number `start` on, in the order in which they happened."""
        return [from_json(link.record) for link in self.links(start)]

    def links(self, start: int = 0) -> Iterator[Link]:
        """Events as they are stored: number, samples before it, kind, JSON and hash."""
        for piece in self._pieces:
            if start < piece.stop_event:
                with reading(piece.path) as connection:
                    for link in proof.events(connection, piece.path, start):
                        if link.number >= piece.stop_event:
                            break
                        yield link

    def steps(self) -> list[ExecutedStep]:
        """One an executed step, in order; the last may still be going on."""
        with understanding(self.path):
            return executed_steps(self.links(), self.rows)

    # --- samples ----------------------------------------------------------------------------

    def columns(
        self, names: Sequence[str] | None = None, t0: Second | None = None, t1: Second | None = None
    ) -> dict[str, NDArray[Any]]:
        """Samples with t0 <= test time <= t1, as arrays, oldest first.

        `names`: of records.COLUMNS and step_count, step_index, cycle; None: all there are. Rows without
        a temperature hold NaN where others have one.
        """
        samples.known(names)
        window = _window(t0, t1)
        return samples.gather(samples.within(self._pieces, window), names, window)

    def chunks(
        self, names: Sequence[str] | None = None, t0: Second | None = None, t1: Second | None = None
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """As `columns`, a few hundred thousand rows at a time, for runs larger than the memory."""
        samples.known(names)
        window = _window(t0, t1)
        for piece, start, stop in samples.within(self._pieces, window):
            for at in range(start, stop, CHUNK):
                stretch = samples.Stretch(piece, at, min(at + CHUNK, stop))
                yield samples.gather([stretch], names, window)

    # --- following --------------------------------------------------------------------------

    def since(self, sequence: int = 0, event: int = 0, *, most: int = CHUNK) -> News:
        """What has come from sample `sequence` and event `event` on.

        No more than about `most` samples at a time, and the events up to the last of them.
        """
        self.refresh()
        stretches = samples.after(self._pieces, sequence, most)
        reached = stretches[-1].stop if stretches else sequence
        columns = samples.gather(stretches, None)
        links = list(self._links_until(event, reached))
        events = tuple(from_json(link.record) for link in links)
        after = tuple(link.rows for link in links)
        return News(columns, events, reached, event + len(events), self.state, after)

    async def follow(
        self, sequence: int = 0, event: int = 0, *, every: Second = 1.0, most: int = CHUNK
    ) -> AsyncIterator[News]:
        """Each look that brings something new, until the run has ended or its writer is gone."""
        while True:
            news = self.since(sequence, event, most=most)
            if news.next_sequence > sequence or news.next_event > event:
                sequence, event = news.next_sequence, news.next_event
                yield news
            elif news.state is not State.RUNNING:
                return
            else:
                await asyncio.sleep(every)

    # --- frames -----------------------------------------------------------------------------

    def samples(
        self, names: Sequence[str] | None = None, t0: Second | None = None, t1: Second | None = None
    ) -> pd.DataFrame:
        """As `columns`, as a pandas frame."""
        from hilcycler.journal import frames

        return frames.samples(self, names, t0, t1)

    def cycles(self) -> pd.DataFrame:
        """One row a cycle: when, how long, how many steps, charge passed each way, and whether partial."""
        from hilcycler.journal import frames

        with understanding(self.path):
            return frames.cycles(self)

    def spectra(self, t0: Second | None = None, t1: Second | None = None) -> pd.DataFrame:
        """One row an impedance point, with the step and cycle it belongs to."""
        from hilcycler.journal import frames

        with understanding(self.path):
            return frames.spectra(self, t0, t1)

    def step_table(self) -> pd.DataFrame:
        """As `steps`, as a pandas frame."""
        from hilcycler.journal import frames

        with understanding(self.path):
            return frames.steps(self)

    def event_table(self) -> pd.DataFrame:
        """One row an event, impedance points aside: number, UTC, kind, and the rest as text."""
        from hilcycler.journal import frames

        with understanding(self.path):
            return frames.events(self)

    # --- within -----------------------------------------------------------------------------

    def _first_event(self) -> RunStarted:
        first = from_json(next(self.links()).record)
        if not isinstance(first, RunStarted):
            raise JournalError(f"{self.path}: does not begin with RunStarted")
        return first

    def _links_until(self, event: int, rows: int) -> Iterator[Link]:
        for link in self.links(event):
            if link.rows > rows:
                return
            yield link


def _pieces(paths: Sequence[Path]) -> list[Piece]:
    """The files of a run in order, each cut where the next one begins."""
    places = []
    for path in paths:
        with reading(path) as connection:
            places.append(proof.segment(connection, path))
    pieces = []
    for at, (path, place) in enumerate(zip(paths, places, strict=True)):
        if place.run != places[0].run or place.number != places[0].number + at:
            raise JournalError(
                f"{path}: is segment {place.number} of run {place.run}, not what its name says"
            )
        following = places[at + 1] if at + 1 < len(places) else None
        stop = (following.sequence, following.event) if following else (2**62, 2**62)
        pieces.append(Piece(path, place.sequence, place.event, *stop))
    return pieces


def _window(t0: Second | None, t1: Second | None) -> samples.Window:
    return samples.Window(-np.inf if t0 is None else t0, np.inf if t1 is None else t1)
