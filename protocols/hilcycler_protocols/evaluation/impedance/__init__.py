"""Impedance: spectra, equivalent circuits and their fits, Kramers-Kronig, relaxation times.

    spectrum = measured(frequency, impedance)
    validity = lin_kk(spectrum)
    fitted = fit(spectrum, lithium_cell())
    fitted["R_SEI"].areal(area)

Runs beside the control loop's process, never in it.
"""

from __future__ import annotations

from hilcycler_protocols.evaluation.impedance.circuits import (
    Arc,
    Capacitor,
    Circuit,
    ConstantPhase,
    FiniteLength,
    FiniteSpace,
    Inductor,
    Parallel,
    Resistor,
    Series,
    Warburg,
    blocking_cell,
    lithium_cell,
)
from hilcycler_protocols.evaluation.impedance.fitting import fit
from hilcycler_protocols.evaluation.impedance.kramers_kronig import KramersKronig, lin_kk
from hilcycler_protocols.evaluation.impedance.relaxation_times import RelaxationTimes, drt
from hilcycler_protocols.evaluation.impedance.reporting import CircuitFit
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum, measured

__all__ = [
    "Arc",
    "Capacitor",
    "Circuit",
    "CircuitFit",
    "ConstantPhase",
    "FiniteLength",
    "FiniteSpace",
    "Inductor",
    "KramersKronig",
    "Parallel",
    "RelaxationTimes",
    "Resistor",
    "Series",
    "Spectrum",
    "Warburg",
    "blocking_cell",
    "drt",
    "fit",
    "lin_kk",
    "lithium_cell",
    "measured",
]
