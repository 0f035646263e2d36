"""What outlives every run: latches and who reset them, what was asked of the service, what waits to be run.

A small hash-chained SQLite file in the data folder. A channel whose last entry is a latch stays
latched, across restarts, until a named person resets it with a reason.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from hilcycler.clock import wall_clock
from hilcycler.errors import JournalError, RequestError
from hilcycler.protocol import Violation
from hilcycler.quantities import Second

NAME: Final = "bench.sqlite"

_APPLICATION_ID: Final = 0x4843_4253  # the letters HCBS
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


@dataclass(frozen=True, slots=True)
class Latched:
    """A channel was latched by a trip of `run`."""

    channel: str
    run: str
    violation: Violation
    utc: Second
    kind: Literal["latched"] = "latched"


@dataclass(frozen=True, slots=True)
class Reset:
    """A person took responsibility for using a channel again."""

    channel: str
    actor: str
    reason: str
    utc: Second
    kind: Literal["reset"] = "reset"


@dataclass(frozen=True, slots=True)
class Refused:
    """No run was begun on a channel: what answered there, and why it was not used."""

    channel: str
    error: str
    message: str
    utc: Second
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asked the service for something, and what became of it.

    `key` is the request's own: sent twice, it is answered alike and done once. `run` is the one that was
    meant, `expected` the state that whoever asked had seen.
    """

    channel: str
    verb: str
    actor: str
    reason: str
    key: str
    run: str
    expected: str
    done: bool
    answer: str
    utc: Second
    detail: dict[str, str] = field(default_factory=dict)
    kind: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True)
class Queued:
    """A run waits for its channel. `request` is what is to be run, as it was asked for."""

    channel: str
    run: str
    actor: str
    reason: str
    key: str
    request: dict[str, Any]
    utc: Second
    kind: Literal["queued"] = "queued"


@dataclass(frozen=True, slots=True)
class Over:
    """A run that was queued is over, or will never begin: it has left its channel."""

    channel: str
    run: str
    outcome: str
    reason: str
    utc: Second
    kind: Literal["over"] = "over"


Entry: TypeAlias = Latched | Reset | Refused | Asked | Queued | Over
_KINDS: Final = {"reset": Reset, "refused": Refused, "asked": Asked, "queued": Queued, "over": Over}


class BenchState:
    """The bench's own journal, in the data folder `folder`.

    Every call opens the file, does its work and closes it, so several processes may use it. Raises
    JournalError if it cannot be read, written or trusted: a channel that cannot be proved free is not.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def latch(self, channel: str, run: str, violation: Violation) -> None:
        """Latch `channel`; on disk when this returns."""
        self._append(Latched(channel, run, violation, wall_clock()))

    def refuse(self, channel: str, error: Exception) -> None:
        """Keep why nothing was begun on `channel`; on disk when this returns."""
        self._append(Refused(channel, type(error).__name__, str(error), wall_clock()))

    def reset(self, channel: str, actor: str, reason: str) -> None:
        """Free `channel`. RequestError without a name and a reason, or if it is not latched."""
        if not actor.strip() or not reason.strip():
            raise RequestError(f"resetting channel {channel!r} needs a name and a reason")
        if self.latched(channel) is None:
            raise RequestError(f"channel {channel!r} is not latched")
        self._append(Reset(channel, actor.strip(), reason.strip(), wall_clock()))

    def latched(self, channel: str) -> Latched | None:
        """The trip that `channel` is latched by, if it is."""
        last = None
        for entry in self.entries():
            if entry.channel == channel and isinstance(entry, Latched | Reset):
                last = entry
        return last if isinstance(last, Latched) else None

    def entries(self) -> list[Entry]:
        """Everything that happened, oldest first, each proved by the chain."""
        if not self.path.exists():
            return []
        with self._connection("reading") as connection:
            return [entry for entry, _ in self._chain(connection)]

    def since(self, number: int, most: int = 1000) -> list[tuple[int, Entry]]:
        """Entries from `number` on, with their numbers, at most `most`; each proved against the one before."""
        if not self.path.exists():
            return []
        with self._connection("reading") as connection:
            before = connection.execute("SELECT hash FROM entry WHERE number = ?", (number - 1,)).fetchone()
            head = _START if before is None else before[0]
            found = []
            rows = connection.execute(
                "SELECT number, record, hash FROM entry WHERE number >= ? ORDER BY number LIMIT ?",
                (number, most),
            )
            for expected, (at, record, proof) in enumerate(rows, start=number):
                if at != expected or _hash(head, at, record) != proof:
                    raise JournalError(f"{self.path}: entry {expected} is damaged or missing")
                head = proof
                found.append((at, _entry(json.loads(record))))
            return found

    def append(self, entry: Entry) -> None:
        """Add `entry`; on disk when this returns."""
        self._append(entry)

    def _append(self, entry: Entry) -> None:
        """What is there is proved by its head alone; the whole chain by whoever reads it."""
        with self._connection("writing") as connection:
            connection.execute("BEGIN IMMEDIATE")
            last = connection.execute(
                "SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1"
            ).fetchone()
            kept = connection.execute("SELECT hash FROM head").fetchone()
            number, head = (0, _START) if last is None else (last[0] + 1, last[1])
            if head != (_START if kept is None else kept[0]):
                raise JournalError(f"{self.path}: the last entries are damaged or missing")
            record = json.dumps(_plain(entry))
            head = _hash(head, number, record)
            connection.execute("INSERT INTO entry VALUES (?, ?, ?)", (number, record, head))
            connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (head,))
            connection.execute("COMMIT")

    def _chain(self, connection: sqlite3.Connection) -> Iterator[tuple[Entry, bytes]]:
        head = _START
        rows = connection.execute("SELECT number, record, hash FROM entry ORDER BY number")
        for expected, (number, record, proof) in enumerate(rows):
            if number != expected or _hash(head, number, record) != proof:
                raise JournalError(f"{self.path}: entry {expected} is damaged or missing")
            head = proof
            yield _entry(json.loads(record)), head
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
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalError(f"{self.path}: {doing} the latches: {error}") from error

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
            raise JournalError(f"{self.path}: not a bench journal")
        elif version != _VERSION:
            raise JournalError(f"{self.path}: format {version}, this hilcycler reads {_VERSION}")


def _hash(head: bytes, number: int, record: str) -> bytes:
    return hashlib.sha256(head + number.to_bytes(8, "little") + record.encode()).digest()


def _plain(entry: Entry) -> dict[str, Any]:
    plain = asdict(entry)
    if isinstance(entry, Latched):  # JSON has no NaN and no infinity, and a violation may be either
        plain["violation"] = {key: str(value) for key, value in plain["violation"].items()}
    return plain


def _entry(plain: dict[str, Any]) -> Entry:
    if plain["kind"] != "latched":
        entry: Entry = _KINDS[plain["kind"]](**plain)
        return entry
    violation = plain.pop("violation")
    limits = {key: float(violation[key]) for key in ("value", "lowest", "highest")}
    return Latched(violation=Violation(quantity=violation["quantity"], **limits), **plain)
