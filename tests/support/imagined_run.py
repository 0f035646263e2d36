"""A symmetric cell that cycles: the records that a run of it would put, with no instrument at all.

Invented for these tests: half-cycles of one hour at 1.131 mA whose voltage is an ohmic step, a
relaxing arc and a slow growth with the cycle; a two-arc spectrum every few cycles.
"""

from collections.abc import Iterator

import numpy as np

from hilcycler.cell import Cell, Electrode
from hilcycler.clock import TWIN_EPOCH, Stamp
from hilcycler.protocol import Envelope, Violation
from hilcycler.records import (
    Failed,
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
    Tripped,
)
from hilcycler.steps import (
    ConstantCurrent,
    End,
    PotentiostaticImpedance,
    Process,
    Step,
    StepResult,
    TimeReached,
)

HOUR = 3600.0
AMPERES = 1.131e-3
FREQUENCIES = np.logspace(5, -1, 31)


class ImaginedRun:
    """Writes the records of one run, step by step."""

    def __init__(
        self, *, name: str = "20260101-symmetric", simulated: bool = True, every: float = 60.0
    ) -> None:
        self.name, self.simulated, self.every = name, simulated, every
        self.model, self.cell_name, self.protocol_name = "EmStat4S HR", "Li-Li 07", "symmetric cycling"
        self.time = 0.0
        self.sequence = self.step_count = 0

    def stamp(self) -> Stamp:
        return Stamp(TWIN_EPOCH + self.time, self.time)

    def started(self, planned_steps: int | None = 46) -> RunStarted:
        lithium = Electrode("Li", area=1.131e-4)
        return RunStarted(
            run=self.name,
            protocol_name=self.protocol_name,
            protocol_text="",
            protocol_sha256="",
            cell=Cell(self.cell_name, lithium, lithium, area=1.131e-4),
            instrument=Instrument("emstat", self.model, "ES4-0012", "1.3", simulated=self.simulated),
            envelope=Envelope(voltage=(-0.5, 0.5)),
            versions={},
            stamp=self.stamp(),
            planned_steps=planned_steps,
        )

    def begin(self, step: Step, cycle: int) -> StepStarted:
        self.step_count += 1
        index = {"plate": 1, "strip": 2}.get(getattr(step, "process", None) or "", 3)
        return StepStarted(self.step_count, index, cycle, step, self.time, self.stamp())

    def end(self, elapsed: float, charge: float = 0.0) -> StepEnded:
        self.time += elapsed
        result = StepResult(0, elapsed, charge, None, None)
        return StepEnded(self.step_count, result, self.time, self.stamp())

    def samples(self, cycle: int, sign: float, since: float, until: float) -> SampleBlock:
        """Samples of the running half-cycle between two step times, `until` not included."""
        t = np.arange(since, until, self.every)
        growth = 1.0 + 0.02 * cycle
        volts = sign * AMPERES * (3.0 + 10.0 * growth * (1.0 - 0.3 * np.exp(-t / 400.0)))
        number = np.arange(self.sequence, self.sequence + len(t))
        volts += 2e-5 * np.sin(12.9898 * number)  # reproducible everywhere, unlike a generator's noise
        columns = {
            "test_time": self.time + t,
            "voltage": volts,
            "current": np.full(len(t), sign * AMPERES),
            "range": np.zeros(len(t), dtype="u1"),
            "status": np.zeros(len(t), dtype="u1"),
        }
        block = SampleBlock(self.sequence, self.step_count, 1 if sign < 0 else 2, cycle, columns)
        self.sequence += len(t)
        return block

    def half_cycle(self, cycle: int, process: Process) -> Iterator[Record]:
        sign = -1.0 if process is Process.PLATE else 1.0
        ends = (End(TimeReached(HOUR)),)
        yield self.begin(ConstantCurrent(sign * AMPERES, ends, process=process), cycle)
        for part in range(4):
            yield self.samples(cycle, sign, part * HOUR / 4, (part + 1) * HOUR / 4)
        yield self.end(HOUR, sign * AMPERES * HOUR)

    def spectrum(self, cycle: int) -> Iterator[Record]:
        yield self.begin(PotentiostaticImpedance(0.01, 1e5, 0.1, 5), cycle)
        growth = 1.0 + 0.02 * cycle
        omega = 2 * np.pi * FREQUENCIES
        z = 3.0 + growth * (12.0 / (1 + 1j * omega * 3e-4) + 8.0 / (1 + 1j * omega * 0.05))
        for n, (f, value) in enumerate(zip(FREQUENCIES, z, strict=True)):
            yield ImpedancePoint(
                self.step_count, self.time + 2.0 * n, float(f), float(value.real), float(value.imag)
            )
        yield self.end(2.0 * len(FREQUENCIES))

    def cycles(self, first: int, last: int, spectra_every: int = 5) -> Iterator[Record]:
        for cycle in range(first, last + 1):
            yield from self.half_cycle(cycle, Process.PLATE)
            yield from self.half_cycle(cycle, Process.STRIP)
            if cycle % spectra_every == 0:
                yield from self.spectrum(cycle)

    def tripped(self, off: OffState) -> Iterator[Record]:
        yield Tripped(self.step_count, Violation("voltage", 0.6123, -0.5, 0.5), "host", off, self.stamp())
        yield self.ended(Outcome.TRIPPED, "safety limit: voltage 0.6123 outside -0.5 to 0.5", off)

    def failed(self, message: str, off: OffState = OffState.OFF) -> Failed:
        return Failed(self.step_count, "LinkLost", message, off, self.stamp())

    def ended(
        self,
        outcome: Outcome = Outcome.COMPLETED,
        reason: str = "protocol complete",
        off: OffState = OffState.OFF,
    ) -> RunEnded:
        return RunEnded(outcome, reason, off, self.stamp())
