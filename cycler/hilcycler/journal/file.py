"""One run file, written: entries in, transactions out. Blocking; one thread at a time.

What is on disk is always a beginning of what was given, in the order in which it was given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from hilcycler.errors import JournalError
from hilcycler.journal import blocks, chain, proof
from hilcycler.journal.blocks import Keys, Rows
from hilcycler.journal.packing import BLOCK_FULL, Packer, Progress, Reach
from hilcycler.journal.schema import (
    APPLICATION_ID,
    TABLES,
    VERSION,
    check_version,
    keep_open,
    reading,
    speaking,
    write_to,
)


class Text(NamedTuple):
    """An event, ready to be written."""

    kind: str
    record: str


Entry: TypeAlias = Rows | Text


class RunFile:
    """The writing end of one run file.

    `write` and `fold` raise sqlite3.Error; after one, nothing of that call is acknowledged.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, progress: Progress) -> None:
        self.path = path
        self.progress = progress
        self._connection = connection
        self._keeper = keep_open(path)

    @classmethod
    def create(cls, path: Path, place: proof.Segment) -> RunFile:
        """Tables in an empty file that already exists. JournalError."""
        with speaking(path, "creating"):
            connection = write_to(path)
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                for statement in TABLES:
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO segment VALUES (1, ?, ?, ?, ?, ?, ?)",
                    (*place, chain.segment_checksum(*place)),
                )
                connection.execute("COMMIT")
                return cls(path, connection, Progress(place.sequence, place.event, place.head))
            except BaseException:
                connection.close()
                raise

    @classmethod
    def take_up(cls, path: Path) -> tuple[RunFile, proof.Segment]:
        """Go on with a file that was left unfinished. JournalError.

        Only the end of the file is proved here: a file with a damaged middle still takes what comes.
        """
        with reading(path) as connection:
            if proof.sealed(connection) is not None:
                raise JournalError(f"{path}: sealed; a sealed run takes nothing more")
            if proof.ended(connection):
                raise JournalError(f"{path}: the run has ended; it takes nothing more")
        with speaking(path, "opening for writing"):
            connection = write_to(path)
            try:
                check_version(connection, path)
                place, reached = proof.segment(connection, path), proof.checkpoint(connection, path)
                progress = _progress(proof.last_blocks(connection, path, 2), reached)
                return cls(path, connection, progress), place
            except BaseException:
                connection.close()
                raise

    def write(self, entries: Sequence[Entry]) -> None:
        """Put `entries` on disk, all or none, in one transaction."""
        was = self.progress
        packer = Packer(was)
        links: list[chain.Link] = []
        head = was.head
        for entry in entries:
            match entry:
                case Rows():
                    packer.add(entry)
                case Text(kind, record):
                    links.append(chain.link(head, was.events + len(links), packer.rows, kind, record))
                    head = links[-1].hash
        packer.finish()
        counts = (packer.rows, was.events + len(links), head)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "DELETE FROM block WHERE sequence > ? AND sequence < ?", packer.merged
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?)", packer.written
            )
            self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", links)
            self._connection.execute(
                "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?, ?)",
                (*counts, chain.counts_checksum(*counts)),
            )
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise
        self.progress = packer.progress(counts[1], head)

    def fold(self) -> None:
        """Move the log into the file itself, as far as readers allow."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Let go of the file; unless somebody reads it, the log is folded in and gone."""
        self._keeper.close()
        self._connection.close()

    def abandon(self) -> None:
        """Let go of the file after the disk has failed under it, without one more write or fsync."""
        with suppress(sqlite3.Error):
            self._connection.close()
        with suppress(sqlite3.Error):
            self._keeper.close()


def _progress(last: Sequence[tuple[Keys, bytes]], reached: proof.Checkpoint) -> Progress:
    """Where to go on, from the last blocks: a last one that is not full is still being filled."""
    if not last:
        return Progress(*reached)
    keys, data = last[-1]
    if keys.rows >= BLOCK_FULL:
        return Progress(*reached, Reach(keys.t1, keys.lag))
    before = Reach(last[-2][0].t1, last[-2][0].lag) if len(last) > 1 else Reach()
    return Progress(*reached, before, blocks.unpack(data, keys.rows))
