"""Months of a whole service in virtual time: `cycler bench soak`. Its memory must not grow with them.

Eight simulated channels in one loop whose clock jumps; the same keepers, engine, drivers, wire bytes and
journals as on a bench, without the sockets. 10 s sampling; a day a run, then the next of the queue begins.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from hilcycler.bench_file import Bench, ChannelAt, Simulated
from hilcycler.clock import process_time
from hilcycler.control.client import new_key
from hilcycler.journal import Settings, Verdict, open_run, verify
from hilcycler.protocol import Envelope
from hilcycler.records import Status
from hilcycler.service.desk import Command, Verb
from hilcycler.service.keeper import Policies
from hilcycler.service.request import RunRequest
from hilcycler.service.supervisor import Service
from hilcycler_simulators.virtual_time import run

CHANNELS: Final = 8
DAYS: Final = 1.0
"""Of one run."""
PROTOCOL = """
protocol: soak
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 10 s, decide every: 10 s}
steps:
  - rest: {for: 2 h}
  - repeat: 11
    steps:
      - plate: {current: 0.5 mA, for: 1 h}
      - strip: {current: 0.5 mA, for: 1 h}
"""


def soak(*, full: bool) -> list[dict[str, Any]]:
    """90 virtual days (short: 2) of eight channels at 10 s sampling: memory day by day, late deadlines, files."""
    days = float(os.environ.get("HILCYCLER_SOAK_DAYS", "90" if full else "2"))
    with tempfile.TemporaryDirectory() as folder:
        return [soaked(Path(folder), days)]


def soaked(folder: Path, days: float) -> dict[str, Any]:
    """What became of `days` virtual days."""
    began, memory = process_time(), list[float]()
    runs = run(_world(folder, days, lambda: memory.append(_resident())))
    rows = late = 0
    verdicts = []
    for path in sorted(folder.glob("*.run.sqlite")):
        verdicts.append(verify(path).verdict)
        found = open_run(path)
        rows += found.rows
        late += int(np.count_nonzero(found.columns(("status",))["status"] & Status.TIMING_MISSED))
    settled = memory[len(memory) // 4 :]
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0]) if len(settled) > 2 else 0.0
    return {
        "days": days,
        "channels": CHANNELS,
        "runs": runs,
        "rows": rows,
        "deadlines missed": late,
        "files that verify": f"{sum(each in {Verdict.WHOLE, Verdict.OPEN} for each in verdicts)} of {len(verdicts)}",
        "RSS MB, first and last": f"{settled[0]:.1f}, {settled[-1]:.1f}",
        "slope MB a day": round(slope * len(memory) / days, 4),
        "wall s": round(process_time() - began, 1),
    }


async def _world(folder: Path, days: float, look: Callable[[], None]) -> int:
    """A service that lives so long, one run after the other on each channel; returns how many."""
    policies = Policies(Settings(inline=True))
    count = 0
    async with Service(_bench(folder), policies).kept() as service:
        for _ in range(max(1, round(days / DAYS))):
            for name in service.keepers:
                command = Command(key=new_key(), request=RunRequest(protocol=PROTOCOL))
                await service.desk.ask(name, Verb.START, command, "soak")
                count += 1
            while any(service.books.queue(name) for name in service.keepers):  # noqa: ASYNC110  (virtual time)
                await asyncio.sleep(60.0)  # the clock jumps when all channels have come to an end
            gc.collect()
            look()
    return count


def _bench(folder: Path) -> Bench:
    envelope = Envelope(voltage=(-1.0, 1.0), current=(-0.01, 0.01), charge=7.2)
    channels = {
        f"c{number}": ChannelAt(
            f"c{number}",
            None,
            1,
            envelope,
            simulated=Simulated("emstat4-hr", "li-li/bn-pp", number),
        )
        for number in range(1, CHANNELS + 1)
    }
    return Bench("soak", "lab", folder, envelope, {}, channels)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
