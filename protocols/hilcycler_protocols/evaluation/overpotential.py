"""Overpotential and hysteresis of plating and stripping, in four definitions, each with its name.

Papers print one number for either and seldom say which: a two-electrode |V| holds two interfaces,
and "hysteresis" is the distance between plating and stripping, twice the overpotential. So every
number here carries its definition, its window and its electrodes.

Averages are over charge, not over samples: how densely a plateau happened to be recorded does not
weigh. Half-cycles that were not wholly observed give no number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler.evaluation import Evaluation
from hilcycler.quantities import Volt
from hilcycler.records import Record, RunStarted
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.halfcycles import HalfCycle, HalfCycles
from hilcycler_protocols.evaluation.promised import promised
from hilcycler_protocols.evaluation.results import (
    MILLIVOLT,
    PERCENT,
    EvaluationRefused,
    Refusal,
    Result,
    Window,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import Component, scatter, within


class Definition(StrEnum):
    """What "the voltage of a half-cycle" means."""

    CENTRAL = "mean over the central part of the charge"
    END = "at the end of the half-cycle"
    MEDIAN = "median over the charge"
    MEAN = "mean over the charge"


CENTRAL_SHARE: Final = 0.5
"""The part of the charge that the central mean takes, in the middle."""

_PAIRS: Final = ({Process.PLATE, Process.STRIP}, {Process.CHARGE, Process.DISCHARGE})
_REDUCED: Final = frozenset({Process.PLATE, Process.DISCHARGE})


class Quantity(StrEnum):
    """Two numbers that papers use as one."""

    OVERPOTENTIAL = "overpotential"
    HYSTERESIS = "hysteresis"


class Electrodes(StrEnum):
    """Between what the voltage was measured, or to what it was reduced."""

    TWO = "two electrodes"
    EACH = "one of two equal electrodes"
    WORKING = "working electrode against reference"


@dataclass(frozen=True, slots=True)
class Level:
    """One half-cycle in one definition: the mean magnitude of the voltage, and the signed one."""

    magnitude: Volt
    signed: Volt
    samples: int


@dataclass(frozen=True, slots=True)
class HalfCycleLevels:
    """The voltage of one half-cycle in every definition."""

    cycle: int
    process: Process
    levels: dict[Definition, Level]


@dataclass(frozen=True, slots=True)
class CycleOverpotential:
    """A plating and a stripping half-cycle of the same cycle (of a full cell: discharge and charge)."""

    cycle: int
    plated: HalfCycleLevels
    stripped: HalfCycleLevels

    def overpotential(self, definition: Definition) -> Volt:
        """The mean of the two magnitudes, as measured between the terminals."""
        return 0.5 * (self.plated.levels[definition].magnitude + self.stripped.levels[definition].magnitude)

    def hysteresis(self, definition: Definition) -> Volt:
        """The distance between the two voltages."""
        return abs(self.stripped.levels[definition].signed - self.plated.levels[definition].signed)

    def samples(self, definition: Definition) -> int:
        return self.plated.levels[definition].samples + self.stripped.levels[definition].samples


_QUANTITIES: Final = {
    Quantity.OVERPOTENTIAL: CycleOverpotential.overpotential,
    Quantity.HYSTERESIS: CycleOverpotential.hysteresis,
}


def _quantities(cycle: CycleOverpotential) -> tuple[Quantity, ...]:
    """The voltage of a full cell is no overpotential; the distance between its branches is a hysteresis."""
    return tuple(Quantity) if cycle.plated.process is Process.PLATE else (Quantity.HYSTERESIS,)


def levels(half: HalfCycle, share: float = CENTRAL_SHARE) -> HalfCycleLevels:
    """The voltage of a half-cycle in every definition; EvaluationRefused if it has none.

    `share`: the part of the charge, in the middle, that the central mean takes.
    """
    if half.partial:
        raise EvaluationRefused(
            Refusal.PARTIAL, f"{half.process} of cycle {half.cycle} was only partly observed"
        )
    if len(half.voltage) < 2 or not half.passed[-1] > half.passed[0]:
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA, f"{half.process} of cycle {half.cycle} has {len(half.voltage)} samples"
        )
    if not (np.isfinite(half.voltage).all() and np.isfinite(half.passed).all()):
        raise EvaluationRefused(
            Refusal.NOT_FINITE, f"{half.process} of cycle {half.cycle} holds no finite voltage"
        )
    v, q = half.voltage, half.passed
    low, high = 0.5 - share / 2.0, 0.5 + share / 2.0
    edges = q[0] + (q[-1] - q[0]) * np.array([low, high])
    rounding = 1e-9 * (q[-1] - q[0])
    inside = int(np.count_nonzero((q >= edges[0] - rounding) & (q <= edges[1] + rounding)))
    return HalfCycleLevels(
        half.cycle,
        half.process,
        {
            Definition.CENTRAL: Level(_mean(np.abs(v), q, edges), _mean(v, q, edges), inside),
            Definition.END: Level(abs(float(v[-1])), float(v[-1]), 1),
            Definition.MEDIAN: Level(_median(np.abs(v), q), _median(v, q), len(v)),
            Definition.MEAN: Level(_mean(np.abs(v), q, q[[0, -1]]), _mean(v, q, q[[0, -1]]), len(v)),
        },
    )


def _mean(v: NDArray[np.float64], q: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """The mean of v over q between `edges`: trapezoids, with the edges interpolated."""
    inside = (q > edges[0]) & (q < edges[1])
    q_in = np.concatenate((edges[:1], q[inside], edges[1:]))
    v_in = np.concatenate((np.interp(edges[:1], q, v), v[inside], np.interp(edges[1:], q, v)))
    return float(np.trapezoid(v_in, q_in) / (edges[1] - edges[0]))


def _median(v: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """The voltage below which half of the charge passed; a sample stands for half the way to its neighbours."""
    steps = np.diff(q)
    weight = 0.5 * (np.concatenate((steps, [0.0])) + np.concatenate(([0.0], steps)))
    order = np.argsort(v, kind="stable")
    below = np.cumsum(weight[order])
    return float(v[order][np.searchsorted(below, 0.5 * below[-1])])


@dataclass
class Overpotentials:
    """Fed with the records of a run: the overpotential of every cycle, as it is completed."""

    share: float = CENTRAL_SHARE
    cycles: list[CycleOverpotential] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _cell: Cell | None = None
    _header: RunStarted | None = None
    _halves: HalfCycles = field(default_factory=HalfCycles)
    _waiting: HalfCycleLevels | None = None

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the results of the cycle that it completes."""
        if isinstance(record, RunStarted):
            self._header, self._cell = record, record.cell
        return self._take(self._halves.put(record))

    def finish(self) -> list[Result]:
        """No more records will come."""
        return self._take(self._halves.finish())

    def results(self, cycle: CycleOverpotential) -> list[Result]:
        """One cycle in every definition: overpotential and hysteresis, as measured and per electrode."""
        return self._averaged([cycle])

    def summary(self, last: int | None = None) -> list[Result]:
        """Means over the `last` cycles (or all); the standard deviation between cycles is among the inputs."""
        return self.over(self.cycles[-last:] if last else self.cycles)

    def over(self, chosen: Sequence[CycleOverpotential]) -> list[Result]:
        """As `summary`, over the cycles `chosen`."""
        return self._averaged(chosen) if chosen else []

    def _averaged(self, chosen: Sequence[CycleOverpotential]) -> list[Result]:
        return [
            self._result(quantity, definition, electrodes, factor, chosen)
            for definition in Definition
            for quantity in _quantities(chosen[0])
            for electrodes, factor in self._electrodes()
        ]

    def _result(
        self,
        quantity: Quantity,
        definition: Definition,
        electrodes: Electrodes,
        factor: float,
        chosen: Sequence[CycleOverpotential],
    ) -> Result:
        values = np.array([factor * _QUANTITIES[quantity](cycle, definition) for cycle in chosen])
        first, last = chosen[0].cycle, chosen[-1].cycle
        several = {"SD between cycles": float(np.std(values, ddof=1))} if len(values) > 1 else {}
        bare = Result(
            name=quantity,
            value=float(np.mean(values)),
            unit=MILLIVOLT,
            formula=f"{quantity}, {definition}",
            source="no standard; the definition is part of the number",
            window=self._window(definition),
            inputs={
                "definition": str(definition),
                "electrodes": str(electrodes),
                "cycles": f"{first}" if len(chosen) == 1 else f"{first} to {last}",
                "n": float(sum(cycle.samples(definition) for cycle in chosen)),
                **several,
            },
        )
        return with_budget(bare, self._budget(bare.value, values))

    def _budget(self, value: Volt, values: NDArray[np.float64]) -> list[Component]:
        """Of the mean. Offsets of voltage and current shift plating and stripping alike and cancel."""
        promise = promised(self._header)
        gains = [each.gain for each in self._header.current_ranges] if self._header is not None else []
        budget = [
            within("voltage gain", promise.voltage_gain * value),
            within("current gain", max(gains, default=0.0) * value),
        ]
        if len(values) > 1:
            spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
            budget.append(scatter("scatter between cycles", spread, len(values) - 1))
        return budget

    def _window(self, definition: Definition) -> Window | None:
        match definition:
            case Definition.CENTRAL:
                return Window("charge", 0.5 - self.share / 2.0, 0.5 + self.share / 2.0, PERCENT)
            case Definition.MEDIAN | Definition.MEAN:
                return Window("charge", 0.0, 1.0, PERCENT)
            case Definition.END:
                return None
            case _:
                assert_never(definition)

    def _electrodes(self) -> list[tuple[Electrodes, float]]:
        """As measured, and by which factor per electrode: only two equal ones can be told apart by halving."""
        cell = self._cell
        if cell is not None and cell.reference is not None:
            return [(Electrodes.WORKING, 1.0)]
        if cell is not None and cell.working.material == cell.counter.material:
            return [(Electrodes.TWO, 1.0), (Electrodes.EACH, 0.5)]
        return [(Electrodes.TWO, 1.0)]

    def _take(self, halves: Iterable[HalfCycle]) -> list[Result]:
        found: list[Result] = []
        for half in halves:
            try:
                now = levels(half, self.share)
            except EvaluationRefused as refusal:
                self.refused.append(str(refusal))
                self._waiting = None
                continue
            before, self._waiting = self._waiting, now
            if before is None or before.cycle != now.cycle or {before.process, now.process} not in _PAIRS:
                continue
            self._waiting = None
            plated, stripped = (before, now) if before.process in _REDUCED else (now, before)
            self.cycles.append(CycleOverpotential(now.cycle, plated, stripped))
            found += self.results(self.cycles[-1])
        return found


def quoted(
    results: Iterable[Result],
    quantity: Quantity = Quantity.OVERPOTENTIAL,
    definition: Definition = Definition.CENTRAL,
    electrodes: Electrodes = Electrodes.TWO,
) -> Result:
    """The one among `results` that is asked for; EvaluationRefused if there is none."""
    for result in results:
        if (
            result.name == quantity
            and result.inputs["definition"] == definition
            and result.inputs["electrodes"] == electrodes
        ):
            return result
    raise EvaluationRefused(
        Refusal.TOO_LITTLE_DATA, f"no complete cycle for the {quantity}, {definition}, {electrodes}"
    )


evaluation = Evaluation(
    name="overpotential",
    summary="overpotential and hysteresis of plating and stripping, cycle by cycle, in four definitions",
    start=Overpotentials,
)
