"""What host-stepped channels promise about time: `cycler bench limit`, `rate` and `load`.

The instruments are simulated in a process of their own, behind real TCP sockets; this process is the
host alone, so that its CPU time and memory are its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    contextmanager,
    nullcontext,
)
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hilcycler import registry
from hilcycler.cell import Cell, Electrode
from hilcycler.channel import Channel, EnvelopeCrossed, Samples
from hilcycler.clock import loop_time, process_time
from hilcycler.errors import StepRefused
from hilcycler.journal import Journal, new_run_id, open_run
from hilcycler.journal.bench import example_header
from hilcycler.links import Connect, Link, SerialSettings
from hilcycler.links.address import connect
from hilcycler.links.loop import run
from hilcycler.protocol import Envelope, Protocol
from hilcycler.records import SampleBlock
from hilcycler.service.consent import HOLDS_FOR_EVER
from hilcycler.service.foreground import Order, perform
from hilcycler.steps import ConstantCurrent, End, Sampling, TimeReached

CURRENT = -1e-3
OFF = b":OUTP OFF\n"
ENVELOPE = Envelope(voltage=(-1.0, 1.0), current=(-0.01, 0.01))


def limit(*, full: bool) -> list[dict[str, Any]]:
    """64 channels at 10 Hz, journals on: from a sample beyond a limit to the OFF, alone and with a busy process."""
    rows = [limit_row("nothing", 100_000 if full else 1500, bound_ms=(2.0, 10.0))]
    with _busy():
        rows.append(limit_row("a CPU-bound process", 20_000 if full else 1500, bound_ms=(float("inf"), 25.0)))
    return rows


def rate(*, full: bool) -> list[dict[str, Any]]:
    """One channel at 100 Hz over TCP through pyvisa: lateness of its questions, rows lost, and what is refused."""
    return run(_rate(300.0 if full else 20.0))


def load(*, full: bool) -> list[dict[str, Any]]:
    """8 channels at 10 Hz, whole runs with journals: CPU and memory of the host's one process."""
    return run(_load(8, 300.0 if full else 20.0))


# --- the instruments ------------------------------------------------------------------------


@contextmanager
def _instruments(count: int) -> Iterator[list[int]]:
    """`count` simulated 2450s in a process of their own; yields their TCP ports."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(count, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(5.0)
        process.kill()


def _serve(count: int, pipe: Connection) -> None:
    from hilcycler_drivers.keithley.wire.models import MODELS
    from hilcycler_simulators.cells import catalogue
    from hilcycler_simulators.instruments.keithley import KeithleyTwin
    from hilcycler_simulators.instruments.keithley.firmware import Smu

    async def main() -> None:
        async with AsyncExitStack() as stack:
            ports = []
            for seed in range(count):
                twin = KeithleyTwin(Smu(MODELS["2450"], catalogue.make("li-li/bn-pp", 1), seed=seed + 1))
                address = await stack.enter_async_context(twin.listen("tcp://127.0.0.1:0"))
                ports.append(int(address.rpartition(":")[2]))
            pipe.send(ports)
            over = asyncio.Event()
            asyncio.get_running_loop().add_reader(pipe.fileno(), over.set)
            await over.wait()

    run(main())


# --- limit ----------------------------------------------------------------------------------


class _Stopwatch:
    """How long after the bytes of the last reply OFF was written: once for each start."""

    def __init__(self, taken: list[float]) -> None:
        self._taken = taken
        self.running = False
        self.came = 0.0

    def start(self) -> None:
        self.running = True

    def off(self) -> None:
        if self.running:
            self._taken.append(process_time() - self.came)
        self.running = False


class _Through:
    """A link that hands everything on."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def name(self) -> str:
        return self._link.name

    async def send(self, data: bytes) -> None:
        await self._link.send(data)

    async def receive(self, deadline: float) -> bytes:
        return await self._link.receive(deadline)

    async def aclose(self) -> None:
        await self._link.aclose()


class _Timed(_Through):
    """A link under a stopwatch."""

    def __init__(self, link: Link, watch: _Stopwatch) -> None:
        super().__init__(link)
        self._watch = watch

    async def send(self, data: bytes) -> None:
        await self._link.send(data)
        if data == OFF:
            self._watch.off()

    async def receive(self, deadline: float) -> bytes:
        data = await self._link.receive(deadline)
        self._watch.came = process_time()
        return data


