"""Samples out of run files: found by number or by test time, unpacked into arrays made for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilcycler.errors import JournalError, RequestError
from hilcycler.journal import proof
from hilcycler.journal.blocks import Keys, Rows, unpack
from hilcycler.journal.schema import reading
from hilcycler.quantities import Second
from hilcycler.records import COLUMNS

STEP_COLUMNS: Final = {"step_count": "<i4", "step_index": "<i4", "cycle": "<i4"}
"""Columns beside those of the instrument: which executed step, which step as written, which cycle."""

ALL_COLUMNS: Final[Mapping[str, str]] = {**COLUMNS, **STEP_COLUMNS}

Columns = dict[str, NDArray[Any]]


class Piece(NamedTuple):
    """One file of a run, and which samples and events of it count: up to where the next begins."""

    path: Path
    sequence: int
    event: int
    stop_sequence: int
    stop_event: int


class Window(NamedTuple):
    """Test times, both ends included."""

    low: Second
    high: Second


ALWAYS: Final = Window(-np.inf, np.inf)


class Stretch(NamedTuple):
    """Samples `start` to `stop` (excluded) of one file."""

    piece: Piece
    start: int
    stop: int


def known(names: Sequence[str] | None) -> None:
    """RequestError for a name that is no column's."""
    for name in names or ():
        if name not in ALL_COLUMNS:
            raise RequestError(f"no column {name!r}; there are {', '.join(ALL_COLUMNS)}")


def within(pieces: Iterable[Piece], window: Window) -> list[Stretch]:
    """Where all samples of `window` lie, and at most two blocks' worth of others with each stretch."""
    stretches = []
    for piece in pieces:
        with reading(piece.path) as connection:
            last = proof.last_blocks(connection, piece.path, 1)
            if not last:
                continue
            keys = last[-1][0]
            above = window.high + keys.lag  # what comes after this much is outside, however time ran
            start = _reaching(connection, piece, keys, window.low).sequence
            final = _reaching(connection, piece, keys, np.nextafter(above, np.inf))
            stop = min(final.sequence + final.rows, piece.stop_sequence)
        if start < stop:
            stretches.append(Stretch(piece, start, stop))
    return stretches


def after(pieces: Iterable[Piece], sequence: int, most: int) -> list[Stretch]:
    """Where the samples from `sequence` on lie, no more than `most` of them."""
    stretches = []
    for piece in pieces:
        with reading(piece.path) as connection:
            reached = proof.checkpoint(connection, piece.path).rows
        start, stop = max(sequence, piece.sequence), min(reached, piece.stop_sequence, sequence + most)
        if start < stop:
            stretches.append(Stretch(piece, start, stop))
    return stretches


def gather(stretches: Sequence[Stretch], names: Sequence[str] | None, window: Window = ALWAYS) -> Columns:
    """The samples of `stretches` that lie in `window`; of all columns those that are there."""
    room = sum(stretch.stop - stretch.start for stretch in stretches)
    gathered = Gathered(names, room)
    for stretch in stretches:
        for keys, rows in _blocks(stretch, gathered.needed(window)):
            start, stop = max(stretch.start - keys.sequence, 0), min(stretch.stop - keys.sequence, rows.size)
            if keys.t0 >= window.low and keys.t1 <= window.high:
                gathered.add(rows, slice(start, stop), stop - start)
            else:
                time = rows.columns["test_time"][start:stop]
                inside = np.flatnonzero((time >= window.low) & (time <= window.high)) + start
                gathered.add(rows, inside, len(inside))
    return gathered.columns()


class Gathered:
    """Arrays with room for so many rows, filled from the front."""

    def __init__(self, names: Sequence[str] | None, room: int) -> None:
        wanted = tuple(ALL_COLUMNS) if names is None else tuple(names)
        self._room, self._filled = room, 0
        try:
            self._columns = {
                name: np.empty(room, ALL_COLUMNS[name]) for name in wanted if name != "temperature"
            }
        except (MemoryError, ValueError):
            raise JournalError(f"no memory for {room} samples at a time; read them in chunks") from None
        self._order = wanted
        if names is not None and "temperature" in names:
            self._columns["temperature"] = self._unmeasured()

    def needed(self, window: Window) -> tuple[str, ...]:
        return self._order if window == ALWAYS else (*self._order, "test_time")

    def add(self, rows: Rows, which: slice | NDArray[np.intp], size: int) -> None:
        start, stop = self._filled, self._filled + size
        if "temperature" in rows.columns and "temperature" not in self._columns:
            self._columns["temperature"] = self._unmeasured()
        for name, column in rows.columns.items():
            if name in self._columns:
                self._columns[name][start:stop] = column[which]
        for at, name in enumerate(STEP_COLUMNS, start=1):
            if name in self._columns:
                of_steps = rows.spans[0][at] if len(rows.spans) == 1 else _of_steps(rows, at)[which]
                self._columns[name][start:stop] = of_steps
        self._filled = stop

    def columns(self) -> Columns:
        return {name: self._columns[name][: self._filled] for name in self._order if name in self._columns}

    def _unmeasured(self) -> NDArray[Any]:
        return np.full(self._room, np.nan, ALL_COLUMNS["temperature"])


def _blocks(stretch: Stretch, names: Sequence[str]) -> Iterator[tuple[Keys, Rows]]:
    path = stretch.piece.path
    with reading(path) as connection:
        start = proof.block_at(connection, path, stretch.start).sequence
        for keys, data in proof.blocks(connection, path, start):
            if keys.sequence >= stretch.stop:
                break
            yield keys, unpack(data, keys.rows, names)


def _reaching(connection: sqlite3.Connection, piece: Piece, last: Keys, time: Second) -> Keys:
    """The first block by whose end test time `time` was reached; the last one if none is.

    Found by bisection over proved blocks, so its cost hardly grows with the run.
    """
    below, above = piece.sequence, last
    if last.t1 < time:
        return last
    while below < above.sequence:
        keys = proof.block_at(connection, piece.path, (below + above.sequence) // 2)
        if keys.t1 < time:
            below = keys.sequence + keys.rows
        else:
            above = keys
    return above


def _of_steps(rows: Rows, field: int) -> NDArray[Any]:
    """One of the step columns, written out."""
    column = np.empty(rows.size, "<i4")
    for span in rows.spans:
        column[span.row :] = span[field]
    return column
