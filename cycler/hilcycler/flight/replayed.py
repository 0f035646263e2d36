"""Recorded conversations as simulated instruments: the seam to whoever simulates (`hilcycler.replays`)."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from hilcycler.flight.transcript import Transcript
from hilcycler.links import Link

T = TypeVar("T")


class Replayed(Protocol):
    """A recorded conversation at its port: it answers what was answered, when it was."""

    @property
    def diverged(self) -> str:
        """What was asked otherwise than in the recording; empty if nothing was."""
        ...

    async def connect(self) -> Link:
        """A memory link to it."""
        ...

    def listen(self, where: str) -> AbstractAsyncContextManager[str]:
        """Serve on `pty` or `tcp://HOST:PORT` (port 0: any); yields the address to connect to."""
        ...


class Replays(Protocol):
    """What the entry point `recording` of `hilcycler.replays` names."""

    def make(self, transcript: Transcript) -> Replayed:
        """The conversation as an instrument; RequestError if it is not whole."""
        ...

    def in_virtual_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end on a loop in which waiting takes no time."""
        ...
