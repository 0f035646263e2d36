"""Simulated instruments at their port: in memory, on a pty, on TCP.

A simulated instrument is a `Device`: bytes in, bytes out, asked on the caller's clock. It has no
task and no thread of its own, so it lives on when its clients go, and the same bytes come out
whoever carries them. A `Port` is its one socket: whoever plugs in last holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import select
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, LinkLost, LinkTimeout, RequestError
from hilcycler.links import Link
from hilcycler.links.tcp import TcpLink
from hilcycler.quantities import Second

if sys.platform != "win32":
    import pty
    import tty

CHUNK = 1 << 16
"""The most that a device says at once."""

_GLANCE: Second = 0.02
"""How often a pty is looked at while nobody has it open: the kernel tells us nothing then."""

_A_DAY: Second = 86400.0


class Device(Protocol):
    """A simulated instrument, seen from its port. `now` is the caller's clock and never goes back.

    `feed` and `emit` raise LinkLost when the port vanishes: the cable is pulled, the power cut.
    """

    def present(self, now: Second) -> bool:
        """Whether there is a port to plug into."""
        ...

    def connected(self, now: Second) -> None:
        """A client has opened the port."""
        ...

    def disconnected(self, now: Second) -> None:
        """The client has gone. What is said from now on is lost."""
        ...

    def feed(self, data: bytes, now: Second) -> None:
        """Bytes from the client."""
        ...

    def emit(self, now: Second) -> bytes:
        """What it says now, at most CHUNK bytes; b"" for nothing yet."""
        ...

    def due(self) -> Second:
        """When, on the caller's clock, `emit` may say more; infinity: not before it is fed."""
        ...


class Port:
    """The one socket of a device, and who is plugged into it. `name` is where it is now."""

    def __init__(self, device: Device, name: str) -> None:
        self.device = device
        self.name = name
        self._evict: Callable[[], None] | None = None

    def take(self, evict: Callable[[], None]) -> None:
        """Plug in; whoever holds the port is told by its `evict`. LinkLost if there is no port."""
        now = loop_time()
        if not self.device.present(now):
            raise LinkLost(f"{self.name}: no such port")
        if self._evict is not None:
            former, self._evict = self._evict, None
            self.device.disconnected(now)
            former()
        self._evict = evict
        self.device.connected(now)

    def leave(self, evict: Callable[[], None]) -> None:
        """Unplug, if still plugged in."""
        if self._evict == evict:
            self._evict = None
            self.device.disconnected(loop_time())


class DirectLink:
    """A link straight into a device within this process; see Link."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._name = port.name
        self._stirred = asyncio.Event()
        self._over = ""
        port.take(self._evicted)

    @property
    def name(self) -> str:
        return self._name

    async def send(self, data: bytes) -> None:
        self._check()
        with self._losing():
            self._port.device.feed(data, loop_time())
        self._stirred.set()

    async def receive(self, deadline: Second) -> bytes:
        await asyncio.sleep(0)  # a device that always has more to say must not starve the others
        while True:
            self._check()
            now = loop_time()
            with self._losing():
                data = self._port.device.emit(now)
            if data:
                return data
            if now >= deadline:
                raise LinkTimeout(f"{self._name}: nothing received in time")
            await _event_until(self._stirred, min(self._port.device.due(), deadline))

    async def aclose(self) -> None:
        self._end("closed at this end")

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except LinkLost as error:
            self._end(str(error))
            raise LinkLost(f"{self._name}: {error}") from None

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = reason
            self._port.leave(self._evicted)
            self._stirred.set()

    def _evicted(self) -> None:
        self._over = "another connection has taken the port"
        self._stirred.set()

    def _check(self) -> None:
        if self._over:
            raise LinkLost(f"{self._name}: {self._over}")


async def serve(port: Port, link: Link) -> bool:
    """Be the device at the far end of `link`, until either end goes; True if another took the port."""
    over, fed, evicted = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def evict() -> None:
        evicted.set()
        over.set()

    async def hear() -> None:
        while data := await link.receive(math.inf):
            port.device.feed(data, loop_time())
            fed.set()

    async def speak() -> None:
        while True:
            if data := port.device.emit(loop_time()):
                await link.send(data)
                await asyncio.sleep(0)  # commands must get through while a script pours out
            else:
                await _event_until(fed, port.device.due())

    async def until_over(work: Coroutine[Any, Any, None]) -> None:
        with contextlib.suppress(LinkError):
            await work
        over.set()

    try:
        port.take(evict)
        async with asyncio.TaskGroup() as tasks:
            both = [tasks.create_task(until_over(work)) for work in (hear(), speak())]
            await over.wait()
            for task in both:
                task.cancel()
    except LinkLost:
        pass  # no port to plug into: hang up
    finally:
        port.leave(evict)
        await link.aclose()
    return evicted.is_set()


def listen(port: Port, where: str) -> AbstractAsyncContextManager[str]:
    """Serve on `pty` or `tcp://HOST:PORT` (port 0: any); yields the address to connect to."""
    if where == "pty":
        return _on_pty(port)
    try:
        parts = urlsplit(where)
        host, number = parts.hostname, parts.port
    except ValueError:
        host = number = None
    if not where.startswith("tcp://") or not host or number is None or parts.path:
        raise RequestError(f"cannot listen on {where!r}; expected pty or tcp://HOST:PORT")
    return _on_tcp(port, host, number)


@asynccontextmanager
async def _on_tcp(port: Port, host: str, number: int) -> AsyncIterator[str]:
    writers: list[asyncio.StreamWriter] = []
    async with _beside() as start:

        def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers[:] = [each for each in writers if not each.is_closing()] + [writer]
            start(_serve_once(port, TcpLink(port.name, reader, writer)))

        try:
            server = await asyncio.start_server(client, host, number)
        except OSError as error:
            raise RequestError(f"cannot listen on tcp://{host}:{number}: {error.strerror}") from error
        bound = server.sockets[0].getsockname()[1]
        port.name = f"tcp://{f'[{host}]' if ':' in host else host}:{bound}"
        try:
            yield port.name
        finally:
            server.close()
            for writer in writers:  # also one whose serving never came to begin
                writer.transport.abort()


async def _serve_once(port: Port, link: Link) -> None:
    await serve(port, link)


@asynccontextmanager
async def _on_pty(port: Port) -> AsyncIterator[str]:
    if sys.platform == "win32":
        raise RequestError("there are no ptys on Windows; listen on tcp://HOST:PORT")
    master = _open_pty(port)
    async with _beside() as start:
        start(_serve_pty(port, master))
        await asyncio.sleep(0)  # begun, it closes what it was given
        yield port.name


async def _serve_pty(port: Port, master: int) -> None:
    """Serve on one pty after the other: the device's port may vanish and come back."""
    while True:
        await _serve_master(port, master)
        await _glance_until(lambda: port.device.present(loop_time()))
        master = _open_pty(port)


