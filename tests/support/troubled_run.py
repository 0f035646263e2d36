"""A run that has everything that somebody has to know: a cell that shorts, a disk that fills, a trip."""

from __future__ import annotations

import math

import numpy as np
from run_stories import RUN

from hilcycler.clock import Stamp
from hilcycler.journal.bench import example_header
from hilcycler.protocol import Violation
from hilcycler.records import (
    ImpedancePoint,
    Note,
    OffState,
    Outcome,
    Record,
    RunEnded,
    SampleBlock,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.steps import ConstantCurrent, End, Process, StepResult, TimeReached


def troubled(half_cycles: int = 10) -> list[Record]:
    """Symmetric cycling at 50 mV; the last four half-cycles lie at 0.4 mV: a hard short. The disk fills, too."""
    records: list[Record] = [example_header(RUN)]
    for count in range(1, half_cycles + 1):
        began, rows, sign = 100.0 * (count - 1), 100, -1.0 if count % 2 else 1.0
        process = Process.PLATE if sign < 0.0 else Process.STRIP
        step = ConstantCurrent(sign * 1e-3, (End(TimeReached(100.0)),), process=process)
        records.append(StepStarted(count, 1 + count % 2, (count + 1) // 2, step, began, Stamp(began, began)))
        level = 0.05 if count <= half_cycles - 4 else 0.0004
        columns = {
            "test_time": began + np.arange(rows),
            "voltage": np.full(rows, sign * level),
            "current": np.full(rows, sign * 1e-3),
            "range": np.full(rows, 3, np.uint8),
            "status": np.zeros(rows, np.uint8),
        }
        records.append(SampleBlock(100 * (count - 1), count, 1 + count % 2, (count + 1) // 2, columns))
        records.append(ImpedancePoint(count, began + 99.0, 1000.0, 12.5, -0.5))
        result = StepResult(0, 100.0, sign * 0.1, sign * level, sign * 1e-3)
        records.append(StepEnded(count, result, began + 100.0, Stamp(began + 100.0, began + 100.0)))
    end = Stamp(1000.0, 1000.0)
    violation = Violation("voltage", math.nan, -1.0, 1.0)
    records.append(Note("/data: only 90 MB left on this disk", end))
    records.append(Tripped(half_cycles, violation, "host", OffState.OFF, end))
    return [*records, RunEnded(Outcome.TRIPPED, "safety limit", OffState.OFF, end)]
