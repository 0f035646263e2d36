"""Exchange current densities of a run: from its spectra, and from its sweeps in two ways.

They differ by factors (a Tafel line on a two-electrode cell holds films, bulk and both electrodes),
so each carries its formula, its window and what was taken off. The bulk and film that a sweep must
be corrected for are those of the latest spectrum of the same run; without one nothing is taken off
and the result says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record, RunStarted, SampleBlock, StepEnded, StepStarted
from hilcycler.steps import CyclicVoltammetry, LinearSweep
from hilcycler_protocols.evaluation.cell_impedance import CellImpedance
from hilcycler_protocols.evaluation.exchange_current import (
    Polarised,
    from_impedance,
    linear_polarisation,
    polarisation_resistance,
    tafel,
)
from hilcycler_protocols.evaluation.promised import promised
from hilcycler_protocols.evaluation.results import EvaluationRefused, Flag, Result
from hilcycler_protocols.evaluation.uncertainty import Known

TAFEL_WINDOW: Final = (-0.15, -0.10)
"""V of the whole cell, as bn-pp states it; other papers state none."""
ROOM_TEMPERATURE: Final = 298.15

_UNCORRECTED: Final = Flag("uncorrected", "no spectrum in this run: bulk and film are still in this number")


@dataclass
class CellExchangeCurrent:
    """Fed with the records of a run: j_0 of every spectrum and every sweep, as they are completed."""

    temperature: float = ROOM_TEMPERATURE
    refused: list[str] = field(default_factory=list)
    spectra: CellImpedance = field(default_factory=CellImpedance)
    _header: RunStarted | None = None
    _step: StepStarted | None = None
    _blocks: list[SampleBlock] = field(default_factory=list)
    _latest: dict[str, Result] = field(default_factory=dict)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; what the spectrum or sweep that it completes says."""
        seen = len(self.spectra.fits)
        self.spectra.put(record)
        if len(self.spectra.fits) > seen:
            return self._keep("impedance", self._from_spectrum)
        match record:
            case RunStarted():
                self._header = record
            case StepStarted():
                self._step, self._blocks = record, []
            case SampleBlock() if self._step is not None and _swept(self._step):
                self._blocks.append(record)
            case StepEnded() if self._step is not None and self._blocks:
                found = self._keep("linear polarisation", self._linear) + self._keep("Tafel", self._tafel)
                self._blocks = []
                return found
            case _:
                pass
        return []

    def finish(self) -> list[Result]:
        """A sweep that was cut off gives nothing."""
        return []

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (sweeps are not averaged)
        """The latest of each way."""
        return list(self._latest.values())

    def _keep(self, way: str, evaluated: Callable[[], Result]) -> list[Result]:
        try:
            self._latest[way] = evaluated()
        except EvaluationRefused as refusal:
            self.refused.append(f"{way}: {refusal}")
            return []
        return [self._latest[way]]

    def _from_spectrum(self) -> Result:
        return from_impedance(self.spectra.fits[max(self.spectra.fits)]["R_ct"], self._polarised(Known(0.0)))

    def _linear(self) -> Result:
        voltage, current = self._columns()
        resistance = polarisation_resistance(voltage, current, accuracy=promised(self._header))
        return self._doubted(linear_polarisation(resistance, self._polarised(self._series())))

    def _tafel(self) -> Result:
        voltage, current = self._columns()
        cell = self._polarised(self._series())
        rate = getattr(self._step.step, "rate", None) if self._step is not None else None
        return self._doubted(
            tafel(
                voltage,
                current,
                cell,
                window=TAFEL_WINDOW,
                scan_rate=rate,
                accuracy=promised(self._header),
            ).exchange_current
        )

    def _columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        voltage, current = (
            np.concatenate([block.columns[name] for block in self._blocks]) for name in ("voltage", "current")
        )
        return voltage, current

    def _series(self) -> Known:
        """Bulk and film, which at the speed of a sweep cannot be told from charge transfer."""
        if not self.spectra.fits:
            return Known(0.0)
        fitted = self.spectra.fits[max(self.spectra.fits)]
        parts = [fitted[name] for name in ("R_b", "R_SEI", "R_D") if name in fitted.results]
        return Known(sum(part.value for part in parts))

    def _doubted(self, result: Result) -> Result:
        return result if self.spectra.fits else result.flagged(_UNCORRECTED)

    def _polarised(self, series: Known) -> Polarised:
        cell = self._header.cell if self._header is not None else None
        area = None if cell is None or cell.area is None else Known(cell.area)
        return Polarised(area, _electrodes(self._header), self.temperature, series)


def _electrodes(header: RunStarted | None) -> int:
    return 1 if header is not None and header.cell.reference is not None else 2


def _swept(started: StepStarted) -> bool:
    return isinstance(started.step, LinearSweep | CyclicVoltammetry)


evaluation = Evaluation(
    name="exchange-current",
    summary="exchange current density from spectra (R_ct), linear polarisation and a Tafel line",
    start=CellExchangeCurrent,
)
