"""Walking through a run file and believing nothing that is not proved.

Each block carries a CRC32 over its keys and bytes, sample numbers have no gaps, events are chained,
the checkpoint says how much there must be, and a seal covers all of it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from hilcycler.journal import chain
from hilcycler.journal.blocks import Keys, checksum
from hilcycler.journal.damage import Damage

_COUNTS: Final = struct.Struct("<qqqqq")

_WRONG: Final = (TypeError, ValueError, AttributeError, OverflowError, struct.error)
"""What comes of a value that is not of its column's type any more."""


class Segment(NamedTuple):
    """The place of one file in its run: what comes first in it, and the hash of the event before."""

    run: str
    number: int
    sequence: int
    event: int
    head: bytes


class Checkpoint(NamedTuple):
    """How far the run had come at the last commit."""

    rows: int
    events: int
    head: bytes


class Seal(NamedTuple):
    """How much a file holds, and the SHA-256 over all of it."""

    rows: int
    blocks: int
    events: int
    digest: bytes


def segment(connection: sqlite3.Connection, path: Path) -> Segment:
    """What the file says about its place, proved."""
    row = connection.execute("SELECT run, number, sequence, event, head, crc FROM segment").fetchone()
    try:
        if row is not None and chain.segment_checksum(*row[:5]) == row[5]:
            return Segment(*row[:5])
    except _WRONG:
        pass
    raise Damage(path, "segment", 0, "what the file says about its run is damaged")


def checkpoint(connection: sqlite3.Connection, path: Path) -> Checkpoint:
    """The last checkpoint, proved; the beginning of the file if nothing was written yet."""
    row = connection.execute("SELECT rows, events, head, crc FROM checkpoint").fetchone()
    if row is None:
        place = segment(connection, path)
        return Checkpoint(place.sequence, place.event, place.head)
    try:
        if chain.counts_checksum(*row[:3]) == row[3]:
            return Checkpoint(*row[:3])
    except _WRONG:
        pass
    raise Damage(path, "checkpoint", 0, "the checkpoint is damaged")


def blocks(connection: sqlite3.Connection, path: Path, start: int) -> Iterator[tuple[Keys, bytes]]:
    """Blocks from the one that begins at sample `start` to the last, each proved, without a gap."""
    number = start
    for *fields, crc, data in connection.execute(
        "SELECT sequence, rows, t0, t1, lag, crc, data FROM block WHERE sequence >= ? ORDER BY sequence",
        (start,),
    ):
        keys = Keys(*fields)
        if not fits(keys, crc, data):
            raise Damage(path, "block", number, f"the block at sample {number} is damaged")
        if keys.sequence != number:
            raise missing(path, number, keys.sequence)
        yield keys, data
        number += keys.rows
    promised = checkpoint(connection, path).rows
    if number != promised:
        raise missing(path, number, promised)


def block_at(connection: sqlite3.Connection, path: Path, sequence: int) -> Keys:
    """The keys, proved, of the block that holds sample `sequence`."""
    row = connection.execute("SELECT max(sequence) FROM block WHERE sequence <= ?", (sequence,)).fetchone()
    for keys, _ in blocks(connection, path, sequence if row[0] is None else row[0]):
        if sequence < keys.sequence + keys.rows:
            return keys
        break
    raise missing(path, sequence, sequence + 1)


def last_blocks(connection: sqlite3.Connection, path: Path, most: int) -> list[tuple[Keys, bytes]]:
    """The last blocks, at most so many, oldest first, each proved."""
    starts = connection.execute(
        "SELECT sequence FROM block ORDER BY sequence DESC LIMIT ?", (most,)
    ).fetchall()
    if not starts and checkpoint(connection, path).rows == segment(connection, path).sequence:
        return []
    return list(blocks(connection, path, starts[-1][0] if starts else 0))


def events(connection: sqlite3.Connection, path: Path, start: int) -> Iterator[chain.Link]:
    """Events from number `start` to the last, each proved to follow the one before it."""
    place, promised = segment(connection, path), checkpoint(connection, path)
    number, head = max(start, place.event), place.head
    if number > promised.events:
        return
    if number > place.event:
        row = connection.execute("SELECT hash FROM event WHERE number = ?", (number - 1,)).fetchone()
        if row is None:
            raise Damage(path, "event", number - 1, f"event {number - 1} is missing")
        head = row[0]
    for row in connection.execute(
        "SELECT number, rows, kind, record, hash FROM event WHERE number >= ? ORDER BY number", (number,)
    ):
        found = chain.Link(*row)
        if found.number != number:
            raise Damage(path, "event", number, f"events {number} to {found.number - 1} are missing")
        if not follows(head, found):
            raise Damage(path, "event", number, f"event {number} is damaged")
        yield found
        number, head = number + 1, found.hash
    if number != promised.events:
        raise Damage(path, "event", number, f"events {number} to {promised.events - 1} are missing")
    if head != promised.head:
        raise Damage(path, "checkpoint", 0, "the checkpoint does not fit the chain of events")


def prove(connection: sqlite3.Connection, path: Path) -> Seal:
    """Walk through everything; Damage at the first thing that is not as it was written."""
    place = segment(connection, path)
    digest = hashlib.sha256()
    count = 0
    for keys, data in blocks(connection, path, place.sequence):
        digest.update(checksum(keys, data).to_bytes(4, "little"))
        digest.update(data)
        count += 1
    for event in events(connection, path, place.event):
        digest.update(event.hash)
    reached = checkpoint(connection, path)
    digest.update(place.head + reached.head)
    digest.update(_COUNTS.pack(place.number, place.sequence, place.event, reached.rows, reached.events))
    return Seal(reached.rows, count, reached.events, digest.digest())


def sealed(connection: sqlite3.Connection) -> Seal | None:
    """The seal that is in the file, if one is; not proved."""
    row = connection.execute("SELECT rows, blocks, events, digest FROM seal").fetchone()
    return None if row is None else Seal(*row)


def ended(connection: sqlite3.Connection) -> bool:
    """Whether the last event says that the run has ended."""
    last = connection.execute("SELECT kind FROM event ORDER BY number DESC LIMIT 1").fetchone()
    return last is not None and last[0] == "run-ended"


def fits(keys: Keys, crc: int, data: bytes) -> bool:
    """Whether a block is as it was written."""
    try:
        return checksum(keys, data) == crc
    except _WRONG:
        return False


def follows(head: bytes, found: chain.Link) -> bool:
    """Whether an event is the one written after the one whose hash is `head`."""
    try:
        return chain.link(head, *found[:4]) == found
    except _WRONG:
        return False


def missing(path: Path, start: int, stop: int) -> Damage:
    """Samples `start` to `stop` (excluded) are not there."""
    if stop < start:
        return Damage(path, "checkpoint", start, f"{start} samples, {stop} were counted")
    return Damage(path, "block", start, f"samples {start} to {stop - 1} are missing")
