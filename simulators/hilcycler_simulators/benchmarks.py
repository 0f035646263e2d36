"""What the twin promises about speed: `cycler bench twin`."""

from __future__ import annotations

import cProfile
import pstats
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from hilcycler import registry
from hilcycler.clock import process_time
from hilcycler.journal import Settings
from hilcycler.protocol import Envelope, Protocol, Repeat
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
    return Protocol("symmetric", (Repeat(cycles, (plate, strip)),), Envelope(voltage=(-1.0, 1.0), charge=2 * CHARGE))


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


__all__ = ["symmetric", "twin", "where_the_time_goes"]