def limit_row(
    beside: str,
    trips: int,
    bound_ms: tuple[float, float],
    meanwhile: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> dict[str, Any]:
    """One measurement of `limit`; `meanwhile` is entered for it, and given the folder of the journals."""
    with (
        _instruments(64) as ports,
        tempfile.TemporaryDirectory() as folder,
        meanwhile(Path(folder)),
    ):
        began, cpu = process_time(), _cpu()
        taken, woken = run(_trips(ports, trips, Path(folder)))
        cores = (_cpu() - cpu) / (process_time() - began)
    return {
        "beside it": beside,
        "trips": len(taken),
        "p50 ms": _at(taken, 0.5),
        "p99 ms": _at(taken, 0.99),
        "p99.9 ms": _at(taken, 0.999),
        "worst ms": _at(taken, 1.0),
        "promised p99, p99.9": f"{bound_ms[0]:g}, {bound_ms[1]:g}",
        "loop late p99.9 ms": _at(woken, 0.999),
        "CPU cores": round(cores, 2),
        "method": "from the reply's bytes to OFF written; 64 links over TCP, 10 Hz",
    }


async def _trips(ports: list[int], trips: int, folder: Path) -> tuple[list[float], list[float]]:
    """Each channel is driven into a limit on its charge with every sixth sample, until there were enough trips.

    Also how late the loop itself wakes a timer: what a reply may wait before anybody looks at it.
    """
    taken: list[float] = []
    woken: list[float] = []
    until = lambda: len(taken) >= trips  # noqa: E731
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as channels:
        opened = []
        for port in ports:  # all before any is at work, so that each sees the line as it is
            journal = await stack.enter_async_context(Journal.create(folder, new_run_id()))
            journal.put(example_header(journal.path.name.split(".")[0]))
            stopwatch = _Stopwatch(taken)
            channel = await stack.enter_async_context(_open(_timed(port, stopwatch)))
            opened.append((channel, journal, stopwatch))
        watch = channels.create_task(_wake(woken))
        tasks = [
            channels.create_task(_tripping(channel, journal, stopwatch, number, until))
            for number, (channel, journal, stopwatch) in enumerate(opened)
        ]
        await asyncio.wait(tasks)
        watch.cancel()
    return taken, woken


async def _wake(woken: list[float]) -> None:
    while True:
        due = loop_time() + 0.01
        await asyncio.sleep(0.01)
        woken.append(loop_time() - due)


def _timed(port: int, stopwatch: _Stopwatch) -> Connect:
    async def reach() -> Link:
        return _Timed(await connect(f"tcp://127.0.0.1:{port}", SerialSettings())(), stopwatch)

    return reach


async def _tripping(
    channel: Channel, journal: Journal, stopwatch: _Stopwatch, number: int, over: Callable[[], bool]
) -> None:
    await asyncio.sleep(number / 64.0)  # channels do not begin at one instant
    step = ConstantCurrent(CURRENT, (End(TimeReached(60.0)),), Sampling(decide=0.1, every=0.1))
    envelope = Envelope((-1.0, 1.0), (-0.01, 0.01), charge=abs(CURRENT) * 0.55)
    seen, sequence, counted = 0, 0, 0  # the second sink only counts
    while not over():
        seen += 1
        await channel.start(step, envelope)
        stopwatch.start()
        async for measured in channel.records():
            match measured:
                case Samples():
                    journal.put(_block(measured, sequence, seen))
                    sequence += len(measured)
                    counted += len(measured)
                case EnvelopeCrossed():
                    await channel.safe()
                case _:
                    pass
        assert not stopwatch.running, "a trip without OFF"


def _block(measured: Samples, sequence: int, step_count: int) -> SampleBlock:
    columns = dict(measured.columns)
    columns["test_time"] = columns.pop("step_time") + 100.0 * step_count
    return SampleBlock(sequence, step_count, 1, 1, columns)


def _open(reach: Connect) -> AbstractAsyncContextManager[Channel]:
    return registry.driver("keithley").open(reach)


@contextmanager
def _busy() -> Iterator[None]:
    """A process that computes without end, at the priority of this one."""
    process = multiprocessing.get_context("spawn").Process(target=_compute, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _compute() -> None:
    value = 1
    while True:
        value = value * 3 % 1_000_003


# --- rate -----------------------------------------------------------------------------------


async def _rate(seconds: float) -> list[dict[str, Any]]:
    asked: list[float] = []
    period = 0.01
    with _instruments(1) as (port,):
        reach = connect(f"TCPIP0::127.0.0.1::{port}::SOCKET", SerialSettings())

        async def noted() -> Link:
            return _Noted(await reach(), asked)

        async with _open(noted) as channel:
            best = channel.capabilities.fastest_sampling
            step = ConstantCurrent(CURRENT, (End(TimeReached(seconds)),), Sampling(period, period))
            await channel.start(step, ENVELOPE)
            asked.clear()
            began = loop_time()  # the grid of samples begins with the first of its records
            rows = sum([len(each) async for each in channel.records() if isinstance(each, Samples)])
            await channel.safe()
            try:
                channel.check(ConstantCurrent(CURRENT, step.ends, Sampling(0.001, 0.001)), ENVELOPE)
                refused = "delivered"
            except StepRefused:
                refused = "refused"
    expected = round(seconds / period)
    late = [(each - began) % period for each in asked]  # later than a period is a row lost
    return [
        {
            "asked Hz": round(1.0 / period),
            "seconds": seconds,
            "rows": rows,
            "rows lost": expected - rows,
            "late p50 ms": _at(late, 0.5),
            "late p99 ms": _at(late, 0.99),
            "worst ms": _at(late, 1.0),
            "promised": "p99 2 ms, 0 lost",
            "fastest s": round(best, 4),
            "a sample each ms is": refused,
            "method": "question written, against its place on the grid; one link through pyvisa-py to a socket",
        }
    ]


class _Noted(_Through):
    """A link that notes when the question for a reading had been written."""

    def __init__(self, link: Link, asked: list[float]) -> None:
        super().__init__(link)
        self._asked = asked

    async def send(self, data: bytes) -> None:
        await self._link.send(data)
        if data.startswith(b":READ"):
            self._asked.append(loop_time())


# --- load -----------------------------------------------------------------------------------


async def _load(channels: int, seconds: float) -> list[dict[str, Any]]:
    step = ConstantCurrent(CURRENT, (End(TimeReached(seconds)),), Sampling(decide=0.1, every=0.1))
    protocol = Protocol("load", (step,), ENVELOPE)
    with _instruments(channels) as ports, tempfile.TemporaryDirectory() as folder:
        orders = [
            Order(
                protocol=protocol,
                text="",
                cell=Cell("simulated", Electrode("Li"), Electrode("Li")),
                driver=registry.driver("keithley"),
                connect=connect(f"tcp://127.0.0.1:{port}", SerialSettings()),
                channel=f"channel {port}",
                folder=Path(folder),
                simulated=True,
                accepts=frozenset({HOLDS_FOR_EVER}),
            )
            for port in ports
        ]
        began, cpu = process_time(), _cpu()
        async with asyncio.TaskGroup() as runs:
            tasks = [runs.create_task(perform(order)) for order in orders]
        spent, lasted = _cpu() - cpu, process_time() - began
        rows, gaps = 0, []
        for task in tasks:
            times = open_run(task.result().path).columns(["test_time"])["test_time"].tolist()
            rows += len(times)
            gaps += [after - before for before, after in pairwise(times)]
    return [
        {
            "channels": channels,
            "Hz": 10,
            "seconds": round(lasted, 1),
            "rows": rows,
            "rows lost": channels * round(seconds / 0.1) - rows,
            "longest gap s": round(max(gaps), 3),
            "CPU cores": round(spent / lasted, 3),
            "promised cores": 0.10,
            "RSS MB": _memory_mb(),
            "promised MB": 150,
            "method": "whole runs over TCP: engine, driver, journal; user and system time of this process",
        }
    ]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory_mb() -> int:
    """What this process holds now, or, where the system does not say, has held at most."""
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        return round(int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    )


def _at(seconds: list[float], share: float) -> float:
    """The value that `share` of `seconds` do not exceed, in ms."""
    ordered = sorted(seconds)
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1e3, 2)


__all__ = ["limit", "load", "rate"]
