"""Where a run's entries go when the disk does not always do as it is told.

- A commit that fails is not acknowledged; the entries stay in memory.
- A disk that is full gets its reserve released once, so that the run can still write how it ended.
- After any other failure, a failed fsync above all, the file is done: nothing more is written to it
  and nothing is synced again, because a second fsync may report success over lost pages. What was
  not acknowledged goes to a new file, the next segment of the run, in the fallback folder; without
  one, the run is told to stop.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hilcycler import disk
from hilcycler.clock import process_time
from hilcycler.errors import JournalError
from hilcycler.journal import chain, proof
from hilcycler.journal.damage import Damage
from hilcycler.journal.file import Entry, RunFile
from hilcycler.journal.names import lock_path, reserve_path, segment_path
from hilcycler.journal.schema import primary, speaking
from hilcycler.journal.sealing import complete

SLOW: Final = 5.0
"""A commit that takes longer than this many seconds is worth a warning."""

_log = logging.getLogger(__name__)

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(frozen=True, slots=True)
class DiskPolicy:
    """How a run's store treats its disk.

    `reserve`: bytes kept aside for the end of the run; 0: none. `low`: free bytes below which it
    warns. `fallback`: a folder on another disk, for what the first one no longer takes. `fold_every`:
    transactions after which the log is folded into the file. `warn` is called in a writer thread.
    """

    reserve: int = 1 << 20
    low: int = 1 << 30
    fallback: Path | None = None
    fold_every: int = 64
    warn: Callable[[str], None] = _log.warning


class Busy(Exception):
    """Another process holds the file for a moment; what was to be written is to be given again."""


class Store:
    """The files of one run, for writing. Blocking; calls take turns."""

    def __init__(self, path: Path, run: str, *, new: bool, on: DiskPolicy) -> None:
        self.path = path
        self.run = run
        self.full = False
        self._new, self._on = new, on
        self._number = 1
        self._file: RunFile | None = None
        self._locks: list[disk.Lock] = []
        self._turn = threading.Lock()
        self._transactions = 0
        self._low = False

    @property
    def progress(self) -> tuple[int, int]:
        """Samples and events of the run that are on disk."""
        file = self._writing()
        return file.progress.rows, file.progress.events

    def open(self) -> None:
        """Create the file, or take it up. JournalError."""
        with self._turn:
            try:
                if self._new:
                    self._create()
                else:
                    self._lock(self.path)
                    self._file, place = RunFile.take_up(self.path)
                    self.run, self._number = place.run, place.number
                self._keep_aside()
                self._see_room()
                # Each run in its own turn: sixty that fold at once hold up everybody's commits.
                self._transactions = zlib.crc32(self.run.encode()) % self._on.fold_every
            except BaseException:
                self._give_up()
                raise

    def write(self, entries: Sequence[Entry]) -> None:
        """Put `entries` on disk. Busy, or JournalError when there is nowhere left to put them."""
        with self._turn:
            began = process_time()
            try:
                self._writing().write(entries)
            except sqlite3.Error as error:
                self._write_anyway(entries, error)
            took = process_time() - began
            if took > SLOW:
                self._on.warn(f"{self.path}: the disk took {took:.0f} s for one commit")
            self._transactions += 1

    def look_after(self) -> None:
        """Now and then: fold the log in, and see how much room there is. JournalError."""
        if self._transactions % self._on.fold_every:
            return
        with self._turn:
            try:
                self._writing().fold()
            except sqlite3.Error as error:
                if primary(error) == sqlite3.SQLITE_FULL:
                    self._release_reserve()  # the log still holds everything
                elif primary(error) not in _BUSY:
                    self._move_on((), error)
            self._see_room()

    def rescue(self, entries: Sequence[Entry], folder: Path) -> None:
        """Go on in `folder` with what the file no longer takes. JournalError."""
        with self._turn:
            self._go_on(entries, folder)

    def close(self, *, ended: bool) -> None:
        """Let go; a run that has ended is sealed. JournalError."""
        with self._turn:
            file, self._file = self._file, None
            try:
                if file is not None:
                    with speaking(self.path, "closing"):
                        file.close()
                        reserve_path(self.path).unlink(missing_ok=True)
                    if ended:
                        self._seal()
            finally:
                self._give_up()

    def abandon(self) -> None:
        """Let go of files that the disk has failed under, touching nothing."""
        with self._turn:
            self._give_up()

    # --- within -----------------------------------------------------------------------------

    def _writing(self) -> RunFile:
        if self._file is None:
            raise JournalError(f"{self.path}: not open")
        return self._file

    def _create(self) -> None:
        _prepare(self.path.parent)
        self._lock(self.path)
        _create(self.path)
        try:
            self._file = RunFile.create(self.path, proof.Segment(self.run, 1, 0, 0, chain.START))
        except JournalError:
            for rest in self.path.parent.glob(f"{self.path.name}*"):
                with suppress(OSError):
                    rest.unlink()
            raise

    def _seal(self) -> None:
        """A finished run that cannot be sealed now is whole all the same, and can be sealed later."""
        try:
            complete(self.path)
        except Damage:
            raise
        except JournalError as error:
            self._on.warn(str(error))

    def _write_anyway(self, entries: Sequence[Entry], error: sqlite3.Error) -> None:
        if primary(error) in _BUSY:
            raise Busy(str(error)) from error
        if primary(error) == sqlite3.SQLITE_FULL and self._release_reserve():
            try:
                return self._writing().write(entries)
            except sqlite3.Error as again:
                error = again
        return self._move_on(entries, error)

    def _move_on(self, entries: Sequence[Entry], error: sqlite3.Error) -> None:
        """This file is done; go on in the fallback. JournalError without one."""
        self._writing().abandon()
        failure = f"{self.path}: writing failed, this file takes nothing more: {error}"
        if self._on.fallback is None:
            raise JournalError(failure) from error
        try:
            self._go_on(entries, self._on.fallback)
        except JournalError as worse:
            raise JournalError(f"{failure}; nor does the fallback: {worse}") from worse
        self._on.warn(f"{failure}; the run goes on in {self.path}")

    def _go_on(self, entries: Sequence[Entry], folder: Path) -> None:
        was = self._writing().progress
        path = segment_path(folder, self.run, self._number + 1)
        _prepare(folder)
        self._lock(path)
        _create(path)
        file = RunFile.create(path, proof.Segment(self.run, self._number + 1, was.rows, was.events, was.head))
        with speaking(path, "writing"):
            file.write(entries)
        self._file, self.path, self._number = file, path, self._number + 1

    def _lock(self, path: Path) -> None:
        lock = disk.Lock(lock_path(path))
        lock.take()
        self._locks.append(lock)

    def _give_up(self) -> None:
        if self._file is not None:
            self._file.abandon()
        self._file = None
        while self._locks:
            self._locks.pop().release()

    def _keep_aside(self) -> None:
        if self._on.reserve:
            try:
                disk.reserve(reserve_path(self.path), self._on.reserve)
            except OSError as error:
                raise JournalError(f"{self.path}: no room for a run: {error}") from error

    def _see_room(self) -> None:
        try:
            free = disk.free(self.path)
        except OSError:  # whatever is the matter with the disk, the next write will say it
            return
        if free < self._on.low and not self._low:
            self._on.warn(f"{self.path}: only {free / 1e6:.0f} MB left on this disk")
        self._low = free < self._on.low

    def _release_reserve(self) -> bool:
        if self.full:
            return False
        self.full = True
        self._on.warn(f"{self.path}: the disk is full; the reserve is released, the run must end")
        with suppress(OSError):
            reserve_path(self.path).unlink(missing_ok=True)
        return True


def _prepare(folder: Path) -> None:
    with speaking(folder, "creating the folder"):
        folder.mkdir(parents=True, exist_ok=True)


def _create(path: Path) -> None:
    """An empty new file. JournalError."""
    with speaking(path, "creating"):
        disk.create(path)
