"""How fast a long run is evaluated cycle by cycle, and in how much memory: `cycler bench evaluation`."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from hilcycler import registry
from hilcycler.cell import Cell, Electrode
from hilcycler.clock import Stamp, process_time
from hilcycler.evaluation import evaluate_all
from hilcycler.journal import Journal, Settings, open_run
from hilcycler.protocol import Envelope
from hilcycler.records import (
    CurrentRange,
    Instrument,
    OffState,
    Outcome,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
)
from hilcycler.steps import ChargeReached, ConstantCurrent, End, Process, StepResult, VoltageAbove
from hilcycler_simulators.virtual_time import run as run_in_virtual_time

_AMPERE: Final = 1e-3
_PER_HALF: Final = 5000
_CHARGE: Final = 3.6
_STRIPPED: Final = 0.988
_NAMES: Final = ("coulombic-efficiency", "overpotential", "lifetime")


def evaluation(*, full: bool) -> list[dict[str, Any]]:
    """Evaluation: cycle by cycle of a run of 10 million rows (short: 1 million), seconds and memory."""
    rows = 10_000_000 if full else 1_000_000
    cycles = rows // (2 * _PER_HALF)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = run_in_virtual_time(_written(Path(folder), cycles))
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            1, mp_context=spawning
        ) as pool:  # its memory is that of the evaluation alone
            seconds, cpu, peak, found = pool.submit(_evaluated, str(path)).result()
    return [
        {
            "what": ", ".join(_NAMES),
            "rows": rows,
            "cycles": cycles,
            "s": round(seconds, 1),
            "CPU s": round(cpu, 1),
            "promised s": 15,
            "peak MB": round(peak),
            "promised MB": 1000,
            "findings": found,
        }
    ]


def _evaluated(path: str) -> tuple[float, float, float, int]:
    began, before = process_time(), resource.getrusage(resource.RUSAGE_SELF)
    found = evaluate_all(open_run(path), {name: registry.evaluation(name) for name in _NAMES})
    told = sum(len(findings) + len(accumulator.summary()) for accumulator, findings in found.values())
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return process_time() - began, cpu, after.ru_maxrss / 1024.0, told


async def _written(folder: Path, cycles: int) -> Path:
    """A run of plating and stripping on copper whose voltage is a ramp and noise; no instrument."""
    rng = np.random.default_rng(1)
    lithium, copper = Electrode("Li"), Electrode("Cu")
    stamp = Stamp(0.0, 0.0)
    async with Journal.create(folder, "20260101-evaluate", Settings(inline=True)) as journal:
        journal.put(
            RunStarted(
                run="20260101-evaluate", protocol_name="benchmark", protocol_text="", protocol_sha256="",
                cell=Cell("benchmark", copper, lithium, area=1.131e-4),
                instrument=Instrument("none", "none", "", "", simulated=True),
                envelope=Envelope(), versions={}, stamp=stamp,
                current_ranges=(CurrentRange(1, 1e-2, 1e-3, 1e-6),),
            )
        )  # fmt: skip
        time, sequence = 0.0, 0
        for number in range(2 * cycles):
            strips = number % 2 == 1
            charge = _CHARGE * (_STRIPPED if strips else 1.0)
            seconds = charge / _AMPERE
            ends = (End(VoltageAbove(0.5)),) if strips else (End(ChargeReached(_CHARGE)),)
            process, sign = (Process.STRIP, 1.0) if strips else (Process.PLATE, -1.0)
            count, cycle = number + 1, number // 2 + 1
            step = ConstantCurrent(sign * _AMPERE, ends, process=process)
            journal.put(StepStarted(count, 1 + strips, cycle, step, time, stamp))
            at = np.linspace(seconds / _PER_HALF, seconds, _PER_HALF)
            columns = {
                "test_time": time + at,
                "voltage": sign * (0.02 + 1e-6 * at) + 1e-5 * rng.standard_normal(_PER_HALF),
                "current": np.full(_PER_HALF, sign * _AMPERE),
                "range": np.ones(_PER_HALF, np.uint8),
                "status": np.zeros(_PER_HALF, np.uint8),
            }
            journal.put(SampleBlock(sequence, count, 1 + strips, cycle, columns))
            sequence += _PER_HALF
            time += seconds
            result = StepResult(0, seconds, sign * charge, sign * 0.02, sign * _AMPERE)
            journal.put(StepEnded(count, result, time, stamp))
            await journal.commit()
        journal.put(RunEnded(Outcome.COMPLETED, "", OffState.OFF, stamp))
        return journal.path
