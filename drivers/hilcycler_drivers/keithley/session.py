"""A conversation with an SMU: one question, one answer, each with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from hilcycler.clock import loop_time
from hilcycler.errors import InstrumentError, LinkLost, LinkTimeout, WireError
from hilcycler.links import Link
from hilcycler.quantities import Second
from hilcycler_drivers.keithley.dialect import Setting
from hilcycler_drivers.keithley.wire import vocabulary as v
from hilcycler_drivers.keithley.wire.scpi import Lines

ANSWER_WITHIN: Second = 2.0
SEND_WITHIN: Second = 1.0
OFF_WITHIN: Second = 0.3
MOST_ERRORS = 64
OFF = (v.OUTPUT.text + " OFF\n").encode("ascii")
"""Made ready long before it is needed."""


class Session:
    """One link. After a timeout, a surplus answer or garbage it is `trusted` no more: reopen."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lines = Lines()
        self._ready: list[str] = []
        self._one_at_a_time = asyncio.Lock()
        self.trusted = True
        self.chains = False
        """Whether many settings may travel in one message; an older instrument may have no room for them."""

    @property
    def name(self) -> str:
        return self._link.name

    async def aclose(self) -> None:
        await self._link.aclose()

    async def off(self) -> None:
        """Send OFF now: before any question that waits its turn, and also where answers are not trusted."""
        async with asyncio.timeout(OFF_WITHIN):
            await self._link.send(OFF)

    async def tell(self, command: str) -> None:
        async with self._one_at_a_time:
            await self._send(command.encode("ascii") + b"\n")

    async def ask(self, question: str, within: Second = ANSWER_WITHIN) -> str:
        """The answer to `question`. A late or doubled answer can never be taken for another's."""
        async with self._one_at_a_time:
            if self._ready:
                self.trusted = False
                raise WireError(f"{self.name}: {self._ready[0][:60]!r} came unasked")
            await self._send(question.encode("ascii") + b"\n")
            return await self._answer(loop_time() + within, question)

    async def set(self, settings: list[Setting]) -> None:
        """Send each setting, read each back, and see that the instrument found no error."""
        most = len(settings) if self.chains else 1
        for some in _by(most, settings):
            await self.tell(";".join(each.command for each in some))
        for some in _by(most, [each for each in settings if each.shows is not None]):
            reply = await self.ask(";".join(each.question for each in some))
            shown = reply.split(";")
            if len(shown) != len(some):
                raise WireError(f"{self.name}: {len(some)} settings were asked for, {reply[:80]!r} came")
            for each, said in zip(some, shown, strict=True):
                if not each.shown_by(said):
                    raise InstrumentError(f"{self.name}: {each.command!r} was sent, {said[:60]!r} is set")
        await self.no_errors()

    async def no_errors(self) -> None:
        """Empty the error queue; InstrumentError with the first error in it."""
        first = ""
        for _ in range(MOST_ERRORS):
            reply = await self.ask(v.ERROR.text + "?")
            code = reply.partition(",")[0].strip()
            if not code.lstrip("+-").isdigit():
                raise WireError(f"{self.name}: {reply[:60]!r} is no entry of an error queue")
            if int(code) == 0:
                break
            first = first or reply
        if first:
            raise InstrumentError(f"{self.name} reports {first[:120]}", int(first.partition(",")[0]))

    async def _send(self, data: bytes) -> None:
        if not self.trusted:
            raise LinkLost(f"{self.name}: the session is given up")
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self._link.send(data)
        except TimeoutError:
            self.trusted = False
            raise LinkTimeout(f"{self.name}: takes no bytes") from None

    async def _received(self, deadline: Second) -> bytes:
        data = await self._link.receive(deadline)
        if not data:
            raise LinkLost(f"{self.name}: closed")
        return data

    async def _answer(self, deadline: Second, question: str) -> str:
        try:
            while not self._ready:
                self._ready = self._lines.feed(await self._received(deadline))
        except BaseException:
            self.trusted = False  # also when cancelled: the answer is still to come
            raise
        answer, *surplus = self._ready
        self._ready = []
        if surplus:
            self.trusted = False
            raise WireError(f"{self.name}: {len(surplus) + 1} answers to {question!r}")
        return answer


def _by(most: int, settings: list[Setting]) -> Iterator[list[Setting]]:
    """`settings` in their order, at most so many together."""
    for at in range(0, len(settings), max(most, 1)):
        yield settings[at : at + most]
