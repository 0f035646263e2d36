"""What the twin promises about speed: `cycler bench twin`."""

from __future__ import annotations

import cProfile
import pstats
import resource
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from hilcycler import registry
from hilcycler.channel import Channel, Samples
from hilcycler.clock import process_time
from hilcycler.journal import Journal, Settings, new_run_id
from hilcycler.links.address import connect
from hilcycler.links.loop import run as run_in_real_time
from hilcycler.protocol import Envelope, Protocol, Repeat
from hilcycler.records import SampleBlock
from hilcycler.service.foreground import Order, Performed, perform
from hilcycler.steps import ChargeReached, ConstantCurrent, End, Process, Sampling, VoltageAbove, VoltageBelow
from hilcycler.twin import TwinRequest
from hilcycler_simulators.virtual_time import run

CURRENT = 5.655e-3  # 5 mA/cm2 on 1.131 cm2
CHARGE = CURRENT * 3600.0  # 5 mAh/cm2
SAMPLING = Sampling(decide=10.0, every=10.0)


def symmetric(cycles: int) -> Protocol:
    """`cycles` of 5 mA/cm2, 5 mAh/cm2: one hour a half-cycle, 360 samples each."""
    plate = ConstantCurrent(
        -CURRENT, (End(ChargeReached(CHARGE)), End(VoltageBelow(-0.9), "stop")), SAMPLING, Process.PLATE
    )
    strip = ConstantCurrent(
        CURRENT, (End(ChargeReached(CHARGE)), End(VoltageAbove(0.9), "stop")), SAMPLING, Process.STRIP
    )
    return Protocol(
        "symmetric", (Repeat(cycles, (plate, strip)),), Envelope(voltage=(-1.0, 1.0), charge=2 * CHARGE)
    )


def twin(*, full: bool) -> list[dict[str, Any]]:
    """Virtual time: 6300 h (short: 630 h) through wire, driver, engine and journal on memory links."""
    hours = 6300 if full else 630
    with tempfile.TemporaryDirectory() as folder:
        began = process_time()
        performed = run(_one(symmetric(hours // 2), Path(folder)))
        seconds = process_time() - began
        size = performed.path.stat().st_size
        rows = hours * 360
    return [
        {
            "simulated h": hours,
            "rows": rows,
            "outcome": performed.ended.outcome.value,
            "wall s": round(seconds, 2),
            "rows/s": round(rows / seconds),
            "file MB": round(size / 1e6, 1),
            "peak RSS MB": round(_peak_mb()),
        }
    ]


def start(*, full: bool) -> list[dict[str, Any]]:
    """Over a pty, unpaced: from `start` on an identified channel to the first sample, and to it on disk."""
    with tempfile.TemporaryDirectory() as folder:
        first, durable = zip(*run_in_real_time(_starts(30 if full else 10, Path(folder))), strict=True)
    return [
        {
            "until": "first sample",
            "median ms": _ms(median(first)),
            "worst ms": _ms(max(first)),
            "promised ms": 100,
        },
        {
            "until": "first durable row",
            "median ms": _ms(median(durable)),
            "worst ms": _ms(max(durable)),
            "promised ms": 200,
        },
    ]


async def _starts(times: int, folder: Path) -> list[tuple[float, float]]:
    family = registry.twin("emstat")
    made = family.make(TwinRequest(model=family.models[0], cell="li-li/bn-pp"))
    driver = registry.driver(family.driver)
    step = symmetric(1).body[0]
    assert isinstance(step, Repeat)
    plate = step.body[0]
    assert isinstance(plate, ConstantCurrent)
    taken = []
    async with made.listen("pty") as address, driver.open(connect(address, driver.serial)) as channel:
        for number in range(times):
            async with Journal.create(folder, new_run_id()) as journal:
                began = process_time()
                await channel.start(plate, Envelope())
                columns = await _first_columns(channel)
                first = process_time()
                columns["test_time"] = columns.pop("step_time")
                journal.put(SampleBlock(0, 1, 1, number, columns))
                await journal.commit()
                taken.append((first - began, process_time() - began))
            await channel.safe()
    return taken


async def _first_columns(channel: Channel) -> dict[str, Any]:
    async for measured in channel.records():
        if isinstance(measured, Samples):
            return dict(measured.columns)
    raise AssertionError("the step ended without a sample")


def _ms(seconds: float) -> float:
    return round(seconds * 1000.0, 1)


def where_the_time_goes(hours: int = 630, lines: int = 40) -> None:
    """Print a profile of the same run, to optimise what users wait for."""
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profiler.enable()
        run(_one(symmetric(hours // 2), Path(folder)))
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(lines)


async def _one(protocol: Protocol, folder: Path) -> Performed:
    family = registry.twin("emstat")
    made = family.make(TwinRequest(model=family.models[0], cell="li-li/bn-pp"))
    return await perform(
        Order(
            protocol=protocol,
            text="",
            cell=made.cell,
            driver=registry.driver(family.driver),
            connect=made.connect,
            channel="twin",
            folder=folder,
            simulated=True,
            truth=made.truth,
        ),
        settings=Settings(inline=True),
    )


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


__all__ = ["start", "symmetric", "twin", "where_the_time_goes"]
