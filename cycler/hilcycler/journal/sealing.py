"""Sealing: a finished run becomes one file, with a digest over everything in it."""

from __future__ import annotations

from pathlib import Path

from hilcycler.journal.proof import prove
from hilcycler.journal.schema import speaking, write_to


def seal(path: Path) -> None:
    """Prove what is in the file, write the seal, fold the log in and leave one file.

    JournalError if something in it is damaged; then it stays as it is. Idempotent.
    """
    with speaking(path, "sealing"):
        connection = write_to(path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT count(*) FROM seal").fetchone()[0] == 0:
                proof = prove(connection, path)
                connection.execute(
                    "INSERT INTO seal VALUES (1, ?, ?, ?, ?)",
                    (proof.rows, proof.blocks, proof.events, proof.digest),
                )
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        finally:
            connection.close()
