"""Benches for the service's tests: simulated instruments in a process of their own, and services to be killed.

The simulators' process keeps a log of its own: for each instrument, when its output was on, and when it was
on with the cell outside the bench's limits. Nothing that a service says of itself goes into it.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import numpy as np

from hilcycler import registry
from hilcycler.bench_file import read_bench
from hilcycler.clock import loop_time, process_time
from hilcycler.control.hosting import host
from hilcycler.errors import CyclerError
from hilcycler.links.loop import run
from hilcycler.records import Record, SampleBlock
from hilcycler.service.keeper import Policies
from hilcycler.service.request import RunRequest
from hilcycler.service.running import Ready

for family in ("emstat", "keithley"):
    registry.driver(family)  # imported once, in the process that the others are forked from

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["service_bench"])

LIMIT = 1.0
"""Volts either way: the bench's envelope."""
_GLANCE = 0.05


class Promises:
    """After each commit, how many rows and events of a run were promised to be on disk."""

    def __init__(self, tell: Connection, ready: Ready) -> None:
        self._tell, self._run = tell, ready.header.run
        self._rows, self._events = ready.journal.rows, 0

    def put(self, record: Record) -> None:
        if isinstance(record, SampleBlock):
            self._rows = record.sequence + len(record)
        else:
            self._events += 1

    async def commit(self) -> None:
        self._tell.send((self._run, self._rows, self._events))
        await asyncio.sleep(0)


def serve(bench: str, tell: Connection, leave: bool = False) -> None:
    """A whole service, until it is killed; tells what it promised, and when it is open."""
    policies = Policies(leave=leave, watch=lambda ready: Promises(tell, ready))

    def ready(_: object) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _say_where)
        tell.send("open")

    run(host(read_bench(Path(bench)), policies, ready))


def _say_where() -> None:
    """For whoever looks into a service that hangs: where its tasks are."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()


# --- the instruments ------------------------------------------------------------------------


def simulate(kinds: list[tuple[str, str]], log: str, tell: Connection) -> None:
    """Serve twins of the models and on the kinds of port that `kinds` names, until told to end."""
    from spine import make_twin

    async def main() -> None:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            twins = [make_twin(model, seed=seed, pace=1.0) for seed, (model, _) in enumerate(kinds, start=1)]
            places = [
                await stack.enter_async_context(twin.listen("pty" if where == "pty" else "tcp://127.0.0.1:0"))
                for twin, (_, where) in zip(twins, kinds, strict=True)
            ]
            witness = tasks.create_task(_witness(twins, Path(log)))
            tell.send(places)
            over = asyncio.Event()
            asyncio.get_running_loop().add_reader(tell.fileno(), over.set)
            await over.wait()
            witness.cancel()

    run(main())


async def _witness(twins: list[Any], log: Path) -> None:
    with log.open("w") as file:
        while True:
            now = loop_time()
            seen = [(twin.energised, _voltage(twin)) for twin in twins]
            file.write(json.dumps([now, seen]) + "\n")
            file.flush()
            await asyncio.sleep(_GLANCE)


def _voltage(twin: Any) -> float:
    """What the cell really is at, asked of the model behind the instrument."""
    if hasattr(twin, "unit"):
        return float(twin.unit.circuit.look(np.array([1e-6])).voltage[-1])
    return float(twin.smu.output.cell_voltage)


def outputs(log: Path) -> list[bool]:
    """Which instruments' outputs are on, by an entry of the simulators' log that is begun after this call."""
    known = len(log.read_text().splitlines())
    for _ in range(500):
        lines = log.read_text().splitlines()
        if len(lines) >= known + 3:
            return [on for on, _ in json.loads(lines[-2])[1]]
        threading.Event().wait(0.02)
    raise AssertionError("the simulators write no log any more")


@contextmanager
def simulators(kinds: list[tuple[str, str]], log: Path) -> Iterator[list[str]]:
    """Addresses of simulated instruments that live on, whatever becomes of their hosts."""
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=simulate, args=(kinds, str(log), there))
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        with suppress(OSError):
            here.send("end")
        process.join(10)
        if process.exitcode is None:
            process.kill()
            process.join()


def bench_file(folder: Path, addresses: dict[str, tuple[str, str]], **channel: str) -> Path:
    """A bench of instruments at `addresses`: driver family and address, by channel."""
    lines = [
        'name = "tested"',
        f'data = "{folder / "data"}"',
        "[envelope]",
        f'voltage = "-{LIMIT:g} V to {LIMIT:g} V"',
        'current = "-10 mA to 10 mA"',
        'charge = "2 mAh"',
    ]
    for name, (driver, address) in addresses.items():
        lines += [f"[instruments.{name}]", f'driver = "{driver}"', f'address = "{address}"']
        lines += [f"[channels.{name}]", f'instrument = "{name}"']
        lines += [f'{key} = "{value}"' for key, value in channel.items()]
    path = folder / "bench.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


# --- a service that may be killed -----------------------------------------------------------


class Hosted:
    """A service in a process of its own."""

    def __init__(self, bench: Path, *, leave: bool = False) -> None:
        self._bench, self._leave = bench, leave
        self._process: BaseProcess | None = None
        self._here: Connection | None = None
        self.promised: dict[str, tuple[int, int]] = {}
        self.events: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._here, there = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=serve, args=(str(self._bench), there, self._leave))
        self._process.start()
        there.close()
        assert self._here.recv() == "open"
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds."""
        while not condition():
            self.hear(0.02)

    def live(self, seconds: float) -> None:
        """Hear what it tells for so long."""
        until = process_time() + seconds
        self.until(lambda: process_time() >= until)

    def terminate(self, within: float = 60.0) -> int | None:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(within)
        return self._process.exitcode

    def kill(self) -> None:
        """kill -9, and hear what it had promised."""
        assert self._process is not None
        self._process.kill()
        self._process.join()
        self.hear()

    def hear(self, wait: float = 0.0) -> None:
        """What it has told meanwhile; `wait` at most so many seconds for it."""
        assert self._here is not None
        try:
            while self._here.poll(wait):
                wait = 0.0
                told = self._here.recv()
                if isinstance(told, tuple):
                    name, rows, events = told
                    self.promised[name] = (rows, events)
        except (EOFError, OSError, CyclerError):
            pass


def simulated_bench(folder: Path, channels: int = 2, pace: float | None = 60.0) -> Path:
    """A bench without hardware, all within the service."""
    lines = ['name = "simulated"', f'data = "{folder / "data"}"', "[envelope]"]
    lines += ['voltage = "-1 V to 1 V"', 'current = "-10 mA to 10 mA"', 'charge = "2 mAh"']
    for number in range(1, channels + 1):
        lines += [f"[channels.c{number}.simulated]", 'model = "emstat4-hr"', 'cell = "li-li/bn-pp"']
        lines += [f"seed = {number}", *([] if pace is None else [f"pace = {pace:g}"])]
    path = folder / "bench.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


CYCLES = """
protocol: {name}
safety: {{voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}}
record: {{every: 10 s}}
steps:
  - rest: {{for: 1 min}}
  - repeat: {cycles}
    steps:
      - plate: {{current: 1 mA, for: 10 min}}
      - strip: {{current: 1 mA, for: 10 min}}
"""


def cycles(number: int = 1000, name: str = "cycling") -> RunRequest:
    """What is to be run on a simulated channel."""
    return RunRequest(protocol=CYCLES.format(cycles=number, name=name))
