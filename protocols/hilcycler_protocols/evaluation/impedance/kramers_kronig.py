"""Lin-KK: whether any linear, causal, stationary cell could have this spectrum.

A chain of M resistor-capacitor elements with fixed, log-spaced time constants obeys Kramers-Kronig by
construction, and its fit is linear. M grows until negative resistances say that noise is being
fitted: mu = 1 - sum|R_k < 0| / sum|R_k >= 0| <= 0.85 (Schönleber, Klotz, Ivers-Tiffée, Electrochimica
Acta 131 (2014) 20).

A fixed limit on the residuals is blind: with 0.2 % noise a charge-transfer resistance that drifts by
50 % during the sweep leaves 0.9 % overall. Drift spoils the slow end, so the slow end is compared with
the fast one; and the first point, repeated after the sweep, shows it directly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.results import EvaluationRefused, Flag, Refusal

MU: Final = 0.85
GOOD: Final = 0.005
ACCEPTABLE: Final = 0.01
SLOW_TO_FAST: Final = 2.0
DRIFTED: Final = 0.01
_FLOOR: Final = 5e-4
"""Residuals below this are the model's, not the cell's."""
_END_POINTS: Final = 15
_FEWEST: Final = 10
_PER_DECADE: Final = 3.0
_BEYOND: Final = 3.0
"""The slowest element, in units of 1/omega_min: a blocking or Warburg tail goes on below the last point.
With 1 such tails look like drift, with 10 drift looks like such a tail."""


@dataclass(frozen=True, slots=True, eq=False)
class KramersKronig:
    """`residuals` are (Z - Z_KK)/|Z|; `rms` of their modulus over all, the 15 slowest, the 15 fastest points."""

    elements: int
    mu: float
    residuals: NDArray[np.complex128]
    rms: float
    rms_slow: float
    rms_fast: float
    drift: float | None
    flags: tuple[Flag, ...]

    @property
    def accepted(self) -> bool:
        """Whether a circuit may be fitted to this spectrum."""
        return not self.flags

    def has(self, code: str) -> bool:
        return any(flag.code == code for flag in self.flags)


def lin_kk(spectrum: Spectrum, *, mu: float = MU) -> KramersKronig:
    """The test, with a series capacitance and an inductance so that both ends may leave the axis."""
    most = len(spectrum)
    if len(spectrum) < _FEWEST:
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA, f"Kramers-Kronig needs {_FEWEST} frequencies, there are {len(spectrum)}"
        )
    omega, modulus = spectrum.omega, np.abs(spectrum.impedance)
    target = (spectrum.impedance / modulus).view(np.float64)
    elements, reached, residual = 0, 1.0, target
    for elements in range(_first(spectrum, most), most + 1):
        columns = _columns(omega, modulus, elements)
        norms = np.linalg.norm(columns, axis=1)
        weights = np.linalg.lstsq((columns / norms[:, None]).T, target, rcond=1e-12)[0] / norms
        residual = target - weights @ columns
        reached = _mu(weights[3:])
        if reached <= mu:
            break
    complex_residual = residual.view(np.complex128)
    return _judged(spectrum, elements, reached, complex_residual)


def _first(spectrum: Spectrum, most: int) -> int:
    """Where M begins. Fewer elements cannot follow any cell, and mu of a bad fit means nothing."""
    decades = math.log10(float(spectrum.frequency[0] / spectrum.frequency[-1]))
    return max(2, min(round(_PER_DECADE * decades), most // 2))


def _columns(omega: NDArray[np.float64], modulus: NDArray[np.float64], elements: int) -> NDArray[np.float64]:
    """R, L, C and the chain, (M + 3, 2N), weighted by modulus."""
    taus = np.geomspace(1.0 / omega.max(), _BEYOND / omega.min(), elements)
    rows = np.empty((elements + 3, len(omega)), dtype=np.complex128)
    rows[0], rows[1], rows[2] = 1.0, 1j * omega, 1.0 / (1j * omega)
    rows[3:] = 1.0 / (1.0 + 1j * taus[:, None] * omega)
    return (rows / modulus).view(np.float64)


def _mu(resistances: NDArray[np.float64]) -> float:
    positive = float(resistances[resistances >= 0.0].sum())
    negative = float(-resistances[resistances < 0.0].sum())
    return 1.0 - negative / positive if positive > 0.0 else -math.inf


def _judged(spectrum: Spectrum, elements: int, mu: float, residuals: NDArray[np.complex128]) -> KramersKronig:
    size = np.abs(residuals)
    ends = min(_END_POINTS, len(spectrum) // 2)
    rms, slow, fast = _rms(size), _rms(size[-ends:]), _rms(size[:ends])
    flags: list[Flag] = []
    if not rms <= ACCEPTABLE:
        flags.append(
            Flag("kk-residual", f"{rms:.2%} from any stationary linear cell (limit {ACCEPTABLE:.0%})")
        )
    if not slow <= SLOW_TO_FAST * max(fast, _FLOOR):
        flags.append(
            Flag("kk-drift", f"residuals are {slow:.2%} at the slow end against {fast:.2%} at the fast end")
        )
    if spectrum.drift is not None and not spectrum.drift <= DRIFTED:
        flags.append(Flag("drift", f"the first point had changed by {spectrum.drift:.1%} after the sweep"))
    return KramersKronig(elements, mu, residuals, rms, slow, fast, spectrum.drift, tuple(flags))


def _rms(size: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(size**2)))
