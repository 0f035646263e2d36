"""A run that never happened, as records in memory: symmetric cycling with round numbers.

Invented for tests of evaluations and exports: every number that should come out can be had by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell, Electrode
from hilcycler.clock import TWIN_EPOCH, Stamp
from hilcycler.protocol import Envelope
from hilcycler.records import (
    Event,
    ImpedancePoint,
    Instrument,
    OffState,
    Outcome,
    Record,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
)
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    End,
    PotentiostaticImpedance,
    Process,
    Rest,
    Step,
    StepResult,
    TimeReached,
)

LI_LI = Cell("Li||Li 1", Electrode("Li"), Electrode("Li"), area=1.131e-4)
SECONDS = Stamp(TWIN_EPOCH, 0.0)


def stamp(test_time: float) -> Stamp:
    return Stamp(TWIN_EPOCH + test_time, test_time)


def header(cell: Cell = LI_LI) -> RunStarted:
    return RunStarted(
        run="20260101-000000-test",
        protocol_name="symmetric, by hand",
        protocol_text="protocol: symmetric, by hand\n",
        protocol_sha256="0" * 64,
        cell=cell,
        instrument=Instrument("none", "by hand", "0", "0", simulated=True),
        envelope=Envelope(voltage=(-1.0, 1.0)),
        versions={"hilcycler": "test"},
        stamp=stamp(0.0),
    )


@dataclass
class Recorded:
    """Records in the order of a journal, and the reader's view of them."""

    records: list[Record] = field(default_factory=list)
    test_time: float = 0.0
    step_count: int = 0
    sequence: int = 0

    def begin(self, cell: Cell = LI_LI) -> Recorded:
        self.records.append(header(cell))
        return self

    def step(
        self,
        step: Step,
        times: Sequence[float],
        voltage: Sequence[float],
        current: Sequence[float] | float,
        *,
        cycle: int = 0,
        index: int = 1,
        partial: bool = False,
        blocks: int = 1,
        temperature: float | None = None,
        continues: int | None = None,
    ) -> Recorded:
        """One executed step; its samples at `times` after its start, in `blocks` pieces."""
        self.step_count += 1
        start = self.test_time
        self.records.append(StepStarted(self.step_count, index, cycle, step, start, stamp(start), continues))
        t, v = np.asarray(times, float) + start, np.asarray(voltage, float)
        i = np.broadcast_to(np.asarray(current, float), t.shape)
        for rows in np.array_split(np.arange(len(t)), blocks):
            columns: dict[str, NDArray[Any]] = {
                "test_time": t[rows],
                "voltage": v[rows],
                "current": i[rows],
                "range": np.full(len(rows), 3, "u1"),
                "status": np.zeros(len(rows), "u1"),
            }
            if temperature is not None:
                columns["temperature"] = np.full(len(rows), temperature, "<f4")
            self.records.append(SampleBlock(self.sequence, self.step_count, index, cycle, columns))
            self.sequence += len(rows)
        elapsed = float(times[-1]) if len(times) else 0.0
        charge = float(np.trapezoid(i, t)) if len(t) else 0.0
        self.test_time = start + elapsed
        result = StepResult(
            end=0,
            elapsed=elapsed,
            charge=charge,
            last_voltage=float(v[-1]) if len(t) else None,
            last_current=float(i[-1]) if len(t) else None,
            partial=partial,
        )
        self.records.append(StepEnded(self.step_count, result, self.test_time, stamp(self.test_time)))
        return self

    def spectrum(
        self, points: Sequence[tuple[float, complex]], *, cycle: int = 0, index: int = 1
    ) -> Recorded:
        """One executed spectrum: (frequency, impedance), a second each."""
        self.step_count += 1
        start = self.test_time
        step = PotentiostaticImpedance(0.01, points[0][0], points[-1][0])
        self.records.append(StepStarted(self.step_count, index, cycle, step, start, stamp(start)))
        for frequency, z in points:
            self.test_time += 1.0
            self.records.append(ImpedancePoint(self.step_count, self.test_time, frequency, z.real, z.imag))
        ended = StepResult(None, self.test_time - start, 0.0, None, None)
        self.records.append(StepEnded(self.step_count, ended, self.test_time, stamp(self.test_time)))
        return self

    def end(self) -> Recorded:
        self.records.append(
            RunEnded(Outcome.COMPLETED, "protocol complete", OffState.OFF, stamp(self.test_time))
        )
        return self

    # --- as hilcycler.journal.Run gives it --------------------------------------------------

    @property
    def header(self) -> RunStarted:
        first = self.records[0]
        assert isinstance(first, RunStarted)
        return first

    @property
    def ended(self) -> RunEnded | None:
        last = self.records[-1]
        return last if isinstance(last, RunEnded) else None

    def events(self) -> list[Event]:
        return [record for record in self.records if not isinstance(record, SampleBlock)]

    def chunks(
        self, names: Sequence[str] | None = None, rows: int = 100_000
    ) -> Iterator[dict[str, NDArray[Any]]]:
        for block in self.records:
            if isinstance(block, SampleBlock):
                extra = {"step_count": block.step_count, "step_index": block.step_index, "cycle": block.cycle}
                whole = dict(block.columns)
                whole.setdefault("temperature", np.full(len(block), np.nan, "<f4"))
                whole |= {name: np.full(len(block), value, np.int64) for name, value in extra.items()}
                for start in range(0, len(block), rows):
                    yield {name: whole[name][start : start + rows] for name in names or whole}


def half_cycle(process: Process, current: float, charge: float = 4.0716) -> ConstantCurrent:
    sign = -1.0 if process in {Process.PLATE, Process.DISCHARGE} else 1.0
    return ConstantCurrent(sign * current, (End(ChargeReached(charge)),), process=process)


def symmetric(cycles: int = 3, every: float = 10.0, blocks: int = 1) -> Recorded:
    """A rest of 600 s, then `cycles` of one hour each way at 1.131 mA, at -13 mV and +13 mV."""
    run = Recorded().begin()
    run.step(Rest((End(TimeReached(600.0)),)), np.arange(0.0, 601.0, 60.0).tolist(), [1e-4] * 11, 0.0)
    times = np.arange(0.0, 3600.0 + every / 2, every).tolist()
    for cycle in range(1, cycles + 1):
        for index, process, sign in ((2, Process.PLATE, -1.0), (3, Process.STRIP, 1.0)):
            step = half_cycle(process, 1.131e-3)
            voltage = [sign * 0.013] * len(times)
            run.step(step, times, voltage, sign * 1.131e-3, cycle=cycle, index=index, blocks=blocks)
    return run.end()
