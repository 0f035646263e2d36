"""A whole service over a disk that can be slowed down: how long from the last bytes of a sample to the OFF."""

from __future__ import annotations

import asyncio
import json
import mmap
import statistics
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_disk import ORDERS

from hilcycler.bench_file import read_bench
from hilcycler.clock import process_time
from hilcycler.control.client import new_key
from hilcycler.engine import By
from hilcycler.links import Connect, Link
from hilcycler.links.loop import run
from hilcycler.protocol import Envelope
from hilcycler.service.desk import Command, Verb
from hilcycler.service.request import Instruments, RunRequest
from hilcycler.service.supervisor import Service

PROTOCOL = """
protocol: at 10 Hz
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 100 mAh}
record: {every: 100 ms, decide every: 100 ms}
steps:
  - plate: {current: 1 mA, for: 250 s}
"""
CELL = {"name": "twin", "working": {"material": "Li"}, "counter": {"material": "Li"}, "area": 1e-4}

taken: list[float] = []
switched_on: list[float] = []


class Timed:
    """A link that notes how long after the last bytes had come OFF was written, and when ON was."""

    def __init__(self, link: Link) -> None:
        self._link, self._came = link, process_time()
        self._on = False

    @property
    def name(self) -> str:
        return self._link.name

    async def send(self, data: bytes) -> None:
        await self._link.send(data)
        if data == b":OUTP OFF\n" and self._on:  # the first one: what follows makes sure of it
            taken.append(process_time() - self._came)
            self._on = False
        if b":OUTP ON" in data:
            self._on = True
            switched_on.append(process_time())

    async def receive(self, deadline: float) -> bytes:
        data = await self._link.receive(deadline)
        self._came = process_time()
        return data

    async def aclose(self) -> None:
        await self._link.aclose()


def timed(reach: Connect) -> Connect:
    async def connect() -> Link:
        return Timed(await reach())

    return connect


def slow_down(orders: Path, milliseconds: int) -> None:
    with orders.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        struct.pack_into("<q", memory, 8 * ORDERS.index("sync_delay_ms"), milliseconds)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, for a minute at most: each end of a run is several commits to this disk."""
    async with asyncio.timeout(60.0):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def main(bench: Path, orders: Path, slow: int) -> None:
    plain: Any = Instruments.connect
    spied: Any = property(lambda self: timed(plain.fget(self)))
    Instruments.connect = spied  # type: ignore[method-assign]
    request = RunRequest(protocol=PROTOCOL, cell=CELL, check_cell=False)
    async with Service(read_bench(bench)).kept() as service:
        *names, last = service.keepers
        for name in names:
            await service.desk.ask(name, Verb.START, Command(key=new_key(), request=request), "ada")
        await until(lambda: all(service.keepers[name].now.rows > 10 for name in names))
        medians = []
        half = len(names) // 2
        for milliseconds, some in ((0, names[:half]), (slow, names[half:])):
            slow_down(orders, milliseconds)
            await asyncio.sleep(1.5)  # a commit is under way
            taken.clear()
            for name in some:
                ready = service.keepers[name].ready
                assert ready is not None
                ready.execution.tighten(By("ada"), Envelope(charge=1e-9))
            await until(lambda: len(taken) >= len(some))  # noqa: B023
            medians.append((statistics.median(taken), max(taken), len(taken)))
        slow_down(orders, 700)
        switched_on.clear()
        began = process_time()
        await service.desk.ask(last, Verb.START, Command(key=new_key(), request=request), "ada")
        await until(lambda: bool(switched_on))
        waited = switched_on[0] - began
        slow_down(orders, 0)
    sys.stdout.write(json.dumps({"medians": medians, "on after": waited}) + "\n")


if __name__ == "__main__":
    run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
