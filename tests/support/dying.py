"""A run in a process that will be killed: it tells what it was promised, as it was promised it."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

from spine import make_twin, order

from hilcycler.links.loop import run
from hilcycler.records import Record, SampleBlock
from hilcycler.service.foreground import perform


class Promises:
    """After each commit, how many rows and events were promised to be on disk."""

    def __init__(self, tell: Connection) -> None:
        self._tell = tell
        self._rows = self._events = 0

    def put(self, record: Record) -> None:
        if isinstance(record, SampleBlock):
            self._rows += len(record)
        else:
            self._events += 1

    async def commit(self) -> None:
        self._tell.send((self._rows, self._events))
        await asyncio.sleep(0)


def demo(folder: str, tell: Connection) -> None:
    """Cycle a twin until killed; the first commit of each step is told over `tell`."""
    twin = make_twin()
    run(perform(order(twin, twin.connect, Path(folder), cycles=100_000), lambda _: Promises(tell)))
