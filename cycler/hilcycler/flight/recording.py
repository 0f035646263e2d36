"""Recording: a Link that notes what passes, and a writer that the link never waits for.

Noting is one append to a queue in memory. A thread of its own writes; a disk that is slow, full or
gone costs the recording, never the run and never a command to the instrument.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from hilcycler import disk
from hilcycler.clock import loop_time, wall_clock
from hilcycler.errors import LinkError, LinkTimeout
from hilcycler.flight.transcript import (
    About,
    Closed,
    Happening,
    Lost,
    Missing,
    Opened,
    Received,
    Refused,
    Sent,
    flight_path,
    header,
    line,
    transcript_files,
)
from hilcycler.links import Connect, Link
from hilcycler.quantities import Second

LIMIT: Final = 64_000_000
PARTS: Final = 8
"""A recording is written in so many files; when they are full the oldest but the first goes."""
WAITING: Final = 100_000
"""Happenings that wait for the disk; beyond it they are counted and lost."""
_FLUSH_EVERY: Final[Second] = 0.5
_CLOSE_WITHIN: Final[Second] = 2.0

_log = logging.getLogger(__name__)


class Flight:
    """The recorder of one run: `recorded` wraps what opens its links, `keep` says where it is written.

    What passes before `keep`, an instrument's introduction, waits in memory; without `keep` nothing
    is ever written. `limit`: bytes of all its files. `inline`: written at once and by whoever notes it,
    for virtual time, where no thread must run beside the loop.
    """

    def __init__(self, limit: int = LIMIT, *, inline: bool = False) -> None:
        self._limit, self._inline = limit, inline
        self._waiting: queue.SimpleQueue[Happening | None] = queue.SimpleQueue()
        self._writer: _Writer | None = None
        self._thread: threading.Thread | None = None
        self._written = asyncio.Event()
        self._missing = 0

    def recorded(self, connect: Connect) -> Connect:
        """`connect`, with everything noted that passes over the links that it opens."""
        if self._limit <= 0:
            return connect

        async def opened() -> Link:
            try:
                link = await connect()
            except LinkError as error:
                self._note(Refused(loop_time(), str(error)))
                raise
            self._note(Opened(loop_time(), link.name))
            return _Recorded(link, self)

        return opened

    def keep(self, folder: Path, run: str, driver: str) -> None:
        """Write from now on, beside the run file of `run` in `folder`. Never raises for the disk's sake."""
        if self._limit <= 0 or self._writer is not None:
            return
        about = About(run, driver, wall_clock(), loop_time())
        self._writer = _Writer(folder, about, max(self._limit // PARTS, 1))
        if self._inline:
            self._drain()
        else:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._write_all, args=(loop,), name=f"flight {run}", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Nothing more to come; what has come is written, unless the disk takes too long. Not for loops."""
        self._end()
        if self._thread is not None:
            self._thread.join(_CLOSE_WITHIN)

    async def aclose(self) -> None:
        """As `close`, while the loop goes on."""
        self._end()
        if self._thread is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await self._written.wait()

    def _end(self) -> None:
        if self._thread is not None:
            self._waiting.put(None)
        elif self._writer is not None:
            self._drain()
            self._writer.close()

    def _note(self, happening: Happening) -> None:
        if self._waiting.qsize() >= WAITING:
            self._missing += 1
            return
        if self._missing:
            self._waiting.put(Missing(happening.time, self._missing))
            self._missing = 0
        self._waiting.put(happening)
        if self._inline and self._writer is not None:
            self._drain()

    def _drain(self) -> None:
        with suppress(queue.Empty):
            while (happening := self._waiting.get_nowait()) is not None:
                if self._writer is not None:
                    self._writer.write(happening)

    def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: write what waits, and flush whenever nothing has come for a moment."""
        writer = self._writer
        assert writer is not None
        while True:
            try:
                happening = self._waiting.get(timeout=_FLUSH_EVERY)
            except queue.Empty:
                writer.flush()
                continue
            if happening is None:
                writer.close()
                with suppress(RuntimeError):  # the loop is closed: nobody waits
                    loop.call_soon_threadsafe(self._written.set)
                return
            writer.write(happening)


class _Recorded:
    """A link that notes what passes; see Link. Noted before it is sent, so that no answer comes earlier."""

    def __init__(self, link: Link, flight: Flight) -> None:
        self._link, self._note = link, flight._note  # noqa: SLF001  (two halves of one thing)
        self._closed = False

    @property
    def name(self) -> str:
        return self._link.name

    async def send(self, data: bytes) -> None:
        self._note(Sent(loop_time(), data))
        try:
            await self._link.send(data)
        except LinkError as error:
            self._note(Lost(loop_time(), str(error), sending=True))
            raise

    async def receive(self, deadline: Second) -> bytes:
        try:
            data = await self._link.receive(deadline)
        except LinkError as error:
            self._note(Lost(loop_time(), str(error), isinstance(error, LinkTimeout)))
            raise
        self._note(Received(loop_time(), data))
        return data

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._note(Closed(loop_time()))
        await self._link.aclose()


class _Writer:
    """Files in turn, each of about `size` bytes; the first and the last PARTS - 1 are kept."""

    def __init__(self, folder: Path, about: About, size: int) -> None:
        self._folder, self._about, self._size = folder, about, size
        self._numbers = self._numbers_from_here()
        self._own: list[Path] = []
        self._file: TextIO | None = None
        self._written = 0
        self._given_up = False

    def write(self, happening: Happening) -> None:
        if self._given_up:
            return
        try:
            if self._file is None or self._written >= self._size:
                self._next_file()
            assert self._file is not None
            self._written += self._file.write(line(happening))
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        if self._file is not None and not self._given_up:
            try:
                self._file.flush()
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _next_file(self) -> None:
        if self._file is not None:
            self._file.close()
        path = flight_path(self._folder, self._about.run, next(self._numbers))
        disk.create(path)
        self._own.append(path)
        self._file = path.open("w", encoding="ascii")
        about = self._about
        self._written = self._file.write(
            header(About(about.run, about.driver, about.utc, about.time, len(self._own)))
        )
        while len(self._own) > PARTS:
            self._own.pop(1).unlink(missing_ok=True)

    def _give_up(self, error: OSError) -> None:
        self._given_up = True
        _log.warning("flight recorder of run %s: given up: %s", self._about.run, error)
        with suppress(OSError):
            if self._file is not None:
                self._file.close()

    def _numbers_from_here(self) -> Iterator[int]:
        """Counting on from the files of processes that worked on the run before."""
        before = transcript_files(flight_path(self._folder, self._about.run))
        number = int(before[-1].name.rpartition("-")[2].partition(".")[0]) if before else 0
        while True:
            number += 1
            yield number
