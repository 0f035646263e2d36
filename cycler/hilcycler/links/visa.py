"""Links over VISA, through pyvisa: sockets, serial lines, GPIB (also by Prologix adapters).

VISA speaks in whole messages and blocks, and a call into a vendor's library may hang for ever. So
each session has one daemon thread of its own, and everything is asked of that thread. `receive`
asks for one message; nothing is read unasked, because a read without a question is an error to a
GPIB instrument.

After a timeout the session is over: the late reply would answer the next question, and `clear`
does not help before it has come. Every later call says so, and the driver opens a fresh session.

The library's resource manager is one object for the whole process, and closing it closes every
session of everybody: so it is never closed, only what a session itself has opened.

Tried: TCPIP SOCKET, ASRL on a pty, GPIB through a Prologix emulation, all with pyvisa-py. VXI-11,
HiSLIP and USBTMC are reached by the same calls and were never tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

import pyvisa
from pyvisa.constants import ControlFlow, StatusCode
from pyvisa.resources import MessageBasedResource, Resource, SerialInstrument

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, LinkLost, LinkTimeout
from hilcycler.links import Connect, Link, SerialSettings
from hilcycler.quantities import Second

OPEN_WITHIN: Final[Second] = 10.0
_CLOSE_WITHIN: Final[Second] = 0.5
_GRACE: Final[Second] = 0.05
"""The library is given this much less than the deadline, so that its own timeout comes first."""

_T = TypeVar("_T")


_MANAGER = threading.Lock()
"""The first two sessions must not both make the one resource manager."""


def visa(
    resource: str,
    *,
    library: str = "",
    adapter: str = "",
    serial: SerialSettings | None = None,
    end: str = "\n",
) -> Connect:
    """What opens a session to the VISA resource `resource`, such as `TCPIP::10.0.0.7::5025::SOCKET`.

    `library`: "@py" is pyvisa-py; "" whatever VISA is installed, else pyvisa-py. `adapter` is a
    Prologix GPIB adapter (`PRLGX-TCPIP0::HOST::PORT::INTFC`, needs "@py") that is opened first and
    belongs to this session; its board number is that of the GPIB resource. `serial` sets the speed and
    the flow control of ASRL resources. `end` ends a message on resources that have no END indicator of
    their own; there both terminations are always set.
    """
    names = (adapter, resource) if adapter else (resource,)

    async def over_visa() -> Link:
        session = _Session(names, library, serial, end)
        try:
            async with asyncio.timeout(OPEN_WITHIN):
                await session.ask(session.open)
        except TimeoutError:
            session.abandon(LinkTimeout(f"{resource}: opening hangs"))
            raise LinkTimeout(f"{resource}: opening hangs") from None
        except BaseException:
            session.abandon(LinkLost(f"{resource}: not open"))
            raise
        return VisaLink(resource, session)

    return over_visa


class VisaLink:
    """An open session; see Link. One question at a time."""

    def __init__(self, name: str, session: _Session) -> None:
        self._name, self._session = name, session

    @property
    def name(self) -> str:
        return self._name

    async def send(self, data: bytes) -> None:
        await self._session.ask(lambda: self._session.write(data))

    async def receive(self, deadline: Second) -> bytes:
        """One message; see Link. After LinkTimeout every call raises: open a fresh session."""
        within = deadline - loop_time() - _GRACE
        late = LinkTimeout(f"{self._name}: no whole message in time; the session is given up")
        try:
            async with asyncio.timeout_at(deadline):
                return await self._session.ask(lambda: self._session.read(within))
        except (TimeoutError, LinkTimeout):
            self._session.abandon(late)
            raise late from None

    async def aclose(self) -> None:
        released = self._session.abandon(LinkLost(f"{self._name}: closed"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await released.wait()


class _Session:
    """One thread, one resource: jobs in, answers out."""

    def __init__(self, names: tuple[str, ...], library: str, serial: SerialSettings | None, end: str) -> None:
        self._names, self._library, self._serial, self._end = names, library, serial, end
        self._name = names[-1]
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._over: LinkError | None = None
        self._released = asyncio.Event()
        self._opened: list[Resource] = []  # the instrument last; a GPIB one lives by its adapter
        self._resource: MessageBasedResource | None = None
        threading.Thread(target=self._work, name=f"visa {self._name}", daemon=True).start()

    # --- in the loop

    async def ask(self, job: Callable[[], _T]) -> _T:
        """Have the thread do `job`."""
        if self._over is not None:
            raise self._over
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._jobs.put((job, answer))
        return await answer

    def abandon(self, why: LinkError) -> asyncio.Event:
        """No more questions; the thread closes the resource when it can, and nobody waits for it."""
        if self._over is None:
            self._over = why
            self._jobs.put(None)
        return self._released

    # --- in the thread

    def open(self) -> None:
        """Open the resource; says nothing of whether anybody is there: a closed socket opens too."""
        with _MANAGER:
            manager = pyvisa.ResourceManager(self._library)
        for name in self._names:
            self._opened.append(manager.open_resource(name))
        resource = self._opened[-1]
        if not isinstance(resource, MessageBasedResource):
            raise LinkLost(f"{self._name} is not an instrument that talks in messages")
        if len(self._names) == 1:  # an adapter knows the end of a message from the bus, and no other
            resource.read_termination = self._end
            resource.write_termination = self._end
        if isinstance(resource, SerialInstrument) and self._serial is not None:
            _set_line(resource, self._serial)
        self._resource = resource

    def write(self, data: bytes) -> None:
        assert self._resource is not None
        self._resource.write_raw(data)

    def read(self, within: Second) -> bytes:
        assert self._resource is not None
        self._resource.timeout = max(within, 0.001) * 1000.0
        return bytes(self._resource.read_raw())

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, answer = item
            try:
                result = job()
            except Exception as error:  # noqa: BLE001  (VisaIOError, OSError, and what vendors let out)
                self._tell(_fail, answer, _meaning(self._name, error))
            else:
                self._tell(_succeed, answer, result)
        for opened in reversed(self._opened):
            with contextlib.suppress(Exception):
                opened.close()
        self._tell(self._released.set)

    def _tell(self, function: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(function, *args)


def _set_line(resource: SerialInstrument, serial: SerialSettings) -> None:
    resource.baud_rate = serial.baud
    if serial.xonxoff:
        resource.flow_control = ControlFlow.xon_xoff
    elif serial.rtscts:
        resource.flow_control = ControlFlow.rts_cts
    else:
        resource.flow_control = ControlFlow.none


def _meaning(name: str, error: Exception) -> LinkError:
    """What a library's exception says of the link."""
    if isinstance(error, LinkError):
        return error
    if isinstance(error, pyvisa.VisaIOError) and error.error_code == StatusCode.error_timeout:
        return LinkTimeout(f"{name}: no whole message in time")
    return LinkLost(f"{name}: {error}")


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
