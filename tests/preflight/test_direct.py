"""A direct channel sees what a run over the wire sees: every row, every value, every end.

Both ends are ours, but the way between them is not the same: here scripts are interpreted statement by
statement and read back from bytes, there the samples are decided in columns. The unit's errors, noise
and the cell are functions of the seed, so even they must agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from direct_twin import direct_channel
from spine import CYCLES, make_twin, on_memory

from hilcycler.clock import TwinClock
from hilcycler.engine import Execution
from hilcycler.journal import open_run
from hilcycler.language import loads
from hilcycler.preflight.rehearsal import rehearse
from hilcycler.protocol import walk
from hilcycler.records import ImpedancePoint, Record, SampleBlock, StepEnded
from hilcycler.service.foreground import bench_envelope

SAFE = "safety: {voltage: -2 V to 5 V, current: -20 mA to 20 mA, charge: 5 mAh}\n"
STORIES: Mapping[str, tuple[str, str]] = {
    "cycles that end by charge": ("li-li/bn-pp", CYCLES.format(cycles=3)),
    "recording by voltage": (
        "li-li/bn-pp",
        "protocol: a\n" + SAFE + "record: {every: 60 s, voltage change: 2 mV}\n"
        "steps:\n  - rest: 10 min\n"
        "  - plate: {current: 2 mA/cm2, until: {charge: 1 mAh/cm2}}\n"
        "  - strip: {current: 2 mA/cm2, until: {charge: 1 mAh/cm2}, record: {every: 7 s, decide every: 500 ms}}\n",
    ),
    "hours of rest, and half-cycles longer than a window": (
        "li-li/bn-pp",
        "protocol: i\n" + SAFE + "record: {every: 30 s, voltage change: 1 mV}\nsteps:\n  - rest: 5 h\n"
        "  - plate: {current: 0.2 mA/cm2, until: {charge: 1 mAh/cm2}}\n"
        "  - strip: {current: 0.2 mA/cm2, until: {charge: 1 mAh/cm2, voltage: above 0.5 V}}\n",
    ),
    "a hold that nothing but time ends": (
        "li-li/bn-pp",
        (
            "protocol: j\nrecord: {every: 60 s}\nsteps:\n  - rest: 5 min\n"
            "  - constant voltage: {voltage: 10 mV, for: 2 h}\n"
        ),
    ),
    "copper, plated and stripped, with a nucleation": (
        "li-cu/wng",
        "protocol: k\n" + SAFE + "record: {every: 10 s, voltage change: 5 mV}\nsteps:\n  - rest: 10 min\n"
        "  - repeat: 2\n    steps:\n"
        "      - plate: {current: 0.5 mA/cm2, until: {charge: 0.3 mAh/cm2}}\n"
        "      - rest: 5 min\n"
        "      - strip: {current: 0.5 mA/cm2, until: {voltage: above 0.5 V, charge: 0.36 mAh/cm2}}\n",
    ),
    "a cut-off between two recorded samples": (
        "li-cu/bn-pp",
        "protocol: b\n" + SAFE + "record: {every: 60 s}\nsteps:\n"
        "  - plate: {current: 1 mA/cm2, until: {charge: 0.2 mAh/cm2}}\n"
        "  - strip: {current: 1 mA/cm2, until: {voltage: above 1 V, time: 2 h}}\n",
    ),
    "a safety limit": (
        "li-cu/bn-pp",
        (
            "protocol: c\nsafety: {voltage: -1 V to 0.8 V}\nrecord: {every: 60 s}\nsteps:\n"
            "  - plate: {current: 1 mA/cm2, until: {charge: 0.1 mAh/cm2}}\n"
            "  - strip: {current: 1 mA/cm2, until: {time: 2 h}}\n"
        ),
    ),
    "a hold to steady state": (
        "li-li/bn-pp",
        "protocol: d\n" + SAFE + "record: {every: 10 s, current change: 1 uA}\nsteps:\n  - rest: 5 min\n"
        "  - constant voltage: {voltage: 10 mV, for: 2 h, until: {current change: below 1 % over 10 min}}\n"
        "  - rest: {for: 1 h, until: {voltage change: below 1 mV/h over 10 min}}\n",
    ),
    "up to a voltage, then held": (
        "li-lfp/bn-pp",
        "protocol: e\n" + SAFE + "record: {every: 30 s}\nsteps:\n  - rest: 5 min\n"
        "  - charge: {current: 1C, hold at: 3.9 V, until: {current: below C/5, time: 2 h}}\n"
        "  - discharge: {current: 1C, until: {voltage: below 2.5 V, time: 2 h}}\n",
    ),
    "points by the decade": (
        "li-li/bn-pp",
        "protocol: h\n" + SAFE + "record: {every: 30 s}\nsteps:\n  - rest: 5 min\n"
        "  - constant voltage: {voltage: 10 mV, for: 30 min, record: {points per decade: 50, decide every: 20 ms}}\n"
        "  - rest: {for: 20 min, record: {points per decade: 10, every: 2 min, voltage change: 0.2 mV}}\n"
        "  - plate: {current: 1 mA/cm2, for: 20 min, record: {points per decade: 20, every: 1 h}}\n"
        "  - charge: {current: 1 mA/cm2, hold at: 20 mV, for: 20 min, record: {points per decade: 20}}\n",
    ),
    "sweeps": (
        "li-li/bn-pp",
        "protocol: f\n" + SAFE + "steps:\n  - rest: 2 min\n"
        "  - linear sweep: {from: 0 mV, to: 50 mV, rate: 1 mV/s}\n"
        "  - cyclic voltammetry: {start: 0 V, first vertex: 20 mV, second vertex: -20 mV, rate: 2 mV/s, scans: 2}\n",
    ),
    "spectra": (
        "li-li/bn-pp",
        "protocol: g\n" + SAFE + "steps:\n  - rest: 2 min\n"
        "  - peis: {amplitude: 10 mV rms, from: 100 kHz, to: 1 Hz}\n"
        "  - rest: 2 min\n"
        "  - geis: {amplitude: 100 uA rms, from: 100 kHz, to: 1 Hz}\n",
    ),
}


class Heap:
    """A sink that keeps all records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, record: Record) -> None:
        self.records.append(record)

    async def commit(self) -> None:
        pass

    def columns(self) -> dict[str, Any]:
        blocks = [r for r in self.records if isinstance(r, SampleBlock)]
        return {
            name: np.concatenate([block.columns[name] for block in blocks])
            for name in ("test_time", "voltage", "current", "range", "status")
        }


