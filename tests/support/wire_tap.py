"""A TCP proxy that keeps every byte of both directions, and just enough MQTT 5 to say what was asked for.

Packets by their fixed headers: MQTT Version 5.0 (OASIS), sections 2.1 and 3.8.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Final, Self

PUBLISH: Final = 3
SUBSCRIBE: Final = 8


class Tap:
    """`with Tap(port) as tap:` connect to `tap.port` instead; `sent` by whoever connects, `came` back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sent: list[bytearray] = []
        self._came: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5.0)

    @property
    def sent(self) -> list[bytes]:
        """One entry a connection."""
        return [bytes(each) for each in self._sent]

    @property
    def everything(self) -> bytes:
        return b"".join(map(bytes, (*self._sent, *self._came)))

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [here, there]
                self._sent.append(bytearray())
                self._came.append(bytearray())
                self._start(_carry, here, there, self._sent[-1])
                self._start(_carry, there, here, self._came[-1])


def _carry(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def packets(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each whole control packet of one direction."""
    at = 0
    while at + 1 < len(stream):
        kind, length, shift, cursor = stream[at] >> 4, 0, 0, at + 1
        while cursor < len(stream):
            byte = stream[cursor]
            length |= (byte & 0x7F) << shift
            shift, cursor = shift + 7, cursor + 1
            if byte < 0x80:
                break
        if cursor + length > len(stream):
            return
        yield kind, stream[cursor : cursor + length]
        at = cursor + length


def subscriptions(stream: bytes) -> list[str]:
    """Every topic filter that is asked for."""
    found = []
    for kind, body in packets(stream):
        if kind != SUBSCRIBE:
            continue
        at = 3 + body[2]  # packet identifier, then properties shorter than 128 bytes
        while at < len(body):
            length = int.from_bytes(body[at : at + 2], "big")
            found.append(body[at + 2 : at + 2 + length].decode())
            at += 3 + length
    return found
