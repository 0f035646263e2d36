"""How a stream of rows is cut into blocks: pure.

An unfinished block is written anew with each commit until it holds BLOCK_FULL rows. Of a slow run
that leaves many small blocks, which cost more to read than to store; so they are kept on a shelf in
memory, and as soon as they add up to SHELF_FULL rows one block takes their place. Every row is thus
packed about twice more than needed, and a run of one sample a second reads like one of a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from hilcycler.journal import blocks
from hilcycler.journal.blocks import Keys, Rows

BLOCK_FULL: Final = 256
BLOCK_SMALL: Final = 512
"""Blocks of fewer rows are put on the shelf."""

SHELF_FULL: Final = 4096
BLOCK_MOST: Final = 8192
"""No block is made larger: a look at a second of data should not unpack an hour."""


class Reach(NamedTuple):
    """How far test time has come up to some row; see blocks.Keys."""

    t1: float = -np.inf
    lag: float = 0.0


class Packed(NamedTuple):
    """One row of the table of blocks."""

    sequence: int
    rows: int
    t0: float
    t1: float
    lag: float
    crc: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has come.

    `reach`: up to the unfinished block. `shelf`: the small blocks before it; `below`: how far test
    time had come before those.
    """

    rows: int
    events: int
    head: bytes
    reach: Reach = field(default_factory=Reach)
    open: Rows | None = None
    shelf: tuple[Rows, ...] = ()
    below: Reach = field(default_factory=Reach)


class Packer:
    """Cuts the rows of one transaction into blocks, beginning with the unfinished one.

    `written` holds the blocks to write, `merged` the ranges of sequence numbers, both ends
    excluded, within which blocks have been taken up by another.
    """

    def __init__(self, was: Progress) -> None:
        self.rows = was.rows
        self.written: list[Packed] = []
        self.merged: list[tuple[int, int]] = []
        self._open = was.open
        self._parts = [] if was.open is None else [was.open]
        self._held = 0 if was.open is None else was.open.size
        self._start = was.rows - self._held
        self._reach = was.reach
        self._shelf, self._below = list(was.shelf), was.below

    def add(self, rows: Rows) -> None:
        """The next rows of the run."""
        self.rows += rows.size
        self._open = None
        if self._parts and self._parts[0].columns.keys() != rows.columns.keys():
            self._close()
        start = 0
        while start < rows.size:
            stop = min(start + BLOCK_MOST - self._held, rows.size)
            self._parts.append(blocks.cut(rows, start, stop))
            self._held += stop - start
            start = stop
            if self._held == BLOCK_MOST:
                self._close()

    def finish(self) -> None:
        """No more rows: write what is left, to be written anew next time unless it is full."""
        if self._held >= BLOCK_FULL:
            self._close()
        elif self._parts and self._open is None:
            self._open = blocks.join(self._parts)
            self._write(self._open, self._start, self._reach)

    def progress(self, events: int, head: bytes) -> Progress:
        """How far the file has come once all this is written."""
        return Progress(self.rows, events, head, self._reach, self._open, tuple(self._shelf), self._below)

    def _close(self) -> None:
        rows = blocks.join(self._parts)
        before = self._reach
        keys = self._write(rows, self._start, before)
        self._start, self._reach = self._start + rows.size, Reach(keys.t1, keys.lag)
        self._parts, self._held = [], 0
        self._put_on_shelf(rows, before)

    def _put_on_shelf(self, rows: Rows, before: Reach) -> None:
        if self._shelf and self._shelf[0].columns.keys() != rows.columns.keys():
            self._shelf = []
        if rows.size >= BLOCK_SMALL:
            self._shelf = []
            return
        if not self._shelf:
            self._below = before
        self._shelf.append(rows)
        size = sum(each.size for each in self._shelf)
        if size >= SHELF_FULL:
            start = self._start - size
            self.written = [block for block in self.written if not start <= block.sequence < self._start]
            self.merged.append((start, self._start))
            self._write(blocks.join(self._shelf), start, self._below)
            self._shelf = []

    def _write(self, rows: Rows, start: int, before: Reach) -> Keys:
        time = rows.columns["test_time"]
        highest = np.maximum(np.maximum.accumulate(time), before.t1)
        lag = max(before.lag, float((highest - time).max()))
        keys = Keys(start, rows.size, float(time.min()), float(highest[-1]), lag)
        data = blocks.pack(rows)
        self.written.append(Packed(*keys, blocks.checksum(keys, data), data))
        return keys
