"""Activation energies of a run that took spectra at several temperatures: of bulk, film and transfer.

The temperature of a spectrum is the one last measured before it (a `temperature` column), else the
one that was last asked of the chamber.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record, SampleBlock, StepStarted
from hilcycler.steps import SetTemperature
from hilcycler_protocols.evaluation.arrhenius import activation_energy
from hilcycler_protocols.evaluation.cell_impedance import QUOTED, CellImpedance
from hilcycler_protocols.evaluation.impedance import CircuitFit
from hilcycler_protocols.evaluation.results import EvaluationRefused, Result


@dataclass
class CellActivation:
    """Fed with the records of a run: E_a of each resistance once it has been seen at four temperatures."""

    refused: list[str] = field(default_factory=list)
    spectra: CellImpedance = field(default_factory=CellImpedance)
    _kelvin: float | None = None
    _seen: list[tuple[float, CircuitFit]] = field(default_factory=list)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the energies are in the summary."""
        match record:
            case StepStarted(step=SetTemperature(temperature=kelvin)):
                self._kelvin = kelvin
            case SampleBlock() if "temperature" in record.columns and len(record):
                measured = np.asarray(record.columns["temperature"], dtype=np.float64)
                if np.isfinite(measured).any():
                    self._kelvin = float(measured[np.isfinite(measured)][-1])
            case _:
                pass
        seen = len(self.spectra.fits)
        self.spectra.put(record)
        if len(self.spectra.fits) > seen:
            if self._kelvin is None:
                self.refused.append("a spectrum at an unknown temperature")
            else:
                self._seen.append((self._kelvin, self.spectra.fits[max(self.spectra.fits)]))
        return []

    def finish(self) -> list[Result]:
        """No more records will come."""
        return []

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (all temperatures belong together)
        found, why = activation_energies(self._seen)
        self.refused += why
        return found


def activation_energies(spectra: Sequence[tuple[float, CircuitFit]]) -> tuple[list[Result], list[str]]:
    """E_a of every resistance that the fits name, from ln(1/R); and why others have none.

    For spectra that lie in several runs, with the kelvin of each.
    """
    found, refused = [], []
    for name in QUOTED:
        pairs = [(kelvin, fitted[name].value) for kelvin, fitted in spectra if name in fitted.results]
        try:
            found.append(activation_energy([k for k, _ in pairs], [r for _, r in pairs], of=name).energy)
        except EvaluationRefused as refusal:
            refused.append(str(refusal))
    return found, refused


evaluation = Evaluation(
    name="arrhenius",
    summary="activation energies of bulk, film and charge transfer from spectra at several temperatures",
    start=CellActivation,
)
