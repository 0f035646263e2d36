"""Links over TCP: instruments on the network, and simulators."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from hilcycler.errors import LinkLost, LinkTimeout
from hilcycler.quantities import Second

CONNECT_WITHIN: Second = 5.0
_CLOSE_WITHIN: Second = 0.5
_CHUNK = 1 << 16


async def open_tcp(host: str, port: int) -> TcpLink:
    """Connect; LinkTimeout or LinkLost if nobody answers within CONNECT_WITHIN."""
    name = f"tcp://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        raise LinkTimeout(f"{name}: no answer within {CONNECT_WITHIN:g} s") from None
    except OSError as error:
        raise LinkLost(f"{name}: cannot connect: {error.strerror or error}") from error
    return TcpLink(name, reader, writer)


class TcpLink:
    """An open connection; see Link."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._name = name
        self._reader = reader
        self._writer = writer
        connection: socket.socket = writer.get_extra_info("socket")
        # Requests are a few bytes and wait for their answer: batching would only delay them.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # An instrument that loses its power sends no farewell.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def name(self) -> str:
        return self._name

    async def send(self, data: bytes) -> None:
        try:
            if self._writer.is_closing():
                raise LinkLost(f"{self._name}: closed")
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise LinkLost(f"{self._name}: {error}") from error

    async def receive(self, deadline: Second) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._reader.read(_CHUNK)
        except TimeoutError:
            raise LinkTimeout(f"{self._name}: nothing received in time") from None
        except OSError as error:
            raise LinkLost(f"{self._name}: {error}") from error
        if not data and self._writer.is_closing():
            raise LinkLost(f"{self._name}: closed")
        return data

    async def aclose(self) -> None:
        self._writer.close()
        try:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await self._writer.wait_closed()
        finally:
            self._writer.transport.abort()
