"""The journal of one run: the sink that the engine writes to, and its promise.

A sample is on disk at most about a second after it was put; whatever changes the state of the run,
and the first sample of a step, at once. What is on disk is always a beginning of what was put.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hilcycler import disk
from hilcycler.clock import process_time
from hilcycler.errors import JournalError
from hilcycler.journal import blocks
from hilcycler.journal.file import Entry, RunFile, Text
from hilcycler.journal.recovery import take_up
from hilcycler.journal.runs import lock_path, run_path
from hilcycler.journal.schema import ordinary, speaking
from hilcycler.journal.sealing import seal
from hilcycler.journal.writers import AT_ONCE, SHARED
from hilcycler.quantities import Second
from hilcycler.records import Event, ImpedancePoint, Record, SampleBlock, to_json

_log = logging.getLogger(__name__)

INLINE_AT_ONCE: Final = frozenset({"run-started", "tripped", "failed", "operator-action", "run-ended"})
"""Even in virtual time these are on disk when `put` returns."""

FOLD_EVERY = 256
"""Transactions after which the log is folded into the file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a journal keeps its promise.

    `period`: seconds from the first unwritten sample to the commit. `ring`: samples and events held
    in memory while the disk does not take them; beyond that the run is told to stop. `patience`:
    how long `commit` waits. `inline`: write in `put` itself, by rows, with no threads: for virtual
    time, where nothing must run beside the loop and a crash costs only a repetition.
    """

    period: Second = 0.9
    ring: int = 262_144
    patience: Second = 120.0
    inline: bool = False
    inline_rows: int = 4096


class Journal:
    """The sink of one run: `async with Journal.create(folder, run) as journal`.

    Leaving the block writes what is left and, when the run has ended, seals the file.
    """

    def __init__(self, path: Path, run: str, *, new: bool, settings: Settings) -> None:
        self.path = path
        self._run, self._new, self._settings = run, new, settings
        self._lock = disk.Lock(lock_path(path))
        self._file: RunFile | None = None
        self._failure: JournalError | None = None
        self._pending: deque[Entry] = deque()
        self._pending_rows = 0
        self._rows = self._events = 0  # put so far
        self._put = self._durable = 0  # entries since opened
        self._step_count: int | None = None
        self._ended = False
        self._commits = 0
        self._guard = threading.Lock()
        self._waiting: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @classmethod
    def create(cls, folder: Path, run: str, settings: Settings | None = None) -> Journal:
        """The journal of a new run in `folder`; `run` comes from `runs.new_run_id`."""
        return cls(run_path(folder, run), run, new=True, settings=settings or Settings())

    @classmethod
    def reopen(cls, path: Path, settings: Settings | None = None) -> Journal:
        """The journal of a run that was interrupted; it goes on where the file ends."""
        ordinary(path)
        return cls(path, "", new=False, settings=settings or Settings())

    async def __aenter__(self) -> Self:
        self._lock.take()
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._settings.inline:
                self._flush()
                self._raise()
            else:
                await self.commit()
        finally:
            self._close()

    # --- the sink ---------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Samples put so far, those of earlier processes included."""
        return self._rows

    def put(self, record: Record) -> None:
        """See Sink."""
        self._check_order(record)
        match record:
            case SampleBlock():
                if not len(record):
                    return
                entry: Entry = blocks.checked(record)
                self._rows += len(record)
                self._pending_rows += len(record)
                urgent = record.step_count != self._step_count
                self._step_count = record.step_count
            case _:
                entry = Text(record.kind, to_json(record))
                self._events += 1
                self._ended = record.kind == "run-ended"
                urgent = not isinstance(record, ImpedancePoint)
        self._pending.append(entry)
        self._put += 1
        self._raise()
        if self._settings.inline:
            if self._pending_rows >= self._settings.inline_rows or entry[0] in INLINE_AT_ONCE:
                self._flush()
                self._raise()
        elif self._pending_rows + len(self._pending) > self._settings.ring:
            self._fail(JournalError(f"{self.path}: the disk does not keep up; memory for samples is full"))
            self._raise()
        else:
            SHARED.call(self._flush, AT_ONCE if urgent else process_time() + self._settings.period)

    async def commit(self) -> None:
        """See Sink. JournalError after `patience`."""
        if self._settings.inline:
            return self._raise()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self._guard:
            self._raise()
            if self._durable >= self._put:
                return None
            self._waiting.append((self._put, loop, done))
        SHARED.call(self._flush, AT_ONCE)
        try:
            async with asyncio.timeout(self._settings.patience):
                await done
        except TimeoutError:
            raise JournalError(
                f"{self.path}: not on disk after {self._settings.patience:g} s; the disk hangs"
            ) from None

    # --- writing ----------------------------------------------------------------------------

    def _open(self) -> None:
        with speaking(self.path, "opening for writing"):
            if self._new:
                try:
                    disk.create(self.path)
                except FileExistsError:
                    raise JournalError(f"{self.path}: exists already") from None
                self._file = RunFile.create(self.path, self._run)
            else:
                self._file, self._run = take_up(self.path)
        self._rows, self._events = self._file.progress.rows, self._file.progress.events

    def _flush(self) -> None:
        """Write what is pending. Runs in a writer thread, or inline."""
        batch: list[Entry] = []
        while self._pending:
            batch.append(self._pending.popleft())
        if self._file is None or self._failure is not None:
            return
        try:
            with speaking(self.path, "writing"):
                if batch:
                    self._file.write(batch)
                    self._commits += 1
            self._keep(len(batch), sum(entry.size for entry in batch if isinstance(entry, blocks.Rows)))
            if self._commits % FOLD_EVERY == 0:
                with speaking(self.path, "folding the log in"):
                    self._file.fold()
        except JournalError as failure:
            self._fail(failure)

    def _keep(self, entries: int, rows: int) -> None:
        with self._guard:
            self._durable += entries
            self._pending_rows -= rows
            ready = [each for each in self._waiting if each[0] <= self._durable]
            self._waiting = [each for each in self._waiting if each[0] > self._durable]
        for _, loop, done in ready:
            loop.call_soon_threadsafe(_resolve, done, None)

    def _fail(self, failure: JournalError) -> None:
        with self._guard:
            self._failure = self._failure or failure
            waiting, self._waiting = self._waiting, []
        for _, loop, done in waiting:
            loop.call_soon_threadsafe(_resolve, done, failure)

    def _raise(self) -> None:
        if self._failure is not None:
            raise JournalError(str(self._failure)) from self._failure

    def _close(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                with speaking(self.path, "closing"):
                    file.close()
            if self._ended and self._failure is None:
                seal(self.path)
        finally:
            self._lock.release()

    def _check_order(self, record: SampleBlock | Event) -> None:
        if isinstance(record, SampleBlock):
            if record.sequence != self._rows:
                raise JournalError(
                    f"{self.path}: samples from {record.sequence} where {self._rows} come next"
                )
        elif (record.kind == "run-started") != (self._events == 0):
            raise JournalError(f"{self.path}: RunStarted is the first event of a run, and only that")
        elif record.kind == "run-started" and record.run != self._run:
            raise JournalError(f"{self.path}: RunStarted names run {record.run!r}, not {self._run!r}")
        elif self._ended:
            raise JournalError(f"{self.path}: the run has ended")


def _resolve(done: asyncio.Future[None], failure: JournalError | None) -> None:
    if not done.done():
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
