"""A conversation with one instrument over one link: questions, replies, deadlines.

A session is trusted until something went wrong on it: a deadline passed (a late reply would answer
the next question), the link broke, or bytes came that are not this language. Then it is only good
for being closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from hilcycler.clock import loop_time
from hilcycler.errors import InstrumentError, LinkError, LinkLost, LinkTimeout, WireError
from hilcycler.links import Link
from hilcycler.quantities import Second
from hilcycler_drivers.emstat.fault_codes import meaning
from hilcycler_drivers.emstat.wire import (
    EmptyLine,
    Failure,
    LoopEnded,
    LoopStarted,
    Packages,
    RepeatEnded,
    RepeatStarted,
    Reply,
    ReplyDecoder,
    Request,
    ScanEnded,
    ScanStarted,
    Text,
    Unreadable,
    encode,
)

ANSWER_WITHIN: Final[Second] = 2.0
DEAF_AFTER_ERROR: Final[Second] = 0.15
"""After an error the instrument ignores what it is sent for 50 to 100 ms."""

Output = (
    Packages
    | LoopStarted
    | LoopEnded
    | ScanStarted
    | ScanEnded
    | RepeatStarted
    | RepeatEnded
    | Text
    | EmptyLine
)
"""What a running script says, between which the answer to a question may come."""


class Session:
    """See the module. `trusted` says whether it may still be used."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._decoder = ReplyDecoder()
        self._pending: deque[Reply] = deque()
        self._deaf_until: Second = 0.0
        self._begun = False
        self.trusted = True

    @property
    def name(self) -> str:
        return self._link.name

    async def aclose(self) -> None:
        self.trusted = False
        await self._link.aclose()

    async def send(self, request: Request) -> None:
        """Send, but not into the time in which the instrument is deaf."""
        if (wait := self._deaf_until - loop_time()) > 0.0:
            await asyncio.sleep(wait)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._link.send(encode(request))
        except TimeoutError:
            self.trusted = False
            raise LinkTimeout(f"{self.name}: the instrument takes no more bytes") from None
        except LinkError:
            self.trusted = False
            raise

    async def next(self, deadline: Second) -> Reply:
        """The next thing it says; WireError if that is not this language."""
        reply = await self.next_of_any_kind(deadline)
        if isinstance(reply, Unreadable):
            self.trusted = False
            raise WireError(f"{self.name}: {reply.reason}: {reply.line!r}")
        return reply

    async def next_of_any_kind(self, deadline: Second) -> Reply:
        """As `next`, but what is unreadable is given out too.

        But not the first thing in a session: whoever begins to listen may hear the end of a line.
        """
        reply = await self._receive(deadline)
        begun, self._begun = self._begun, True
        if not begun and isinstance(reply, Unreadable | EmptyLine):
            reply = await self._receive(deadline)
        if isinstance(reply, Failure):
            self._deaf_until = loop_time() + DEAF_AFTER_ERROR
        return reply

    async def _receive(self, deadline: Second) -> Reply:
        while not self._pending:
            try:
                data = await self._link.receive(deadline)
            except LinkError:
                self.trusted = False
                raise
            if not data:
                self.trusted = False
                raise LinkLost(f"{self.name}: the other end closed the link")
            self._pending.extend(self._decoder.feed(data))
            if not self._pending and loop_time() >= deadline:
                self.trusted = False
                raise LinkTimeout(f"{self.name}: no whole reply in time")
        return self._pending.popleft()

    async def ask(self, request: Request, within: Second = ANSWER_WITHIN) -> Reply:
        """The answer to `request`, its first line. What a running script says meanwhile is kept for `next`."""
        deadline = loop_time() + within
        await self.send(request)
        return await self.answer(deadline)

    async def answer(self, deadline: Second) -> Reply:
        """The next line of an answer; what a script has said before stays before it, for `next`."""
        kept: list[Reply] = []
        try:
            while isinstance(reply := await self.next(deadline), Output):
                kept.append(reply)
                self.check(deadline)
        finally:
            self._pending.extendleft(reversed(kept))
        return reply

    def check(self, deadline: Second) -> None:
        """LinkTimeout if `deadline` has passed: much talk is no answer."""
        if loop_time() >= deadline:
            self.trusted = False
            raise LinkTimeout(f"{self.name}: no answer in time, though it talks")

    def give_back(self, reply: Reply) -> None:
        """`next` will give `reply` again."""
        self._pending.appendleft(reply)

    def forget(self) -> None:
        """Drop what a script said that has ended since."""
        self._pending.clear()

    async def drain(self) -> None:
        """Drop whatever comes until it has been quiet for the deaf time; LinkTimeout if it never is."""
        last = loop_time() + ANSWER_WITHIN
        while loop_time() < last:
            try:
                data = await self._link.receive(loop_time() + DEAF_AFTER_ERROR)
            except LinkTimeout:
                self._decoder = ReplyDecoder()
                self._pending.clear()
                return
            if not data:
                self.trusted = False
                raise LinkLost(f"{self.name}: the other end closed the link")
        self.trusted = False
        raise LinkTimeout(f"{self.name}: it talks without end and is not to be understood")


def failed(name: str, doing: str, failure: Failure) -> InstrumentError:
    """The instrument's own error, in words."""
    where = "" if failure.line is None else f" in line {failure.line} of the script"
    code = failure.code
    return InstrumentError(f"{name}: {doing}: error {code:04X}{where}: {meaning(code)}", code)


def unexpected(name: str, doing: str, reply: Reply) -> WireError | InstrumentError:
    """An answer to some other question, or an error."""
    if isinstance(reply, Failure):
        return failed(name, doing, reply)
    return WireError(f"{name}: {doing}: answered {type(reply).__name__}, which does not belong here")
