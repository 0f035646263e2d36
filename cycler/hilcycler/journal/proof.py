"""Walking through a run file and believing nothing that is not proved.

Each block carries a CRC32 over its keys and bytes, sample numbers have no gaps, events are chained,
the checkpoint says how much there must be, and a seal covers all of it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hilcycler.errors import JournalError
from hilcycler.journal import chain
from hilcycler.journal.blocks import Keys, checksum


class Segment(NamedTuple):
    """The place of one file in its run."""

    run: str
    number: int
    sequence: int
    event: int
    head: bytes


class Checkpoint(NamedTuple):
    """How much had been written at the last commit."""

    rows: int
    events: int
    head: bytes


class Proof(NamedTuple):
    """What a walk through the whole file has found."""

    rows: int
    blocks: int
    events: int
    digest: bytes


def segment(connection: sqlite3.Connection, path: Path) -> Segment:
    """What the file says about its place, proved."""
    row = connection.execute("SELECT run, number, sequence, event, head, crc FROM segment").fetchone()
    if row is None or chain.segment_checksum(*row[:5]) != row[5]:
        raise JournalError(f"{path}: what the file says about its run is damaged")
    return Segment(*row[:5])


def checkpoint(connection: sqlite3.Connection, path: Path) -> Checkpoint:
    """The last checkpoint, proved; the beginning of the file if nothing was written yet."""
    row = connection.execute("SELECT rows, events, head, crc FROM checkpoint").fetchone()
    if row is None:
        place = segment(connection, path)
        return Checkpoint(place.sequence, place.event, place.head)
    if chain.counts_checksum(*row[:3]) != row[3]:
        raise JournalError(f"{path}: the checkpoint is damaged")
    return Checkpoint(*row[:3])


def blocks(connection: sqlite3.Connection, path: Path, start: int = 0) -> Iterator[tuple[Keys, bytes]]:
    """Blocks from the one that begins at sample `start` on, each proved, without a gap."""
    number = start
    for *keys, crc, data in connection.execute(
        "SELECT sequence, rows, t0, t1, lag, crc, data FROM block WHERE sequence >= ? ORDER BY sequence",
        (start,),
    ):
        found = Keys(*keys)
        if found.sequence != number:
            raise JournalError(f"{path}: samples {number} to {found.sequence - 1} are missing")
        if checksum(found, data) != crc:
            raise JournalError(f"{path}: the block at sample {number} is damaged")
        yield found, data
        number += found.rows


def events(connection: sqlite3.Connection, path: Path, start: int, head: bytes) -> Iterator[chain.Link]:
    """Events from number `start` on, each proved to follow the one whose hash is `head`."""
    number = start
    for row in connection.execute(
        "SELECT number, rows, kind, record, hash FROM event WHERE number >= ? ORDER BY number", (start,)
    ):
        found = chain.Link(*row)
        if found.number != number:
            raise JournalError(f"{path}: events {number} to {found.number - 1} are missing")
        if chain.link(head, *row[:4]).hash != found.hash:
            raise JournalError(f"{path}: event {number} is damaged")
        yield found
        number, head = number + 1, found.hash


def prove(connection: sqlite3.Connection, path: Path) -> Proof:
    """Walk through everything; JournalError at the first thing that is not as it was written."""
    place, promised = segment(connection, path), checkpoint(connection, path)
    digest = hashlib.sha256(repr(tuple(place)).encode())
    rows, count = place.sequence, 0
    for keys, data in blocks(connection, path, place.sequence):
        digest.update(repr(tuple(keys)).encode())
        digest.update(data)
        rows, count = keys.sequence + keys.rows, count + 1
    number, head = place.event, place.head
    for event in events(connection, path, place.event, place.head):
        number, head = event.number + 1, event.hash
    digest.update(head)
    if rows != promised.rows:
        raise JournalError(f"{path}: samples {rows} to {promised.rows - 1} are missing")
    if (number, head) != (promised.events, promised.head):
        raise JournalError(f"{path}: events {number} to {promised.events - 1} are missing")
    return Proof(rows, count, number, digest.digest())


def last_blocks(connection: sqlite3.Connection, path: Path) -> list[tuple[Keys, bytes]]:
    """The last two blocks, oldest first, each proved."""
    row = (
        connection.execute("SELECT sequence FROM block ORDER BY sequence DESC LIMIT 1 OFFSET 1").fetchone()
        or connection.execute("SELECT min(sequence) FROM block").fetchone()
    )
    return [] if row[0] is None else list(blocks(connection, path, row[0]))
