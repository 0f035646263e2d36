"""Whole runs for the tests: protocol file, engine, driver, link, simulator, cell, journal."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from hilcycler import registry
from hilcycler.engine import Execution
from hilcycler.journal import Settings
from hilcycler.language import loads
from hilcycler.links import Connect
from hilcycler.links.address import connect
from hilcycler.links.loop import run as run_in_real_time
from hilcycler.service.foreground import Order, Performed, perform
from hilcycler.sink import Sink
from hilcycler.twin import Twin, TwinRequest
from hilcycler_simulators.virtual_time import run as run_in_virtual_time

MODEL = "emstat4-hr"
CYCLES = """
protocol: Li||Li symmetric cycling
safety: {{voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}}
record: {{every: 60 s}}
steps:
  - rest: {{for: 5 min}}
  - repeat: {cycles}
    steps:
      - plate: {{current: 1 mA/cm2, until: {{charge: 1 mAh/cm2, voltage: below -0.5 V -> stop}}}}
      - strip: {{current: 1 mA/cm2, until: {{charge: 1 mAh/cm2, voltage: above 0.5 V -> stop}}}}
"""


def make_twin(
    model: str = MODEL, cell: str = "li-li/bn-pp", seed: int = 1, pace: float | None = None
) -> Twin:
    for name in registry.names("twins"):
        family = registry.twin(name)
        if model in family.models:
            return family.make(TwinRequest(model=model, cell=cell, seed=seed, pace=pace))
    raise AssertionError(f"no twin can be {model}")


def order(
    twin: Twin, reach: Connect, folder: Path, text: str = "", *, cycles: int = 3, channel: str = "one"
) -> Order:
    text = text or CYCLES.format(cycles=cycles)
    return Order(
        protocol=_parsed(text).bind(twin.cell),
        text=text,
        cell=twin.cell,
        driver=registry.driver("emstat"),
        connect=reach,
        channel=channel,
        folder=folder,
        simulated=True,
        truth=twin.truth,
    )


_parsed = cache(loads)
"""Whoever runs one protocol a thousand times parses it once."""

Watch = Callable[[Execution], Sink]


def on_memory(
    twin: Twin, folder: Path, text: str = "", *, cycles: int = 3, watch: Watch | None = None
) -> Performed:
    """A run in virtual time, on a memory link."""
    wanted = order(twin, twin.connect, folder, text, cycles=cycles)
    return run_in_virtual_time(perform(wanted, watch, Settings(inline=True)))


def on_wire(
    twin: Twin, where: str, folder: Path, text: str = "", *, cycles: int = 3, watch: Watch | None = None
) -> Performed:
    """A run in real time, over a pty through pyserial or over TCP."""

    async def main() -> Performed:
        async with twin.listen(where) as address:
            reach = connect(address, registry.driver("emstat").serial)
            return await perform(order(twin, reach, folder, text, cycles=cycles), watch)

    return run_in_real_time(main())
