"""The tables of a run file, and connections to them.

A run file is an ordinary SQLite database that any tool can open. `application_id` says that it is
one of ours, `user_version` which version of these tables it holds; a newer version is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hilcycler.errors import JournalError
from hilcycler.journal.damage import Damage

APPLICATION_ID: Final = 0x4843_4A52
"""The letters HCJR."""

VERSION: Final = 1

TABLES: Final = (
    """CREATE TABLE segment (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  run TEXT NOT NULL,        -- id of the run
  number INTEGER NOT NULL,  -- 1; higher in a file that goes on where a failed disk left off
  sequence INTEGER NOT NULL,-- number of the first sample in this file
  event INTEGER NOT NULL,   -- number of the first event in this file
  head BLOB NOT NULL,       -- hash of the event before it
  crc INTEGER NOT NULL
) STRICT""",
    """CREATE TABLE block (
  sequence INTEGER PRIMARY KEY, -- number of the first sample
  rows INTEGER NOT NULL,
  t0 REAL NOT NULL,   -- lowest test time in this block, s
  t1 REAL NOT NULL,   -- highest test time of the run up to here, s
  lag REAL NOT NULL,  -- farthest that test time has run backwards up to here, s
  crc INTEGER NOT NULL,
  data BLOB NOT NULL  -- directory and columns, see docs/journal.md
) STRICT""",
    """CREATE TABLE event (
  number INTEGER PRIMARY KEY, -- from 0, without gaps
  rows INTEGER NOT NULL,      -- samples of the run that came before it
  kind TEXT NOT NULL,
  record TEXT NOT NULL,       -- JSON
  hash BLOB NOT NULL          -- SHA-256 over the previous hash and this row
) STRICT""",
    """CREATE TABLE checkpoint (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  rows INTEGER NOT NULL,   -- samples of the run so far
  events INTEGER NOT NULL, -- events of the run so far
  head BLOB NOT NULL,      -- hash of the last event
  crc INTEGER NOT NULL
) STRICT""",
    """CREATE TABLE seal (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  rows INTEGER NOT NULL,
  blocks INTEGER NOT NULL,
  events INTEGER NOT NULL,
  digest BLOB NOT NULL     -- SHA-256 over every block and every event
) STRICT""",
)

_SCHEMA: Final = tuple(" ".join(statement.split()) for statement in TABLES)


_DISK: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
)
"""Primary result codes that say something about the disk, not about what is in the file."""


def primary(error: sqlite3.Error) -> int:
    """The primary result code of what SQLite refused; SQLITE_CORRUPT where Python gives none."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)) & 0xFF


@contextmanager
def speaking(path: Path, doing: str) -> Iterator[None]:
    """Turn what sqlite3 and the file system raise into a JournalError that names the file and the deed.

    It is a Damage if the fault is in the file, not in the disk.
    """
    try:
        yield
    except sqlite3.Error as error:
        if primary(error) in _DISK:
            name = getattr(error, "sqlite_errorname", "")
            raise JournalError(f"{path}: {doing}: {error} ({name})") from error
        raise Damage(path, "structure", 0, f"{doing}: the file is damaged: {error}") from error
    except UnicodeDecodeError as error:  # in the words of SQLite itself, quoting what it has found
        raise Damage(path, "structure", 0, f"{doing}: the file is damaged: {error.object!r}") from error
    except OSError as error:
        raise JournalError(f"{path}: {doing}: {error}") from error


def write_to(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return. Raises sqlite3.Error, JournalError."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
    )
    try:
        # The writer moves the log into the file itself, after the commit was acknowledged, so that
        # neither the wait for it nor its errors are hidden in a commit.
        _use_a_log(connection, path)
        for pragma in (
            "synchronous = FULL",
            "fullfsync = ON",
            "checkpoint_fullfsync = ON",
            "wal_autocheckpoint = 0",
            "cache_size = -256",  # kB: a writer only ever touches the end of its file
            "trusted_schema = OFF",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _use_a_log(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise JournalError(f"{path}: this disk cannot hold a run file (no shared memory: a network disk?)")


def keep_open(path: Path) -> sqlite3.Connection:
    """A second look at a file that is being written. Raises sqlite3.Error.

    While it lasts, closing the writing connection is not the last closing, so that it does not fold
    the log in and sync files that must not be touched any more.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one look at a run file of a version we know, in one consistent state.

    It is gone afterwards: a reader that stayed would keep the log from being folded into the file
    and the file from being sealed. Raises JournalError.
    """
    with speaking(path, "reading"):
        ordinary(path)
        try:
            connection = _read_from(path)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            _roll_back(path)
            connection = _read_from(path)
        try:
            check_version(connection, path)
            check_tables(connection, path)
            yield connection
        finally:
            connection.close()


def _read_from(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def tables(path: Path) -> int:
    """How many tables there are: none in a file that was made and not yet written. sqlite3.Error."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        found: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    finally:
        connection.close()
    return found


def _roll_back(path: Path) -> None:
    """Undo the last step of a sealing that a power cut interrupted: a reader must not, SQLite says."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    finally:
        connection.close()


def ordinary(path: Path) -> None:
    """JournalError unless `path` is an ordinary file: not a link to one, not a device."""
    if path.is_symlink():
        raise JournalError(f"{path}: is a symbolic link; run files are opened where they lie")
    if not path.is_file():
        raise JournalError(f"{path}: no such run file")


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """JournalError unless this is a run file of a version that we can read."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id != APPLICATION_ID:
        raise JournalError(f"{path}: not a run file (application id {application_id:#x})")
    if version > VERSION:
        raise JournalError(
            f"{path}: written by a newer hilcycler (format {version}; this one reads up to {VERSION})"
        )
    if version != VERSION:
        raise JournalError(f"{path}: format {version}, expected {VERSION}")


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """JournalError unless the tables are exactly those of this version."""
    found = {
        " ".join(str(sql).split())
        for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
    }
    if found != set(_SCHEMA):
        raise Damage(path, "structure", 0, f"the tables are not those of format {VERSION}")
