"""The spectra of a run, fitted one after the other as they come: bulk, film and charge transfer.

Which circuit: metal electrodes have two arcs and a diffusion that ends in a resistance, a host for ions
against metal one that ends in a capacitor; two blocking electrodes have neither. Arcs keep their names from one spectrum to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hilcycler.evaluation import Evaluation
from hilcycler.records import ImpedancePoint, Record, RunStarted, StepEnded, StepStarted
from hilcycler.steps import GalvanostaticImpedance, PotentiostaticImpedance
from hilcycler_protocols.evaluation.impedance import (
    Circuit,
    CircuitFit,
    FiniteLength,
    FiniteSpace,
    blocking_cell,
    fit,
    lin_kk,
    lithium_cell,
    measured,
)
from hilcycler_protocols.evaluation.results import EvaluationRefused, Result
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy

QUOTED: Final = ("R_b", "R_SEI", "R_ct")
_METALS: Final = frozenset({"Li", "Na", "K", "Cu"})
BLOCKING: Final = frozenset({"SS", "stainless steel", "Au", "Pt"})


@dataclass
class CellImpedance:
    """Fed with the records of a run: each spectrum's resistances, in ohm and, with an area, ohm cm2.

    `fits` by the count of the executed step; `refused` says why a spectrum gave none.
    """

    fits: dict[int, CircuitFit] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    _header: RunStarted | None = None
    _points: list[ImpedancePoint] = field(default_factory=list)
    _cycle: int = 0
    _last: list[Result] = field(default_factory=list)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the results of the spectrum that it completes."""
        match record:
            case RunStarted():
                self._header = record
            case StepStarted(step=PotentiostaticImpedance() | GalvanostaticImpedance()):
                self._points, self._cycle = [], record.cycle
            case ImpedancePoint():
                self._points.append(record)
            case StepEnded() if self._points:
                self._last = self._fitted(record.step_count)
                self._points = []
                return self._last
            case _:
                pass
        return []

    def finish(self) -> list[Result]:
        """A spectrum that was cut off gives nothing."""
        return []

    def summary(self, last: int | None = None) -> Sequence[Result]:  # noqa: ARG002  (spectra are not averaged)
        """The latest spectrum."""
        return self._last

    def _fitted(self, step_count: int) -> list[Result]:
        previous = next(reversed(self.fits.values()), None)
        try:
            spectrum = measured(
                [point.frequency for point in self._points],
                [complex(point.real, point.imaginary) for point in self._points],
            )
            found = fit(spectrum, self._circuit(), follow=previous, accuracy=self._accuracy())
            validity = lin_kk(spectrum)
        except EvaluationRefused as refusal:
            self.refused[step_count] = str(refusal)
            return []
        self.fits[step_count] = found
        return [
            each.flagged(*validity.flags)
            for name in QUOTED
            if name in found.results
            for each in self._both(found[name])
        ]

    def _both(self, resistance: Result) -> list[Result]:
        told = {**resistance.inputs, "cycle": float(self._cycle), "electrodes": "two electrodes"}
        plain = replace(resistance, inputs=told)
        area = self._header.cell.area if self._header is not None else None
        return [plain] if area is None else [plain, plain.areal(area)]

    def _circuit(self) -> Circuit:
        cell = self._header.cell if self._header is not None else None
        if cell is not None and {cell.working.material, cell.counter.material} <= BLOCKING:
            return blocking_cell()
        if cell is not None and cell.working.material not in _METALS:
            return lithium_cell(FiniteSpace("D"))
        return lithium_cell(FiniteLength("D"))

    def _accuracy(self) -> Accuracy:
        """The instrument's promise for the current range that the spectrum was measured on."""
        if self._header is None:
            return PERFECT
        ranges = {each.index: each for each in self._header.current_ranges}
        used = ranges.get(self._points[0].current_range)
        if used is None:
            return PERFECT
        return Accuracy(current_gain=used.gain, voltage_gain=self._header.voltage_gain)


evaluation = Evaluation(
    name="impedance",
    summary="bulk, film and charge-transfer resistance of every spectrum, with uncertainties",
    start=CellImpedance,
)
