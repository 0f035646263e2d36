"""DRT: the spectrum as a continuous distribution of relaxation times.

Z(w) = R + jwL + integral of gamma(ln tau) / (1 + jw tau) d ln tau, gamma >= 0, with Tikhonov's penalty
on the curvature of gamma. The answer depends on `smoothing`, so that is part of it: a picture of how
many processes there are, not a fit. Peaks closer than the smoothing allows are one peak.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Ohm, Second
from hilcycler_protocols.evaluation.impedance.kramers_kronig import KramersKronig
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.results import EvaluationRefused, Flag, Refusal

Real = NDArray[np.float64]

SMOOTHING: Final = 0.5
_PER_DECADE: Final = 12
_NOTICEABLE: Final = 0.03
"""Share of the polarisation resistance below which a maximum belongs to its neighbour."""
_BLOCKING, _OPEN = math.radians(60.0), math.radians(5.0)


@dataclass(frozen=True, slots=True)
class Peak:
    """One process: where its distribution is highest, and the resistance under it."""

    tau: Second
    resistance: Ohm


@dataclass(frozen=True, slots=True, eq=False)
class RelaxationTimes:
    """`gamma` in ohm per unit of ln(tau), at `tau`; `residuals` are (Z_drt - Z)/|Z|."""

    tau: Real
    gamma: Real
    series_resistance: Ohm
    inductance: float
    peaks: tuple[Peak, ...]
    residuals: NDArray[np.complex128]
    smoothing: float
    flags: tuple[Flag, ...]


def drt(spectrum: Spectrum, validity: KramersKronig, *, smoothing: float = SMOOTHING) -> RelaxationTimes:
    """The distribution, for a spectrum that has passed `lin_kk`.

    `smoothing` is Tikhonov's lambda for gamma in units of the polarisation resistance, squared
    curvature per squared relative residual, on 12 points a decade. Refuses a spectrum that failed
    Kramers-Kronig and one that ends in a blocking tail: no distribution describes those.
    """
    if not validity.accepted:
        why = "; ".join(flag.text for flag in validity.flags)
        raise EvaluationRefused(
            Refusal.NOT_STATIONARY, f"no DRT of a spectrum that failed Kramers-Kronig: {why}"
        )
    last = -math.atan2(spectrum.impedance[-1].imag, spectrum.impedance[-1].real)
    if last > _BLOCKING:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY,
            f"the spectrum ends in a blocking tail ({math.degrees(-last):.0f} degrees)",
        )
    omega = spectrum.omega
    decades = math.log10(omega.max() / omega.min()) + 2.0
    tau = np.geomspace(0.1 / omega.max(), 10.0 / omega.min(), round(decades * _PER_DECADE) + 1)
    gamma, series, inductance, residuals = _solve(spectrum, tau, smoothing)
    flags = [Flag("smoothing", f"Tikhonov with lambda = {smoothing:g}")]
    if last > _OPEN:
        flags.append(
            Flag("open-end", "not back on the axis at the lowest frequency: the slow end is not a peak")
        )
    return RelaxationTimes(
        tau, gamma, series, inductance, _peaks(tau, gamma), residuals, smoothing, tuple(flags)
    )


def _solve(
    spectrum: Spectrum, tau: Real, smoothing: float
) -> tuple[Real, float, float, NDArray[np.complex128]]:
    from scipy.optimize import nnls

    omega, modulus = spectrum.omega, np.abs(spectrum.impedance)
    scale = max(float(np.ptp(spectrum.impedance.real)), 1e-12 * float(modulus.max()))
    step = math.log(tau[1] / tau[0])
    fastest = float(omega.max())
    columns = np.empty((len(tau) + 2, len(omega)), dtype=np.complex128)
    columns[0], columns[1] = 1.0, 1j * omega / fastest
    columns[2:] = step / (1.0 + 1j * tau[:, None] * omega)
    data = (columns * (scale / modulus)).view(np.float64).T
    curvature = np.zeros((len(tau), len(tau) + 2))
    for row in range(len(tau)):  # beyond its ends the distribution is zero
        for offset, weight in ((-1, 1.0), (0, -2.0), (1, 1.0)):
            if 0 <= row + offset < len(tau):
                curvature[row, 2 + row + offset] = weight
    matrix = np.vstack((data, math.sqrt(smoothing) * curvature))
    target = (spectrum.impedance / modulus).view(np.float64)
    found, _ = nnls(matrix, np.concatenate((target, np.zeros(len(tau)))), maxiter=30 * matrix.shape[1])
    residuals = (data @ found - target).view(np.complex128)
    return found[2:] * scale, float(found[0] * scale), float(found[1] * scale / fastest), residuals


def _peaks(tau: Real, gamma: Real) -> tuple[Peak, ...]:
    """Maxima with the area between the minima beside them; ripples count to their neighbour."""
    step = math.log(tau[1] / tau[0])
    inner = gamma[1:-1]
    tops = [int(i) + 1 for i in np.flatnonzero((inner > gamma[:-2]) & (inner >= gamma[2:]))]
    while tops:
        valleys = [a + int(np.argmin(gamma[a : b + 1])) for a, b in itertools.pairwise(tops)]
        edges = [0, *valleys, len(gamma)]
        areas = [float(gamma[a:b].sum() * step) for a, b in itertools.pairwise(edges)]
        smallest = min(range(len(tops)), key=areas.__getitem__)
        if areas[smallest] > _NOTICEABLE * sum(areas) or len(tops) == 1:
            return tuple(Peak(float(tau[top]), area) for top, area in zip(tops, areas, strict=True))
        del tops[smallest]
    return ()
