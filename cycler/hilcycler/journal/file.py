"""One run file, written: records in, transactions out. Blocking; one thread at a time.

What is on disk is always a beginning of what was given, in the order in which it was given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from hilcycler.journal import blocks, chain
from hilcycler.journal.blocks import Keys, Rows
from hilcycler.journal.schema import APPLICATION_ID, TABLES, VERSION, write_to

BLOCK_FULL = 256
"""A block that holds this many rows is left alone; until then it is written anew with each commit.

So a run of one sample a second does not become a table of one-row blobs."""

BLOCK_MOST = 4096
"""No block is made larger than this: a look at a second of data should not unpack an hour."""


class Text(NamedTuple):
    """An event, ready to be written."""

    kind: str
    record: str


Entry: TypeAlias = Rows | Text


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has come, and its unfinished block."""

    rows: int = 0
    events: int = 0
    head: bytes = chain.START
    t1: float = -np.inf
    lag: float = 0.0
    full_t1: float = -np.inf  # t1 and lag before the unfinished block
    full_lag: float = 0.0
    open: tuple[Rows, ...] = field(default=())

    @property
    def open_rows(self) -> int:
        """Rows in the unfinished block."""
        return sum(part.size for part in self.open)


class RunFile:
    """The writing end of one run file. Raises sqlite3.Error; after one, see `Journal` for what to do."""

    def __init__(self, path: Path, connection: sqlite3.Connection, progress: Progress) -> None:
        self.path = path
        self.progress = progress
        self._connection = connection

    @classmethod
    def create(cls, path: Path, run: str) -> RunFile:
        """Tables in an empty file that already exists."""
        connection = write_to(path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            for statement in TABLES:
                connection.execute(statement)
            segment = (run, 1, 0, 0, chain.START)
            connection.execute(
                "INSERT INTO segment VALUES (1, ?, ?, ?, ?, ?, ?)",
                (*segment, chain.segment_checksum(*segment)),
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, Progress())

    def write(self, entries: Sequence[Entry]) -> None:
        """Put `entries` on disk, all or none, in one transaction."""
        was = self.progress
        parts: list[Rows] = []
        links: list[chain.Link] = []
        rows, head = was.rows, was.head
        for entry in entries:
            match entry:
                case Rows():
                    parts.append(entry)
                    rows += entry.size
                case Text(kind, record):
                    links.append(chain.link(head, was.events + len(links), rows, kind, record))
                    head = links[-1].hash
        packer = _Packer(was)
        packer.add(parts)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?)", packer.written()
            )
            self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", links)
            counts = (rows, was.events + len(links), head)
            self._connection.execute(
                "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?, ?)",
                (*counts, chain.counts_checksum(*counts)),
            )
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.progress = packer.progress(*counts)

    def fold(self) -> None:
        """Move the log into the file itself, as far as readers allow."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Let go of the file; the last one to do so folds the log in."""
        self._connection.close()


class _Packer:
    """Cuts rows into blocks, beginning with the unfinished one."""

    def __init__(self, was: Progress) -> None:
        self._sequence = was.rows - was.open_rows
        self._open = list(was.open)
        self._t1, self._lag = was.full_t1, was.full_lag
        self._after = (was.t1, was.lag)
        self._blocks: list[tuple[Keys, bytes]] = []
        self._changed = False

    def add(self, parts: Iterable[Rows]) -> None:
        for part in parts:
            self._changed = True
            if self._open and self._open[0].columns.keys() != part.columns.keys():
                self._close()
            start = 0
            while start < part.size:
                room = BLOCK_MOST - sum(each.size for each in self._open)
                taken = blocks.cut(part, start, min(start + room, part.size))
                self._open.append(taken)
                start += taken.size
                if taken.size == room:
                    self._close()

    def written(self) -> list[tuple[object, ...]]:
        """The rows to write; closes the last block if it is full."""
        if self._changed and sum(part.size for part in self._open) >= BLOCK_FULL:
            self._close()
        elif self._changed and self._open:
            self._blocks.append(self._pack())
        return [(*keys, blocks.checksum(keys, data), data) for keys, data in self._blocks]

    def progress(self, rows: int, events: int, head: bytes) -> Progress:
        if self._blocks:
            keys = self._blocks[-1][0]
            self._after = (keys.t1, keys.lag)
        return Progress(rows, events, head, *self._after, self._t1, self._lag, tuple(self._open))

    def _close(self) -> None:
        if self._open:
            keys, data = self._pack()
            self._blocks.append((keys, data))
            self._sequence += keys.rows
            self._t1, self._lag = keys.t1, keys.lag
            self._open = []

    def _pack(self) -> tuple[Keys, bytes]:
        self._open = [blocks.join(self._open)]
        rows = self._open[0]
        time = rows.columns["test_time"]
        highest = np.maximum(np.maximum.accumulate(time), self._t1)
        lag = max(self._lag, float(np.max(highest - time)))
        keys = Keys(self._sequence, rows.size, float(time.min()), float(highest[-1]), lag)
        return keys, blocks.pack(rows)
