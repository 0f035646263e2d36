"""Links over serial ports, real ones and ptys, through pyserial.

pyserial blocks, and a call into a driver of the operating system may hang for ever (a USB hub that
lost its power). So each session has two daemon threads of its own, a reader and a writer: nothing
else waits for them, neither the event loop nor the end of the process.

Reading takes whatever has come; pyserial's `readline` reads byte by byte and stops at some
4000 lines a second. DTR and RTS are left as the port opens with: ptys have none, and some boards
reset on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import queue
import threading
from collections.abc import Callable

import serial

from hilcycler.errors import LinkError, LinkLost, LinkTimeout
from hilcycler.links import SerialSettings
from hilcycler.quantities import Second

OPEN_WITHIN: Second = 5.0
_CLOSE_WITHIN: Second = 0.5
_WAITING_LIMIT = 1 << 20
"""Bytes kept for a receiver that does not come; beyond it, the port itself has to hold back."""

# What pyserial lets out when a port goes away: its own SerialException (an OSError), plain OSError
# from ioctl, termios.error, TypeError from a file number that has become None, and on Windows
# AttributeError from a handle that has. Hence `except Exception` around its calls in this file.


async def open_serial(path: str, settings: SerialSettings) -> SerialLink:
    """Open the port for ourselves alone; LinkLost with the reason, LinkTimeout if opening hangs."""
    session = _Session(path, settings, asyncio.get_running_loop())
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            await session.opened
    except TimeoutError:
        raise LinkTimeout(f"{path}: opening the port hangs") from None
    finally:
        if session.opened.cancelled() or session.opened.exception() is not None:
            session.close()
    return SerialLink(path, session)


class SerialLink:
    """An open port; see Link."""

    def __init__(self, name: str, session: _Session) -> None:
        self._name = name
        self._session = session

    @property
    def name(self) -> str:
        return self._name

    async def send(self, data: bytes) -> None:
        await self._session.write(data)

    async def receive(self, deadline: Second) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._session.read()
        except TimeoutError:
            raise LinkTimeout(f"{self._name}: nothing received in time") from None

    async def aclose(self) -> None:
        self._session.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._session.released.wait()


class _Session:
    """The two threads around one open port, and what they share with the loop.

    The reader opens the port and, when the writer has left, closes it: a file number closed under
    a thread that still uses it may by then belong to another file.
    """

    def __init__(self, path: str, settings: SerialSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._settings = settings
        self._loop = loop
        self.opened: asyncio.Future[None] = loop.create_future()
        self._arrived = asyncio.Event()
        self.released = asyncio.Event()
        self.lost: LinkError | None = None
        self._port: serial.Serial | None = None
        self._closing = False
        self._buffer = bytearray()
        self._shared = threading.Condition()
        self._to_write: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name=f"write {path}", daemon=True)
        threading.Thread(target=self._live, name=f"read {path}", daemon=True).start()

    # --- in the loop

    async def read(self) -> bytes:
        """What has come, at least one byte; what came before a loss is still given out."""
        while not (data := self._take()):
            if self.lost or self._closing:
                raise self.lost or LinkLost(f"{self._path}: closed")
            await self._arrived.wait()
        return data

    def _take(self) -> bytes:
        with self._shared:
            data = bytes(self._buffer)
            self._buffer.clear()
            self._arrived.clear()
            self._shared.notify_all()
        return data

    async def write(self, data: bytes) -> None:
        """Until the port has taken all of it."""
        if self._closing or self.lost:
            raise self.lost or LinkLost(f"{self._path}: closed")
        written: asyncio.Future[None] = self._loop.create_future()
        self._to_write.put((data, written))
        await written

    def close(self) -> None:
        """Tell both threads to leave, without waiting for them."""
        with self._shared:
            if self._closing:
                return
            self._closing = True
            self._shared.notify_all()
        self._arrived.set()
        self._to_write.put(None)
        port = self._port
        if port is not None:
            with contextlib.suppress(Exception):
                port.cancel_read()
                port.cancel_write()

    # --- in the reader's thread

    def _live(self) -> None:
        try:
            port = serial.Serial(
                self._path,
                self._settings.baud,
                timeout=1.0,  # a look at `_closing`, should cancel_read come between two reads
                xonxoff=self._settings.xonxoff,
                rtscts=self._settings.rtscts,
                exclusive=True,
            )
        except Exception as error:  # noqa: BLE001
            self._tell(_fail, self.opened, LinkLost(f"{self._path}: {_why(error)}"))
            return
        self._port = port
        self._writer.start()
        self._tell(_succeed, self.opened)
        try:
            while not self._closing:
                self._read_some(port)
        except Exception as error:  # noqa: BLE001
            self._lose(error)
        self._to_write.put(None)
        self._writer.join()
        with contextlib.suppress(Exception):
            port.close()
        self._tell(self.released.set)

    def _read_some(self, port: serial.Serial) -> None:
        data = port.read(1)
        if not data:
            return
        with contextlib.suppress(Exception):  # the byte in hand counts; the next read meets the loss
            if more := port.in_waiting:
                data += port.read(more)
        with self._shared:
            while len(self._buffer) >= _WAITING_LIMIT and not self._closing:
                self._shared.wait()
            silent = not self._buffer
            self._buffer += data
        if silent:
            self._tell(self._arrived.set)

    def _lose(self, error: Exception) -> None:
        if self.lost is None and not self._closing:
            self.lost = LinkLost(f"{self._path}: the port is gone: {error}")
        self._tell(self._arrived.set)

    # --- in the writer's thread

    def _write_all(self) -> None:
        port = self._port
        assert port is not None
        while (item := self._to_write.get()) is not None:
            data, written = item
            try:
                taken = port.write(data)
            except Exception as error:  # noqa: BLE001
                self._lose(error)
                self._tell(_fail, written, LinkLost(f"{self._path}: the port is gone: {error}"))
                continue
            if taken == len(data):
                self._tell(_succeed, written)
            else:  # close() cut it short
                self._tell(_fail, written, LinkLost(f"{self._path}: closed"))
        self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        """What was asked for between the end of the session and the notice of it."""
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._to_write.get_nowait()
                if item is not None:
                    self._tell(_fail, item[1], LinkLost(f"{self._path}: closed"))

    def _tell(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` in the loop, if there still is one."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _why(error: Exception) -> str:
    """The reason in words; pyserial's own repeats the path and hides the cause."""
    match getattr(error, "errno", None):
        case errno.ENOENT:
            return "no such port"
        case errno.EACCES | errno.EPERM:
            return "no permission (on Debian, members of group dialout have it)"
        case errno.EAGAIN | errno.EBUSY:
            return "in use by another program"
        case _:
            return str(error)
