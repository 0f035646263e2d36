"""Bytes to and from the world: the only seam that touches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from hilcycler.quantities import Second


class Link(Protocol):
    """An ordered byte pipe to one instrument, open from birth."""

    @property
    def name(self) -> str:
        """Who is at the other end, for messages: `/dev/ttyACM0`, `tcp://10.0.0.5:49152`."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of `data`; LinkLost if the other end is gone."""
        ...

    async def receive(self, deadline: Second) -> bytes:
        """What has come, at least one byte; b"" is end of stream.

        `deadline` is in `clock.loop_time()`; LinkTimeout when it passes with nothing received,
        LinkLost when the link breaks.
        """
        ...

    async def aclose(self) -> None:
        """Close. Idempotent, never raises, does not wait for a hung library."""
        ...


Connect: TypeAlias = Callable[[], Awaitable[Link]]
"""Opens a fresh link to the same instrument: a driver reopens a link that it can no longer trust."""


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a serial line is set; USB CDC devices ignore the baud rate."""

    baud: int = 115200
    xonxoff: bool = False
    rtscts: bool = False
