"""Transference number of a run that took a spectrum, polarised by some millivolts, and took another."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record, RunStarted, SampleBlock, StepEnded, StepStarted
from hilcycler.steps import ConstantVoltage, Rest
from hilcycler_protocols.evaluation.cell_impedance import CellImpedance
from hilcycler_protocols.evaluation.promised import promised
from hilcycler_protocols.evaluation.results import EvaluationRefused, Result
from hilcycler_protocols.evaluation.transference import interfaces, steady_state, transference
from hilcycler_protocols.evaluation.uncertainty import Known

_LAST_OF_A_REST = 30  # samples that make the open-circuit voltage
_FINE = 0.3  # of a reading's last digit: noise below that hides where between two digits the truth lies


@dataclass
class CellTransference:
    """Fed with the records of a run: t+ when the spectrum after the polarisation is complete.

    The polarisation is the mean measured voltage under it less the open-circuit voltage measured before
    it, so that an offset of the voltage cancels; the noise of both is part of the uncertainty.
    """

    refused: list[str] = field(default_factory=list)
    spectra: CellImpedance = field(default_factory=CellImpedance)
    _header: RunStarted | None = None
    _step: StepStarted | None = None
    _blocks: list[SampleBlock] = field(default_factory=list)
    _rest: Known = field(default_factory=lambda: Known(0.0))
    _polarised: tuple[int, list[SampleBlock]] | None = None
    _found: list[Result] = field(default_factory=list)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; t+ if it completes the second spectrum."""
        seen = len(self.spectra.fits)
        self.spectra.put(record)
        match record:
            case RunStarted():
                self._header = record
            case StepStarted():
                self._step, self._blocks = record, []
            case SampleBlock():
                self._blocks.append(record)
            case StepEnded() if self._step is not None:
                self._ended(self._step)
            case _:
                pass
        if len(self.spectra.fits) > seen and self._polarised is not None:
            return self._evaluated()
        return []

    def finish(self) -> list[Result]:
        """Without a spectrum after the polarisation there is no number."""
        if not self._found and not self.refused:
            self.refused.append("no polarisation between two spectra that could be fitted")
        return []

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (there is one number)
        return self._found

    def _ended(self, started: StepStarted) -> None:
        match started.step:
            case Rest() if self._blocks:
                self._rest = _mean(_column(self._blocks, "voltage")[-_LAST_OF_A_REST:])
            case ConstantVoltage() if self.spectra.fits and self._blocks:
                self._polarised = (max(self.spectra.fits), self._blocks)
            case _:
                pass

    def _evaluated(self) -> list[Result]:
        assert self._polarised is not None
        before, blocks = self._polarised
        self._polarised = None
        time, current = _column(blocks, "test_time"), _column(blocks, "current")
        under = _mean(_column(blocks, "voltage"))
        ranges = np.unique(_column(blocks, "range"))
        accuracy = promised(self._header, int(ranges[0]) if len(ranges) == 1 else None)
        try:
            bias = Known(under.value - self._rest.value, math.hypot(under.within, self._rest.within))
            steady = steady_state(time - time[0], current, accuracy=accuracy)
            fits = self.spectra.fits
            found = transference(bias, steady, interfaces(fits[before]), interfaces(fits[max(fits)]))
        except EvaluationRefused as refusal:
            self.refused.append(str(refusal))
            return []
        self._found = [found]
        return self._found


def _mean(readings: NDArray[np.float64]) -> Known:
    """The mean, and what it may be off by: its scatter, as a band of the same standard deviation.

    Readings that hardly scatter may all lie on one side of the truth by half of their last digit.
    """
    spread = float(readings.std(ddof=1)) if len(readings) > 1 else 0.0
    apart = np.diff(np.unique(readings))
    digit = float(apart.min()) if len(apart) else 0.0
    band = math.sqrt(3.0) * spread / math.sqrt(len(readings))
    return Known(float(readings.mean()), max(band, 0.5 * digit) if spread < _FINE * digit else band)


def _column(blocks: list[SampleBlock], name: str) -> NDArray[np.float64]:
    return np.concatenate([block.columns[name] for block in blocks]).astype(np.float64)


evaluation = Evaluation(
    name="transference",
    summary="lithium transference number after Bruce, Vincent and Evans: spectrum, polarisation, spectrum",
    start=CellTransference,
)
