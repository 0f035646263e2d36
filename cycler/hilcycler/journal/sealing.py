"""Sealing: a finished run becomes one file, with a digest over everything in it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

from hilcycler import disk
from hilcycler.clock import process_time
from hilcycler.errors import JournalError
from hilcycler.journal import proof
from hilcycler.journal.names import lock_path
from hilcycler.journal.schema import primary, reading, speaking, write_to
from hilcycler.quantities import Second

PATIENCE: Final[Second] = 5.0
"""Seconds to wait for readers to let go; each of ours does so within milliseconds."""


def seal(path: Path) -> None:
    """Seal a run file that nobody writes any more; the run must have ended. Idempotent.

    JournalError if it has not, if something in it is damaged, or if a reader does not let go: then
    the seal may be in the file, but the log still lies beside it, and sealing again ends it.
    """
    lock = disk.Lock(lock_path(path))
    with reading(path):
        lock.take()
    try:
        complete(path)
    finally:
        lock.release()


def complete(path: Path) -> None:
    """As `seal`, for whoever holds the lock."""
    with reading(path) as connection:
        sealed = proof.sealed(connection) is not None
        alone = connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal"
        if not proof.ended(connection):
            raise JournalError(f"{path}: the run has not ended; it is left as it is")
    if sealed and alone:
        return
    with speaking(path, "sealing"):
        connection = write_to(path)
        try:
            if not sealed:
                _write_seal(connection, path)
            _become_one_file(connection, path)
        finally:
            connection.close()
        path.chmod(0o444)
        disk.sync_folder(path.parent)


def _write_seal(connection: sqlite3.Connection, path: Path) -> None:
    """Read everything back from the file, and seal what has been proved."""
    connection.execute("BEGIN IMMEDIATE")
    found = proof.prove(connection, path)
    connection.execute("INSERT INTO seal VALUES (1, ?, ?, ?, ?)", tuple(found))
    connection.execute("COMMIT")


def _become_one_file(connection: sqlite3.Connection, path: Path) -> None:
    """Fold the log in and do without one. Readers come and go; this needs one moment without any."""
    until = process_time() + PATIENCE
    pause = threading.Event()
    while True:
        try:
            connection.execute("PRAGMA busy_timeout = 100")
            if connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete":
                return
        except sqlite3.OperationalError as error:
            if primary(error) != sqlite3.SQLITE_BUSY:
                raise
        if process_time() > until:
            raise JournalError(f"{path}: sealed, but a reader does not let go; seal it again later")
        pause.wait(0.02)
