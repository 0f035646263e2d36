"""Conductivity of the wetted separator of a run between blocking electrodes, each spectrum for itself.

A spectrum of a step named `leads`, taken with the leads shorted, is taken off the ones after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hilcycler.evaluation import Evaluation
from hilcycler.records import ImpedancePoint, Record, RunStarted, StepEnded, StepStarted
from hilcycler_protocols.evaluation.cell_impedance import BLOCKING, CellImpedance
from hilcycler_protocols.evaluation.conductivity import conductivity
from hilcycler_protocols.evaluation.results import EvaluationRefused, Flag, Result
from hilcycler_protocols.evaluation.uncertainty import Known

LEADS = "leads"

_LIVE: Final = Flag("not-blocking", "not between blocking electrodes: R_b of a cell whose electrodes react")


@dataclass
class CellConductivity:
    """Fed with the records of a run: sigma of every spectrum; the summary is the latest."""

    refused: list[str] = field(default_factory=list)
    spectra: CellImpedance = field(default_factory=CellImpedance)
    _header: RunStarted | None = None
    _leads: Known | None = None
    _shorted: list[float] | None = None
    _last: list[Result] = field(default_factory=list)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the conductivity from the spectrum that it completes."""
        match record:
            case RunStarted():
                self._header = record
            case StepStarted():
                self._shorted = [] if record.step.name == LEADS else None
            case ImpedancePoint() if self._shorted is not None:
                self._shorted.append(record.real)
                return []
            case StepEnded() if self._shorted:
                ohms = np.array(self._shorted)
                self._leads = Known(float(np.median(ohms)), float(np.ptp(ohms)) / 2.0)
                return []
            case _:
                pass
        seen = len(self.spectra.fits)
        self.spectra.put(record)
        return self._conductivity() if len(self.spectra.fits) > seen else []

    def finish(self) -> list[Result]:
        """A spectrum that was cut off gives nothing."""
        return []

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (spectra are not averaged)
        return self._last

    def _conductivity(self) -> list[Result]:
        fitted = self.spectra.fits[max(self.spectra.fits)]
        cell = self._header.cell if self._header is not None else None
        thickness = None if cell is None else cell.separator_thickness
        area = None if cell is None else cell.area
        try:
            found = conductivity(
                fitted["R_b"],
                [] if thickness is None else [Known(thickness)],
                None if area is None else Known(area),
                self._leads,
            )
        except EvaluationRefused as refusal:
            self.refused.append(str(refusal))
            return []
        blocking = cell is None or {cell.working.material, cell.counter.material} <= BLOCKING
        self._last = [found if blocking else found.flagged(_LIVE)]
        return self._last


evaluation = Evaluation(
    name="conductivity",
    summary="effective ionic conductivity from spectra between blocking electrodes",
    start=CellConductivity,
)
