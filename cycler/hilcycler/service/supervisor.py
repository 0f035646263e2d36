"""The service: one process, one keeper a channel, and an end in good order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from hilcycler.bench_file import Bench
from hilcycler.clock import loop_time
from hilcycler.quantities import Second
from hilcycler.service.books import Books
from hilcycler.service.desk import Desk
from hilcycler.service.exclusive import folder_lock
from hilcycler.service.keeper import Keeper, Policies
from hilcycler.service.notify import notify, stroke_the_watchdog
from hilcycler.service.status import BenchStatus, of_channel

CLOSING: Final[Second] = 45.0
"""How long the channels are given to be switched off when the service ends."""
FRESH: Final[Second] = 0.2

_log = logging.getLogger(__name__)


class Service:
    """A bench that is kept: `async with Service(bench, policies).kept() as service`."""

    def __init__(self, bench: Bench, policies: Policies | None = None) -> None:
        self.bench, self.policies = bench, policies or Policies()
        self.books = Books(bench.data, inline=self.policies.settings.inline)
        self.keepers = {name: Keeper(name, bench, self.books, self.policies) for name in bench.channels}
        self.desk = Desk(self.keepers, self.books)
        self.ending = asyncio.Event()
        self._said = (0.0, "")

    @property
    def reconciled(self) -> bool:
        """Whether every instrument has been asked what it is doing, or does not answer."""
        return all(keeper.reconciled.is_set() for keeper in self.keepers.values())

    def status(self) -> BenchStatus:
        """The whole bench, now."""
        return BenchStatus(
            bench=self.bench.name,
            site=self.bench.site,
            data=str(self.bench.data),
            version=version("hilcycler"),
            reconciled=self.reconciled,
            entry=self.books.next,
            channels=[of_channel(keeper) for keeper in self.keepers.values()],
        )

    def status_json(self) -> str:
        """The same as JSON; made at most every fifth of a second, however many ask."""
        now = loop_time()
        if now - self._said[0] >= FRESH or self._said[1] == "":
            self._said = (now, self.status().model_dump_json())
        return self._said[1]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Service]:
        """Keep every channel while the block runs; then park or leave the runs, and see the outputs off.

        RequestError if another service has this data folder; JournalError if the bench's chain is damaged.
        """
        with folder_lock(self.bench.data):
            await self.books.open()
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(work)
                    for work in (self.books.follow(), stroke_the_watchdog(), self._tell_when_ready())
                ]
                keeping = [tasks.create_task(keeper.keep()) for keeper in self.keepers.values()]
                try:
                    yield self
                finally:
                    self.ending.set()
                    notify("STOPPING=1")
                    await self._close(keeping)
                    for each in (*beside, *keeping):
                        each.cancel()

    async def _tell_when_ready(self) -> None:
        began = loop_time()
        for keeper in self.keepers.values():
            await keeper.reconciled.wait()
        _log.info("all channels reconciled within %.1f s", loop_time() - began)
        notify("READY=1\nSTATUS=all channels reconciled")

    async def _close(self, keeping: list[asyncio.Task[None]]) -> None:
        """Every output off, or left where that was asked for; the cell first, all channels at once."""
        closing = [asyncio.ensure_future(keeper.close()) for keeper in self.keepers.values()]
        _, late = await asyncio.wait([*closing, *keeping], timeout=CLOSING)
        for each in closing:
            if each in late:
                each.cancel()
            elif each.exception() is not None:
                _log.error("while closing: %r", each.exception())
        if late:
            _log.error("%d channels did not end within %g s", len(late), CLOSING)
