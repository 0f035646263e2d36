"""What can still be proved in a damaged run file, piece by piece.

The reader gives nothing where something is wrong, so that nobody evaluates half a run without knowing.
This is for the person who knows: every block and every event that proves itself, and a list of what is
missing between them. The file is not touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from hilcycler.journal import proof
from hilcycler.journal.blocks import Keys, Rows, unpack
from hilcycler.journal.chain import Link
from hilcycler.journal.damage import Damage
from hilcycler.journal.samples import Gathered
from hilcycler.journal.schema import reading, speaking
from hilcycler.records import Event, from_json


class _Table(NamedTuple):
    """How the rows of a table are listed, and how one is asked for."""

    name: str
    numbers: str
    row: str


_BLOCKS: Final = _Table(
    "block",
    "SELECT sequence FROM block ORDER BY sequence",
    "SELECT sequence, rows, t0, t1, lag, crc, data FROM block WHERE sequence = ?",
)
_EVENTS: Final = _Table(
    "event",
    "SELECT number FROM event ORDER BY number",
    "SELECT number, rows, kind, record, hash FROM event WHERE number = ?",
)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Samples and events that prove themselves, oldest first, and what is not among them."""

    columns: dict[str, NDArray[Any]]
    events: tuple[Event, ...]
    damage: tuple[Damage, ...]


def salvage(path: Path) -> Salvaged:
    """Read around the damage. JournalError if not even the tables can be found."""
    damage: list[Damage] = []
    with reading(path) as connection:
        place = proof.segment(connection, path)
        blocks = list(_blocks(connection, path, place.sequence, damage))
        events = list(_events(connection, path, place.event, damage))
    gathered = Gathered(None, sum(rows.size for rows in blocks))
    for rows in blocks:
        gathered.add(rows, slice(None), rows.size)
    return Salvaged(gathered.columns(), tuple(events), tuple(damage))


def _blocks(connection: sqlite3.Connection, path: Path, start: int, damage: list[Damage]) -> Iterator[Rows]:
    number = start
    for sequence, row in _rows(connection, path, _BLOCKS, damage):
        *keys, crc, data = row
        if not proof.fits(Keys(*keys), crc, data):
            damage.append(Damage(path, "block", sequence, f"the block at sample {sequence} is damaged"))
            continue
        if sequence != number:
            damage.append(proof.missing(path, number, sequence))
        yield unpack(data, keys[1])
        number = sequence + keys[1]
    promised = _promised(connection, path, damage)
    if promised is not None and number != promised.rows:
        damage.append(proof.missing(path, number, promised.rows))


def _events(connection: sqlite3.Connection, path: Path, start: int, damage: list[Damage]) -> Iterator[Event]:
    """An event proves itself by the hash that the one before it carries, be that one damaged or not."""
    hashes: dict[int, bytes] = {start - 1: proof.segment(connection, path).head}
    for number, row in _rows(connection, path, _EVENTS, damage):
        found = Link(*row)
        hashes[number] = found.hash
        head = hashes.get(number - 1)
        if head is not None and proof.follows(head, found):
            yield from_json(found.record)
        else:
            damage.append(Damage(path, "event", number, f"event {number} is damaged, or the one before it"))


def _rows(
    connection: sqlite3.Connection, path: Path, table: _Table, damage: list[Damage]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The rows of `table` by number, each asked for on its own, so that one that fails is but one."""
    numbers: list[int] = []
    try:
        with speaking(path, f"listing each {table.name}"):
            numbers.extend(number for (number,) in connection.execute(table.numbers))
    except Damage as fault:
        damage.append(fault)
    for number in numbers:
        try:
            with speaking(path, f"reading {table.name} {number}"):
                row = connection.execute(table.row, (number,)).fetchone()
        except Damage as fault:
            damage.append(fault)
            continue
        if row is not None:
            yield number, row


def _promised(connection: sqlite3.Connection, path: Path, damage: list[Damage]) -> proof.Checkpoint | None:
    try:
        return proof.checkpoint(connection, path)
    except Damage as fault:
        damage.append(fault)
        return None
