"""Solid diffusion from the titration pulses of a run (GITT): a current between two rests, each a pulse.

The law needs the length l, volume over area of the active material. A cell that states it in its
notes (`diffusion length: 2 um`) gives D; without it the run still says D/l2, which is all that a
titration knows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.errors import QuantityError
from hilcycler.evaluation import Evaluation
from hilcycler.quantities import LENGTH, Second, Volt, parse
from hilcycler.records import Gap, Record, RunStarted, SampleBlock, StepEnded, StepStarted
from hilcycler.steps import ConstantCurrent, Rest
from hilcycler_protocols.evaluation.gitt import Pulse, diffusion
from hilcycler_protocols.evaluation.results import EvaluationRefused, Flag, Refusal, Result, Unit
from hilcycler_protocols.evaluation.uncertainty import Known

NOTE: Final = "diffusion length"
"""Of the cell: l with its unit."""
PER_SECOND: Final = Unit("1/s", "1/s")

_RELAXED: Final = 5  # samples that make a relaxed voltage
_END: Final = 0.1  # share of a rest through which its last slope is taken
_NO_LENGTH: Final = Flag("no-length", f"the cell states no {NOTE!r} in its notes: this is D/l2")

Real = NDArray[np.float64]


@dataclass
class CellDiffusion:
    """Fed with the records of a run: D (or D/l2) of a pulse as soon as the rest after it has ended."""

    refused: list[str] = field(default_factory=list)
    found: list[Result] = field(default_factory=list)
    _header: RunStarted | None = None
    _step: StepStarted | None = None
    _blocks: list[SampleBlock] = field(default_factory=list)
    _before: Volt | None = None
    _pulse: tuple[int, Real, Real] | None = None

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the result of the pulse that it completes."""
        match record:
            case RunStarted():
                self._header = record
            case StepStarted():
                self._step, self._blocks = record, []
            case SampleBlock() if len(record):
                self._blocks.append(record)
            case Gap():
                self._before = self._pulse = None
            case StepEnded() if self._step is not None:
                return self._ended(self._step)
            case _:
                pass
        return []

    def finish(self) -> list[Result]:
        """A pulse whose relaxation was cut off gives nothing."""
        return []

    def summary(self, last: int | None = None) -> list[Result]:
        """Every pulse, or the `last`: diffusion coefficients of different compositions are not averaged."""
        return self.found[-last:] if last else self.found

    def _ended(self, started: StepStarted) -> list[Result]:
        match started.step:
            case Rest() if self._blocks:
                return self._relaxed(*self._columns(started.test_time))
            case ConstantCurrent(current=current) if current != 0.0 and self._blocks:
                self._pulse = started.cycle, *self._columns(started.test_time)
            case _:
                self._before = self._pulse = None
        return []

    def _relaxed(self, time: Real, voltage: Real) -> list[Result]:
        after, pulse, before = float(voltage[-_RELAXED:].mean()), self._pulse, self._before
        self._before, self._pulse = after, None
        if pulse is None or before is None:
            return []
        cycle, t, v = pulse
        noise = (
            float(np.std(np.diff(voltage[-4 * _RELAXED :]))) / 2.0**0.5 if len(voltage) > _RELAXED else 0.0
        )
        try:
            one = self._one(Pulse(t, v, before, after, _slope(time, voltage)), noise)
        except EvaluationRefused as refusal:
            self.refused.append(f"pulse of cycle {cycle}: {refusal}")
            return []
        self.found.append(
            replace(one, inputs={**one.inputs, "cycle": float(cycle), "voltage": 0.5 * (before + after)})
        )
        return self.found[-1:]

    def _one(self, pulse: Pulse, noise: Volt) -> Result:
        cell = self._header.cell if self._header is not None else None
        two = cell is None or cell.reference is None
        length = _length(self._header)
        noise /= _RELAXED**0.5
        if length is not None:
            return diffusion(pulse, length, noise=noise, two_electrode=two).coefficient
        by_length = diffusion(pulse, Known(1.0), noise=noise, two_electrode=two).coefficient
        return replace(by_length, name="D/l2", unit=PER_SECOND, formula="4/(pi tau) (dE_s/dE_tau)^2").flagged(
            _NO_LENGTH
        )

    def _columns(self, since: Second) -> tuple[Real, Real]:
        time, voltage = (
            np.concatenate([block.columns[name] for block in self._blocks]).astype(np.float64)
            for name in ("test_time", "voltage")
        )
        return time - since, voltage


def _slope(time: Real, voltage: Real) -> float | None:
    part = time >= time[-1] - _END * (time[-1] - time[0])
    if part.sum() < 3:
        return None
    return float(np.polyfit(time[part] - time[-1], voltage[part], 1)[0])


def _length(header: RunStarted | None) -> Known | None:
    if header is None or NOTE not in header.cell.notes:
        return None
    try:
        return Known(parse(header.cell.notes[NOTE], LENGTH))
    except QuantityError as error:
        raise EvaluationRefused(Refusal.MISSING_INPUT, f"{NOTE}: {error}") from None


evaluation = Evaluation(
    name="gitt",
    summary="solid diffusion coefficient of every titration pulse (GITT)",
    start=CellDiffusion,
)
