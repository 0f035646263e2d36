"""Runs in processes that will be killed: they tell what they were promised, as they were promised it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from spine import make_twin, order

from hilcycler import registry
from hilcycler.links.address import connect
from hilcycler.links.loop import run
from hilcycler.records import Record, SampleBlock
from hilcycler.service.foreground import go_on, perform


class Promises:
    """After each commit, how many rows and events were promised to be on disk."""

    def __init__(self, tell: Connection) -> None:
        self._tell = tell
        self._rows = self._events = 0

    def put(self, record: Record) -> None:
        if isinstance(record, SampleBlock):
            self._rows = record.sequence + len(record)
        else:
            self._events += 1

    async def commit(self) -> None:
        self._tell.send((self._rows, self._events))
        await asyncio.sleep(0)


def demo(folder: str, tell: Connection) -> None:
    """Cycle a twin until killed; what each commit promised is told over `tell`."""
    twin = make_twin()
    run(perform(order(twin, twin.connect, Path(folder), cycles=100_000), lambda _: Promises(tell)))


def on_port(address: str, folder: str, text: str, tell: Connection) -> None:
    """Begin a run on the instrument at `address`, or go on with the one in `folder`."""
    reach = connect(address, registry.driver("emstat").serial)
    wanted = replace(order(make_twin(), reach, Path(folder), text), simulated=False)
    begun = sorted(Path(folder).glob("*.run.sqlite"))
    watch = lambda _: Promises(tell)  # noqa: E731
    performed = run(go_on(begun[0], wanted, watch) if begun else perform(wanted, watch))
    tell.send(performed.ended.outcome.value)
