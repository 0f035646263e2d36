"""The journal of one run: the sink that the engine writes to, and its promise.

A sample is on disk at most about a second after it was put; whatever changes the state of the run,
and the first sample of a step, at once. What is on disk is always a beginning of what was put.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hilcycler.clock import process_time
from hilcycler.errors import JournalError
from hilcycler.journal import blocks
from hilcycler.journal.file import Entry, Text
from hilcycler.journal.names import last_segment, run_path
from hilcycler.journal.store import Busy, DiskPolicy, Store
from hilcycler.journal.writers import AT_ONCE, SHARED
from hilcycler.quantities import Second
from hilcycler.records import Event, ImpedancePoint, Record, SampleBlock, to_json

INLINE_AT_ONCE: Final = frozenset({"run-started", "tripped", "failed", "operator-action", "run-ended"})
"""Even in virtual time these are on disk when `put` returns."""


@dataclass(frozen=True, slots=True)
class Written:
    """One commit: samples and events in it, how long it took, how long the oldest of them had waited."""

    entries: int
    took: Second
    waited: Second


@dataclass(frozen=True, slots=True)
class Settings:
    """How a journal keeps its promise.

    `period`: seconds from the first unwritten sample to the commit. `ring`: samples and events held
    in memory while the disk does not take them; beyond that the run is told to stop. `patience`:
    how long `commit` and closing wait. `inline`: write in `put` itself, with no threads, whenever
    `inline_rows` samples or events have gathered: for virtual time, where nothing must run beside the
    loop and a crash costs no more than a repetition; `commit` then promises order, not the disk.
    `observe` is told of every commit, in the thread that made it.
    """

    period: Second = 0.9
    ring: int = 262_144
    patience: Second = 120.0
    inline: bool = False
    inline_rows: int = 4096
    disk: DiskPolicy = field(default_factory=DiskPolicy)
    observe: Callable[[Written], None] | None = None


class Journal:
    """The sink of one run: `async with Journal.create(folder, run) as journal`.

    Leaving the block writes what is left and, when the run has ended, seals the file.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._failure: JournalError | None = None
        self._stop = ""  # why no more samples are taken, though events are
        self._pending: deque[Entry] = deque()
        self._unwritten: list[Entry] = []  # taken from there by whoever writes
        self._oldest: Second | None = None  # when the first of the pending ones was put
        self._since: Second = 0.0  # the same of the unwritten ones
        self._rows = self._events = 0  # of the run, put
        self._put = self._written = 0  # samples and events since opened, put and on disk
        self._step_count: int | None = None
        self._ended = False
        self._guard = threading.Lock()
        self._waiting: list[tuple[int, Callable[[], None]]] = []

    @classmethod
    def create(cls, folder: Path, run: str, settings: Settings | None = None) -> Journal:
        """The journal of a new run in `folder`; `run` comes from `new_run_id`."""
        settings = settings or Settings()
        return cls(Store(run_path(folder, run), run, new=True, on=settings.disk), settings)

    @classmethod
    def reopen(cls, path: Path, settings: Settings | None = None) -> Journal:
        """The journal of a run that was interrupted; it goes on where the file ends."""
        settings = settings or Settings()
        where = last_segment(path, settings.disk.fallback)
        return cls(Store(where, "", new=False, on=settings.disk), settings)

    async def __aenter__(self) -> Self:
        try:
            await self._elsewhere(self._store.open)
        except BaseException:
            if not self._settings.inline:
                SHARED.call(self._store.abandon, AT_ONCE)  # it may still be opening when we are cancelled
            raise
        self._rows, self._events = self._store.progress
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
            await self._elsewhere(self._close)

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return self._store.path

    @property
    def rows(self) -> int:
        """Samples of the run, put; the sequence number of the next one."""
        return self._rows

    # --- the sink ---------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """See Sink. Once the run is told to stop, what ends it is still taken: events, but no samples.

        After a failure of the disk the record is kept in memory, for `rescue`, and the error raised.
        """
        self._check_order(record)
        if isinstance(record, SampleBlock):
            self._check_room(len(record))
        entry, weight, urgent = self._entry(record)
        if self._oldest is None:
            self._oldest = process_time()
        self._pending.append(entry)
        self._put += weight
        self._raise()
        if not self._settings.inline:
            SHARED.call(self._flush, AT_ONCE if urgent else process_time() + self._settings.period)
        elif self._put - self._written >= self._settings.inline_rows or (
            isinstance(entry, Text) and entry.kind in INLINE_AT_ONCE
        ):
            self._flush()
            self._raise()

    async def commit(self) -> None:
        """See Sink. JournalError after `patience`."""
        self._raise()
        if self._settings.inline:
            return
        with self._guard:
            if self._written >= self._put:
                return
            done, resolve = _promise()
            self._waiting.append((self._put, resolve))
        SHARED.call(self._flush, AT_ONCE)
        self._raise()
        await self._patiently(done)
        self._raise()

    async def rescue(self, folder: Path) -> Path:
        """After a failure: put what is still in memory into a new file in `folder`; its path."""

        def move() -> None:
            self._write(lambda entries: self._store.rescue(entries, folder))
            self._failure = None

        await self._elsewhere(move)
        return self.path

    # --- what comes next --------------------------------------------------------------------

    def _entry(self, record: Record) -> tuple[Entry, int, bool]:
        """The entry of a record, its weight, and whether it is to be written at once."""
        if isinstance(record, SampleBlock):
            rows = blocks.checked(record)
            first_of_step = record.step_count != self._step_count
            self._rows, self._step_count = self._rows + rows.size, record.step_count
            return rows, rows.size, first_of_step
        try:
            text = Text(record.kind, to_json(record))
        except ValueError as error:
            raise JournalError(f"{self.path}: {record.kind} cannot be written as JSON: {error}") from error
        self._events += 1
        self._ended = record.kind == "run-ended"
        return text, 1, not isinstance(record, ImpedancePoint)

    def _check_order(self, record: SampleBlock | Event) -> None:
        if self._ended:
            raise JournalError(f"{self.path}: the run has ended")
        if isinstance(record, SampleBlock):
            if record.sequence != self._rows:
                raise JournalError(f"{self.path}: samples from {record.sequence}, {self._rows} come next")
        elif (record.kind == "run-started") != (self._events == 0):
            raise JournalError(f"{self.path}: RunStarted is the first event of a run, and only that")
        elif record.kind == "run-started" and record.run != self._store.run:
            raise JournalError(f"{self.path}: RunStarted names {record.run!r}, not {self._store.run!r}")

    def _check_room(self, rows: int) -> None:
        ring = self._settings.ring
        if self._store.full:
            self._stop = f"{self.path}: the disk is full; there is room to end the run, no more"
        elif self._put - self._written + rows > ring:
            self._stop = f"{self.path}: the disk does not keep up; memory holds no more than {ring} samples"
        if self._stop:
            raise JournalError(self._stop)

    # --- writing: in a writer thread, or inline ---------------------------------------------

    def _flush(self) -> None:
        """Write what is pending."""
        if self._failure is not None:
            return
        try:
            self._write(self._store.write)
            self._store.look_after()
        except Busy as busy:
            if self._settings.inline:
                self._fail(JournalError(f"{self.path}: another process holds the file: {busy}"))
            else:
                SHARED.call(self._flush, process_time() + self._settings.period)
        except JournalError as failure:
            self._fail(failure)
        except Exception as fault:
            self._fail(JournalError(f"{self.path}: a fault in the journal itself: {fault!r}"))
            raise

    def _write(self, write: Callable[[list[Entry]], None]) -> None:
        """Write what is pending, count it as on disk, and tell who waited for it."""
        oldest, self._oldest = self._oldest, None
        if not self._unwritten and oldest is not None:
            self._since = oldest
        while self._pending:
            self._unwritten.append(self._pending.popleft())
        if not self._unwritten:
            return
        began = process_time()
        write(self._unwritten)
        weight = sum(entry.size if isinstance(entry, blocks.Rows) else 1 for entry in self._unwritten)
        self._unwritten = []
        with self._guard:
            self._written += weight
            ready = [tell for ticket, tell in self._waiting if ticket <= self._written]
            self._waiting = [each for each in self._waiting if each[0] > self._written]
        for tell in ready:
            tell()
        if self._settings.observe is not None:
            now = process_time()
            self._settings.observe(Written(weight, now - began, now - self._since))

    def _fail(self, failure: JournalError) -> None:
        with self._guard:
            self._failure = self._failure or failure
            waiting, self._waiting = self._waiting, []
        for _, tell in waiting:
            tell()

    def _raise(self) -> None:
        if self._failure is not None:
            raise JournalError(str(self._failure)) from self._failure

    def _close(self) -> None:
        if self._failure is None:
            self._store.close(ended=self._ended)
        else:
            self._store.abandon()

    # --- waiting ----------------------------------------------------------------------------

    async def _elsewhere(self, work: Callable[[], None]) -> None:
        """Do blocking work in a writer thread, or here and now if inline."""
        if self._settings.inline:
            work()
            return
        done, resolve = _promise()
        outcome: list[BaseException] = []

        def job() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  (raised again below, in the caller's task)
                outcome.append(error)
            resolve()

        SHARED.call(job, AT_ONCE)
        await self._patiently(done)
        if outcome:
            raise outcome[0]

    async def _patiently(self, done: asyncio.Future[None]) -> None:
        patience = self._settings.patience
        try:
            async with asyncio.timeout(patience):
                await done
        except TimeoutError:
            raise JournalError(f"{self.path}: the disk has not answered for {patience:g} s") from None


def _promise() -> tuple[asyncio.Future[None], Callable[[], None]]:
    """A future of the running loop, and what resolves it from any thread."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def resolve() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    return done, resolve
