"""What the bench has written down, as the service holds it: latches, the queues, and who asked for what."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hilcycler.bench_state import Asked, BenchState, Entry, Latched, Over, Queued, Reset
from hilcycler.clock import wall_clock
from hilcycler.errors import JournalError
from hilcycler.protocol import Violation
from hilcycler.quantities import Second
from hilcycler.service.apart import apart

KEYS_KEPT: Final = 10_000
"""Requests that are still known by their keys: a duplicate comes within minutes, not years."""
QUEUED: Final = "queued"
GLANCE: Final[Second] = 2.0
"""How often the file is looked at for what other processes wrote: `cycler reset`, the cell book."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """What is kept of a request for as long as it may be sent again."""

    channel: str
    verb: str
    done: bool
    answer: str
    run: str


class Books:
    """The bench's chain, read once and followed. Every write is on disk when its call returns.

    `held`: channels on which nothing begins until somebody says so: they were made safe, or a run failed.
    """

    def __init__(self, folder: Path, *, inline: bool = False) -> None:
        self.state = BenchState(folder)
        self.latched: dict[str, Latched] = {}
        self.held: set[str] = set()
        self.queues: dict[str, deque[Queued]] = {}
        self.answered: OrderedDict[str, Answered] = OrderedDict()
        self.next = 0
        self.grown = asyncio.Event()
        self.inline = inline
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Prove the whole chain and take it in. JournalError."""
        entries = await apart(self.state.entries, inline=self.inline)
        for number, entry in enumerate(entries):
            self._take(number, entry)

    async def follow(self) -> None:
        """See what other processes write, for ever; what cannot be read is said, and stops no channel."""
        while True:
            await asyncio.sleep(GLANCE)
            try:
                await self.refresh()
            except JournalError as error:
                _log.error("%s", error)

    async def refresh(self) -> None:
        """Take in what has come. JournalError."""
        async with self._turn:
            since = self.next
            for number, entry in await apart(lambda: self.state.since(since), inline=self.inline):
                self._take(number, entry)

    async def append(self, entry: Entry) -> None:
        """Write `entry`, and take in whatever had come before it."""
        await apart(lambda: self.state.append(entry), inline=self.inline)
        await self.refresh()

    async def latch(self, channel: str, run: str, violation: Violation) -> None:
        """Latch `channel` until a named person has looked."""
        await self.append(Latched(channel, run, violation, wall_clock()))

    async def over(self, channel: str, run: str, outcome: str, reason: str) -> None:
        """`run` has left its channel."""
        await self.append(Over(channel, run, outcome, reason, wall_clock()))

    def queue(self, channel: str) -> deque[Queued]:
        """Runs of `channel` that have not left it, the oldest first; the first may be going on."""
        return self.queues.setdefault(channel, deque())

    def _take(self, number: int, entry: Entry) -> None:
        match entry:
            case Latched():
                self.latched[entry.channel] = entry
            case Reset():
                self.latched.pop(entry.channel, None)
            case Queued():
                self.queue(entry.channel).append(entry)
                self._remember(entry.key, Answered(entry.channel, "start", True, QUEUED, entry.run))
            case Asked():
                said = Answered(entry.channel, entry.verb, entry.done, entry.answer, entry.run)
                self._remember(entry.key, said)
                if entry.done and entry.verb == "safe":
                    self.held.add(entry.channel)
                elif entry.done and entry.verb == "resume":
                    self.held.discard(entry.channel)
            case Over():
                if entry.outcome == "failed":  # somebody looks before the next run begins
                    self.held.add(entry.channel)
                waiting = self.queue(entry.channel)
                for each in [each for each in waiting if each.run == entry.run]:
                    waiting.remove(each)
            case _:
                pass
        self.next = number + 1
        self.grown.set()
        self.grown = asyncio.Event()

    def _remember(self, key: str, entry: Answered) -> None:
        if not key:
            return
        self.answered.setdefault(key, entry)
        while len(self.answered) > KEYS_KEPT:
            self.answered.popitem(last=False)