async def _serve_master(port: Port, master: int) -> None:
    """Serve client after client until the device's port vanishes, which hangs up on them."""

    def gone() -> bool:
        return not port.device.present(loop_time())

    try:
        while not gone():
            await _glance_until(lambda: gone() or _client_on(master))
            if await serve(port, _MasterEnd(master, port.name)):
                await _glance_until(lambda: gone() or not _client_on(master))
    finally:
        os.close(master)


async def _glance_until(condition: Callable[[], bool]) -> None:
    """Until `condition` holds, which nothing will announce."""
    while True:
        if condition():
            return
        await asyncio.sleep(_GLANCE)


def _open_pty(port: Port) -> int:
    """A fresh pty, whose name goes to `port` and is another than before; returns its master side."""
    master, slave = pty.openpty()
    if os.ttyname(slave) == port.name:  # the system gives a name again as soon as it is free
        taken = master, slave
        master, slave = pty.openpty()
        for each in taken:
            os.close(each)
    # Raw before anything else: a cooked tty would echo our own output back to us as commands.
    tty.setraw(slave)
    os.set_blocking(master, False)
    port.name = os.ttyname(slave)
    os.close(slave)  # while it is closed everywhere, the master hangs up: that is how we see clients go
    return master


def _client_on(master: int) -> bool:
    poll = select.poll()
    poll.register(master, select.POLLIN)
    return not any(events & select.POLLHUP for _, events in poll.poll(0))


class _MasterEnd:
    """The instrument's side of a pty that a client has open; see Link."""

    def __init__(self, master: int, name: str) -> None:
        self._master = master
        self._name = name
        self._loop = asyncio.get_running_loop()

    @property
    def name(self) -> str:
        return self._name

    async def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._master, rest) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError as error:
                raise LinkLost(f"{self._name}: {error}") from error

    async def receive(self, deadline: Second) -> bytes:
        while True:
            try:
                return os.read(self._master, CHUNK)
            except BlockingIOError:
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._ready(self._loop.add_reader, self._loop.remove_reader)
                except TimeoutError:
                    raise LinkTimeout(f"{self._name}: nothing received in time") from None
            except OSError as error:  # EIO: nobody has the other side open
                raise LinkLost(f"{self._name}: {error}") from error

    async def aclose(self) -> None:
        """The master stays open for the next client."""

    async def _ready(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        ready = asyncio.Event()
        add(self._master, ready.set)
        try:
            await ready.wait()
        finally:
            remove(self._master)


async def _event_until(event: asyncio.Event, when: Second) -> None:
    """Until `event` is set (it is cleared first) or the clock shows `when`."""
    event.clear()
    if when <= loop_time():
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(None if math.isinf(when) else min(when, loop_time() + _A_DAY)):
            await event.wait()


_Start: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@asynccontextmanager
async def _beside() -> AsyncIterator[_Start]:
    """Start tasks beside the body; they end with it, and its own error comes out bare."""
    own: Exception | None = None
    started: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as tasks:

        def start(work: Coroutine[Any, Any, None]) -> None:
            task = tasks.create_task(work)
            started.add(task)
            task.add_done_callback(started.discard)

        try:
            yield start
        except Exception as error:  # noqa: BLE001  (raised again, outside the group)
            own = error
        finally:
            for task in started:
                task.cancel()
    if own is not None:
        raise own
