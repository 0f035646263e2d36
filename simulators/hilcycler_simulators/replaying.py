"""A recorded conversation as a simulated instrument: it answers what was answered, when it was.

Whoever asks what was asked hears what was heard, byte for byte; a link that broke breaks again, and one
that could not be opened cannot be. What comes later than it did shifts everything after it; what
comes sooner waits. Who asks something else is told so: the link breaks, and says what was expected.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from hilcycler.errors import LinkLost, RequestError
from hilcycler.flight import Happening, Lost, Opened, Received, Sent, Transcript
from hilcycler.links import Link
from hilcycler.quantities import Second
from hilcycler_simulators.serving import DirectLink, Port, listen
from hilcycler_simulators.virtual_time import run

T = TypeVar("T")

_TOLERANCE: Final[Second] = 1e-6
"""Loops fire timers this much early."""


@dataclass(frozen=True, slots=True)
class _Said:
    """Bytes from the instrument, or the break of the link: `after` so many bytes from the host."""

    time: Second
    after: int
    data: bytes = b""
    breaks: str = ""


@dataclass(frozen=True, slots=True)
class _Heard:
    """The host has sent so many bytes in all; `breaks`: the link broke while it sent the last of them."""

    time: Second
    until: int
    breaks: str = ""


@dataclass
class _Session:
    """One link from its opening to its end."""

    begin: Second
    name: str
    asked: bytearray = field(default_factory=bytearray)
    heard: deque[_Heard] = field(default_factory=deque)
    said: list[_Said] = field(default_factory=list)


class Recording:
    """See the module; see `hilcycler_simulators.serving.Device`."""

    def __init__(self, transcript: Transcript) -> None:
        if not transcript.whole:
            raise RequestError(
                f"the conversation of run {transcript.about.run} is not whole, so it cannot be replayed"
            )
        sessions = list(_sessions(transcript.happenings))
        if not sessions:
            raise RequestError(f"in the conversation of run {transcript.about.run} nobody was reached")
        self.name = sessions[0].name
        self._sessions = deque(sessions)
        self._session: _Session | None = None
        self._said: deque[_Said] = deque()
        self._asked = 0
        self._shift: Second | None = None
        self.diverged = ""

    def present(self, now: Second) -> bool:
        """As it was found: absent for as long as nobody could open it."""
        if self._shift is None:
            return True
        if not self._sessions:
            return False
        return now >= self._sessions[0].begin + self._shift - _TOLERANCE

    def connected(self, now: Second) -> None:
        session = self._sessions.popleft()
        if self._shift is None:
            self._shift = now - session.begin
        self._not_before(session.begin, now)
        self._session, self._said, self._asked = session, deque(session.said), 0

    def disconnected(self, now: Second) -> None:  # noqa: ARG002  (the next link begins when it is opened)
        self._session = None
        self._said.clear()

    def feed(self, data: bytes, now: Second) -> None:
        session = self._session
        assert session is not None
        assert self._shift is not None
        expected = bytes(session.asked[self._asked : self._asked + len(data)])
        if data != expected:
            self.diverged = f"the recording goes on with {expected[:80]!r}, not with {data[:80]!r}"
            raise LinkLost(self.diverged)
        self._asked += len(data)
        while session.heard and session.heard[0].until <= self._asked:
            heard = session.heard.popleft()
            self._not_before(heard.time, now)
            if heard.breaks:
                raise LinkLost(heard.breaks)

    def emit(self, now: Second) -> bytes:
        assert self._shift is not None
        if not self._said or self._said[0].after > self._asked or now < self._said[0].time + self._shift:
            return b""
        if breaks := self._said[0].breaks:
            raise LinkLost(breaks)
        return self._said.popleft().data

    def due(self) -> Second:
        if not self._said or self._said[0].after > self._asked:
            return math.inf
        assert self._shift is not None
        return self._said[0].time + self._shift

    def _not_before(self, recorded: Second, now: Second) -> None:
        """Who is later than recorded shifts what follows; who is as early as timers fire does not."""
        assert self._shift is not None
        if now - (recorded + self._shift) > _TOLERANCE:
            self._shift = now - recorded


def _sessions(happenings: Sequence[Happening]) -> Iterator[_Session]:
    session: _Session | None = None
    for happening in happenings:
        if isinstance(happening, Opened):
            if session is not None:
                yield session
            session = _Session(happening.time, happening.name)
        elif session is not None:
            _note(session, happening)
    if session is not None:
        yield session


def _note(session: _Session, happening: Happening) -> None:
    sent = len(session.asked)
    match happening:
        case Sent(time, data):
            session.asked += data
            session.heard.append(_Heard(time, len(session.asked)))
        case Received(time, data):
            session.said.append(_Said(time, sent, data, "" if data else "the instrument closed the link"))
        case Lost(_, why, _, True):
            session.heard[-1] = replace(session.heard[-1], breaks=why.removeprefix(f"{session.name}: "))
        case Lost(time, why, False):
            session.said.append(_Said(time, sent, breaks=why.removeprefix(f"{session.name}: ")))
        case _:
            pass  # a timeout comes by itself; where a link could not be opened, there is no port


class Replay:
    """A recording at its port: in memory, on a pty, on TCP."""

    def __init__(self, transcript: Transcript) -> None:
        self.recording = Recording(transcript)
        self.driver = transcript.about.driver
        self._port = Port(self.recording, self.recording.name)

    @property
    def diverged(self) -> str:
        """What was asked otherwise than in the recording; empty if nothing was."""
        return self.recording.diverged

    async def connect(self) -> Link:
        """A memory link to it."""
        return DirectLink(self._port)

    @asynccontextmanager
    async def listen(self, where: str) -> AsyncIterator[str]:
        """Serve on `pty` or `tcp://HOST:PORT` (port 0: any); yields the address to connect to."""
        async with listen(self._port, where) as address:
            yield address


class Replays:
    """What the entry point `recording` names; see `hilcycler.flight.replayed.Replays`."""

    def make(self, transcript: Transcript) -> Replay:
        """The conversation as an instrument; RequestError if it is not whole."""
        return Replay(transcript)

    def in_virtual_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end on a loop in which waiting takes no time."""
        return run(work)


replays = Replays()