def points(heap: Heap) -> list[ImpedancePoint]:
    return [replace(r, step_count=0) for r in heap.records if isinstance(r, ImpedancePoint)]


@pytest.mark.parametrize("story", STORIES)
def test_it_sees_what_the_wire_sees(story: str, tmp_path: Path) -> None:
    cell, text = STORIES[story]
    over_the_wire = Heap()
    twin = make_twin(cell=cell)

    def watch(_: Execution) -> Heap:
        return over_the_wire

    performed = on_memory(twin, tmp_path, text, watch=watch)
    channel, capabilities = direct_channel(cell)
    protocol = loads(text).bind(twin.cell)
    envelope = bench_envelope(capabilities).intersect(protocol.safety)
    here = Heap()
    header = open_run(performed.path).header

    async def main() -> None:
        await Execution(
            walk(protocol), channel, envelope=envelope, sink=here, clock=TwinClock(), header=header
        ).run()

    asyncio.run(main())
    foretold = asyncio.run(rehearse(walk(protocol), direct_channel(cell)[0], envelope, twin.cell))
    assert foretold.rows == open_run(performed.path).rows == len(here.columns()["voltage"])
    assert foretold.outcome == performed.ended.outcome
    assert foretold.duration == performed.ended.stamp.monotonic
    assert foretold.bytes_at_most > performed.path.stat().st_size
    executed = over_the_wire.columns()
    for name, span in (("voltage", foretold.voltage), ("current", foretold.current)):
        assert span.lowest <= executed[name].min()
        assert executed[name].max() <= span.highest
    for name, column in over_the_wire.columns().items():
        np.testing.assert_array_equal(here.columns()[name], column, err_msg=name)
    assert points(here) == points(over_the_wire)
    ends = [(r.result.end, r.result.elapsed) for r in over_the_wire.records if isinstance(r, StepEnded)]
    assert [(r.result.end, r.result.elapsed) for r in here.records if isinstance(r, StepEnded)] == ends
