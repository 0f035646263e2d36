"""Links within one process: the two ends of a pipe, bounded, for virtual time and for tests."""

from __future__ import annotations

import asyncio

from hilcycler.errors import LinkLost, LinkTimeout
from hilcycler.quantities import Second

CAPACITY = 1 << 18
"""Bytes that may wait in one direction before `send` waits too."""


def memory_pair(name: str = "memory", capacity: int = CAPACITY) -> tuple[MemoryLink, MemoryLink]:
    """The two ends of one pipe; what one sends the other receives."""
    there, back = _Pipe(capacity), _Pipe(capacity)
    return MemoryLink(name, back, there), MemoryLink(name, there, back)


class MemoryLink:
    """One end of an in-process pipe; see Link."""

    def __init__(self, name: str, inbound: _Pipe, outbound: _Pipe) -> None:
        self._name = name
        self._inbound = inbound
        self._outbound = outbound
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    async def send(self, data: bytes) -> None:
        self._check_open()
        if not await self._outbound.put(data):
            raise LinkLost(f"{self._name}: the other end is closed")

    async def receive(self, deadline: Second) -> bytes:
        self._check_open()
        if not (data := self._inbound.take()) and not self._inbound.ended:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._inbound.wait()
            except TimeoutError:
                raise LinkTimeout(f"{self._name}: nothing received in time") from None
            self._check_open()
            data = self._inbound.take()
        if not data and self._inbound.broken:
            raise LinkLost(f"{self._name}: the link broke")
        return data

    async def aclose(self) -> None:
        self._closed = True
        self._inbound.end()
        self._outbound.end()

    def sever(self) -> None:
        """Break the pipe in the middle, as pulling a cable does: bytes under way are lost."""
        for pipe in (self._inbound, self._outbound):
            pipe.take()
            pipe.broken = True
            pipe.end()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkLost(f"{self._name}: closed at this end")


class _Pipe:
    """One direction: a bounded buffer with an end."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._buffer = bytearray()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self.ended = False
        self.broken = False

    async def put(self, data: bytes) -> bool:
        """Append all of `data`, waiting for room; False if the pipe has ended."""
        at = 0
        while not self.ended:
            room = self._capacity - len(self._buffer)
            self._buffer += data[at : at + room]
            self._filled.set()
            at += room
            if at >= len(data):
                return True
            self._drained.clear()
            await self._drained.wait()
        return False

    def take(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._drained.set()
        if not self.ended:
            self._filled.clear()
        return data

    async def wait(self) -> None:
        """Until there is something to take, or the end."""
        await self._filled.wait()

    def end(self) -> None:
        self.ended = True
        self._filled.set()
        self._drained.set()
