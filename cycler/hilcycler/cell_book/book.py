"""The book of cells: one hash-chained SQLite file in the data folder.

An entry is never changed. A correction is an entry of its own: who, when, why, what stood there and
what stands there now; so every number that was ever printed can be explained.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from hilcycler.cell import Cell
from hilcycler.cell_book.fields import Fields, cell_of, checked
from hilcycler.clock import wall_clock
from hilcycler.errors import JournalError, RequestError
from hilcycler.quantities import Second

NAME: Final = "cells.sqlite"
MOST: Final = 100_000
"""Entries of one book."""

_APPLICATION_ID: Final = 0x4843_4342  # the letters HCCB
_VERSION: Final = 1
_START: Final = bytes(32)
_TABLES: Final = (
    """CREATE TABLE entry (
  number INTEGER PRIMARY KEY, -- from 0, without gaps
  record TEXT NOT NULL,       -- JSON
  hash BLOB NOT NULL          -- SHA-256 over the previous hash, the number and the record
) STRICT""",
    """CREATE TABLE head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  hash BLOB NOT NULL          -- of the last entry, so that none can be missing at the end
) STRICT""",
)
_CELL: Final = re.compile(r"\w[\w .+()#-]{0,59}")


@dataclass(frozen=True, slots=True)
class Change:
    """One entry: `old` and `new` are what was written of each field; "" stands for nothing.

    `verb`: `add`, `correct` or `move`; where a cell was moved, the fields are `channel` and `instrument`.
    """

    verb: str
    cell: str
    actor: str
    reason: str
    old: dict[str, str]
    new: dict[str, str]
    utc: Second


@dataclass(frozen=True, slots=True)
class CellRecord:
    """A cell as it is written now. `channel` and `instrument`: where it was moved to last; "" if never."""

    name: str
    written: dict[str, str]
    channel: str = ""
    instrument: str = ""
    changes: tuple[Change, ...] = field(default=())

    @property
    def fields(self) -> Fields:
        return checked(self.name, self.written)

    @property
    def cell(self) -> Cell:
        """As runs and evaluations know it; areas and masses from what is written now."""
        return cell_of(self.name, self.fields)


class CellBook:
    """The book in the data folder `folder`.

    Every call opens the file, does its work and closes it, so several processes may use it. Raises
    JournalError if it cannot be read, written or trusted.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def add(self, cells: Mapping[str, Mapping[str, str]], actor: str, reason: str = "") -> None:
        """New cells, all or none. RequestError for names that are taken or no names, and for wrong values."""
        _check_author(actor, reason or "-")
        changes = []
        for name, given in cells.items():
            written = {key: str(value).strip() for key, value in given.items()}
            if not _CELL.fullmatch(name):
                raise RequestError(
                    f"{name!r} is no name of a cell; expected letters, digits and _ . + ( ) # -, at most 60"
                )
            cell_of(name, checked(name, written))
            changes.append(Change("add", name, actor.strip(), reason.strip(), {}, written, wall_clock()))

        def refuse_taken(cells: Mapping[str, CellRecord]) -> None:
            if taken := [each.cell for each in changes if each.cell in cells]:
                raise RequestError(
                    f"there is a cell {taken[0]!r} already; correct it with `cycler cell edit`"
                )

        self._append(changes, refuse_taken)

    def correct(self, name: str, new: Mapping[str, str], actor: str, reason: str) -> CellRecord:
        """Write other values of some fields ("" takes one away), with who and why. RequestError."""
        _check_author(actor, reason)
        before = self.get(name)
        new = {key: str(value).strip() for key, value in new.items()}
        written = {key: value for key, value in (before.written | new).items() if value}
        cell_of(name, checked(name, written))
        old = {key: before.written.get(key, "") for key in new}
        if old == new:
            raise RequestError(f"cell {name}: nothing would change")
        change = Change("correct", name, actor.strip(), reason.strip(), old, dict(new), wall_clock())

        def refuse_changed(cells: Mapping[str, CellRecord]) -> None:
            if cells[name].written != before.written:
                raise RequestError(f"cell {name} was corrected by somebody else just now; look again")

        self._append([change], refuse_changed)
        return self.get(name)

    def move(self, name: str, channel: str, instrument: str, actor: str, reason: str = "") -> CellRecord:
        """The cell now hangs on `channel` of `instrument` (who it says it is); where it was is kept."""
        _check_author(actor, reason or "-")
        at = self.get(name)
        old = {"channel": at.channel, "instrument": at.instrument}
        new = {"channel": channel, "instrument": instrument}
        self._append([Change("move", name, actor.strip(), reason.strip(), old, new, wall_clock())])
        return self.get(name)

    def get(self, name: str) -> CellRecord:
        """RequestError, with the closest name there is, if there is no such cell."""
        cells = self.cells()
        if name not in cells:
            close = get_close_matches(name, cells, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise RequestError(f"no cell {name!r} in {self.path}{hint}")
        return cells[name]

    def cells(self) -> dict[str, CellRecord]:
        """Every cell as it is written now, the oldest first."""
        return _told(self.changes())

    def changes(self) -> list[Change]:
        """Everything that was ever written, oldest first, each proved by the chain."""
        if not self.path.exists() and not self.path.is_symlink():
            return []
        with self._connection("reading") as connection:
            return [change for change, _ in self._chain(connection)]

    def _append(self, changes: Iterable[Change], check: Any = None) -> None:  # noqa: ANN401  (a callable)
        with self._connection("writing") as connection:
            connection.execute("BEGIN IMMEDIATE")
            chain = list(self._chain(connection))
            if check is not None:
                check(_told([change for change, _ in chain]))
            head, number = (chain[-1][1] if chain else _START), len(chain)
            for number, change in enumerate(changes, start=len(chain)):
                record = json.dumps(asdict(change), ensure_ascii=False)
                head = _hash(head, number, record)
                connection.execute("INSERT INTO entry VALUES (?, ?, ?)", (number, record, head))
            if number >= MOST:
                raise RequestError(f"{self.path}: holds {MOST} entries; begin another data folder")
            connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (head,))
            connection.execute("COMMIT")

    def _chain(self, connection: sqlite3.Connection) -> Iterator[tuple[Change, bytes]]:
        head = _START
        rows = connection.execute("SELECT number, record, hash FROM entry ORDER BY number")
        for expected, (number, record, proof) in enumerate(rows):
            if number != expected or _hash(head, number, record) != proof:
                raise JournalError(f"{self.path}: entry {expected} is damaged or missing")
            head = proof
            yield Change(**json.loads(record)), head
        last = connection.execute("SELECT hash FROM head").fetchone()
        if head != (_START if last is None else last[0]):
            raise JournalError(f"{self.path}: the last entries are damaged or missing")

    @contextmanager
    def _connection(self, doing: str) -> Iterator[sqlite3.Connection]:
        if self.path.is_symlink():
            raise JournalError(f"{self.path}: is a symbolic link")
        try:
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=5.0)
            try:
                self._prepare(connection)
                yield connection
            finally:
                connection.close()
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
            raise JournalError(f"{self.path}: {doing} the cells: {error}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in ("synchronous = FULL", "fullfsync = ON", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        if (application_id, version) == (0, 0):
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                for table in _TABLES:
                    connection.execute(table)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
        elif application_id != _APPLICATION_ID:
            raise JournalError(f"{self.path}: not a book of cells")
        elif version != _VERSION:
            raise JournalError(f"{self.path}: format {version}, this hilcycler reads {_VERSION}")


def _told(changes: Iterable[Change]) -> dict[str, CellRecord]:
    """The cells that a sequence of changes leaves."""
    cells: dict[str, CellRecord] = {}
    for change in changes:
        before = cells.get(change.cell, CellRecord(change.cell, {}))
        history = (*before.changes, change)
        if change.verb == "move":
            cells[change.cell] = replace(
                before, channel=change.new["channel"], instrument=change.new["instrument"], changes=history
            )
        else:
            written = {key: value for key, value in (before.written | change.new).items() if value}
            cells[change.cell] = replace(before, written=written, changes=history)
    return cells


def _check_author(actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip() or not (actor + reason).isprintable():
        raise RequestError("a correction of a cell needs a name and a reason, each on one line")


def _hash(head: bytes, number: int, record: str) -> bytes:
    return hashlib.sha256(head + number.to_bytes(8, "little") + record.encode()).digest()
