"""How fast a Keithley SMU can be sampled over its line, and how long a reading is averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hilcycler.quantities import Second
from hilcycler.steps import CyclicVoltammetry, LinearSweep, Sampling, Step

FASTEST: Final[Second] = 0.01
"""Over a network; a slower line is measured when it is opened, and what it cannot carry is refused."""
LINE_HZ: Final = 50.0
SETTLING: Final[Second] = 0.0015
"""Beside the integration, each reading takes about this."""
TO_SPARE: Final = 1.2
SET_POINT: Final = 4
"""Round trips to a set-point of a sweep, before its reading: is it on; set; read back; any error?"""


@dataclass(frozen=True, slots=True)
class Line:
    """What a line can carry: `round_trip` is that of a question about as long as a reading."""

    round_trip: Second

    @property
    def fastest(self) -> Second:
        """Between two readings, with the shortest conversion and a fifth to spare."""
        return max(FASTEST, TO_SPARE * (self.round_trip + conversion(cycles_for(FASTEST))))

    @property
    def fastest_sweep(self) -> Second:
        """Between two set-points of a sweep, each with its reading."""
        return max(
            self.fastest, TO_SPARE * ((SET_POINT + 1) * self.round_trip + conversion(cycles_for(FASTEST)))
        )


def period(step: Step, fastest: Second) -> Second:
    """How often `step` is sampled."""
    match step:
        case LinearSweep() | CyclicVoltammetry():
            return max(step.step / step.rate, fastest)
        case _:
            return max(getattr(step, "sampling", Sampling()).decide, fastest)


def asked_period(step: Step) -> Second:
    """How often somebody wants to see a sample; sweeps are judged by what steps them."""
    if isinstance(step, LinearSweep | CyclicVoltammetry):
        return step.step / step.rate
    every = getattr(step, "sampling", Sampling()).every
    return math.inf if every is None else every


def cycles_for(period: Second) -> float:
    """As much averaging, up to one cycle of the power line, as fits in 40 % of a period."""
    return round(min(1.0, max(0.01, (0.4 * period - SETTLING) * LINE_HZ)), 3)


def conversion(cycles: float) -> Second:
    """How long a reading averaged over `cycles` of the power line takes."""
    return cycles / LINE_HZ + SETTLING
