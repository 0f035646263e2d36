"""What a fitted circuit says: each parameter with its uncertainty, what follows from it, and doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_protocols.evaluation.impedance.circuits import N_MAX, N_MIN, Arc, Circuit, Resistor, in_series
from hilcycler_protocols.evaluation.impedance.naming import relaxation_times
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.results import (
    CPE_COEFFICIENT,
    FARAD,
    HERTZ,
    OHM,
    RATIO,
    SECOND,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Unit,
    Window,
)
from hilcycler_protocols.evaluation.uncertainty import (
    Accuracy,
    Component,
    combined,
    half_width,
    scatter,
    within,
)

Real = NDArray[np.float64]
Complex = NDArray[np.complexfloating]

FORMULA: Final = "eis-cnls-modulus"
SOURCE: Final = "Boukamp, Solid State Ionics 20 (1986) 31"

UNSEEN: Final = 0.3
"""omega_min tau above which the slow side of an arc was not measured."""
UNRESOLVED: Final = 0.3
"""Relative standard uncertainty above which a resistance is no more than an order of magnitude."""
POOR: Final = 0.02
"""Relative root-mean-square residual above which the circuit does not describe the cell."""
NOTICEABLE: Final = 0.002
"""Relative residual below which their structure is of no consequence."""
DRIFTED: Final = 0.01
"""Relative change of the repeated first point above which the cell changed during the sweep."""


STRUCTURED: Final = 0.35
"""Correlation of neighbouring residuals above which they are no noise (that of 60 points: 0 ± 0.09)."""
_FAR: Final = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class CircuitFit:
    """A circuit with its parameters. `fitted["R_SEI"]` is a Result; so are Q and C of every arc.

    `coordinates` and `covariance` are in the coordinates of the circuit (logarithms but for the
    exponents), without the instrument's share. `residuals` are (Z_fit - Z)/|Z|. `reduced_chi2` is
    their sum of squares per degree of freedom: the square of the relative noise where the circuit
    describes the cell.
    """

    circuit: Circuit
    coordinates: Real
    covariance: Real
    degrees: int
    reduced_chi2: float
    residuals: Complex
    results: Mapping[str, Result]
    window: Window
    accuracy: Accuracy
    flags: tuple[Flag, ...]

    def __getitem__(self, name: str) -> Result:
        return self.results[name]

    def has(self, code: str) -> bool:
        return any(flag.code == code for flag in self.flags)

    def impedance(self, frequency: Real) -> Complex:
        """The fitted curve."""
        return self.circuit.evaluate(2.0 * np.pi * np.asarray(frequency, dtype=np.float64), self.coordinates)[
            0
        ]

    @property
    def correlation(self) -> Real:
        """Between coordinates; 0 for those that sit on a bound."""
        sigma = np.sqrt(np.diagonal(self.covariance))
        scale = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 0.0)
        return np.asarray(self.covariance * np.outer(scale, scale))

    def total(self, *names: str) -> Result:
        """The sum of several resistances, their correlation taken into account."""
        gradient = np.zeros(len(self.coordinates))
        for at, parameter in enumerate(self.circuit.parameters):
            if parameter.name in names and parameter.unit == OHM:
                gradient[at] = math.exp(self.coordinates[at])
        if np.count_nonzero(gradient) != len(set(names)):
            raise EvaluationRefused(Refusal.MISSING_INPUT, f"no {' + '.join(names)} in this circuit")
        value = float(gradient.sum())
        return _logarithmic(self, " + ".join(names), value, OHM, gradient / value).flagged(*self.flags)

    @property
    def interface(self) -> Result:
        """The sum of all arcs: SEI and charge transfer, of both electrodes in a two-electrode cell."""
        return self.total(*(f"R_{part.name}" for part, _ in in_series(self.circuit) if isinstance(part, Arc)))


def neighbourly(residuals: Complex) -> float:
    """Correlation between residuals at neighbouring frequencies: 0 for noise, towards 1 for a wrong model."""
    power = float(np.vdot(residuals, residuals).real)
    return float(np.vdot(residuals[:-1], residuals[1:]).real) / power if power > 0.0 else 0.0


def report(
    spectrum: Spectrum, circuit: Circuit, x: Real, *, held: NDArray[np.bool_], accuracy: Accuracy
) -> CircuitFit:
    """The fit whose minimum is at `x`, with the coordinates `held` on their bounds."""
    z, slopes = circuit.evaluate(spectrum.omega, x)
    modulus = np.abs(spectrum.impedance)
    residuals = (z - spectrum.impedance) / modulus
    degrees = 2 * len(spectrum) - len(x) + int(held.sum())
    chi2 = float(np.vdot(residuals, residuals).real) / degrees
    covariance = _covariance((slopes / modulus).view(np.float64), held) * chi2
    window = Window("frequency", float(spectrum.frequency[-1]), float(spectrum.frequency[0]), HERTZ)
    bare = CircuitFit(circuit, x, covariance, degrees, chi2, residuals, {}, window, accuracy, ())
    fitted = replace(bare, flags=_doubts(spectrum, bare))
    return replace(fitted, results={r.name: r.flagged(*fitted.flags) for r in _results(fitted)})


def _covariance(jacobian: Real, held: NDArray[np.bool_]) -> Real:
    """Inverse of J Jᵀ over the free coordinates, scaled first so that units do not matter."""
    free = np.flatnonzero(~held)
    normal = jacobian[free] @ jacobian[free].T
    scale = 1.0 / np.sqrt(np.maximum(np.diagonal(normal), 1e-300))
    outer = np.outer(scale, scale)
    covariance = np.zeros((len(held), len(held)))
    covariance[np.ix_(free, free)] = np.linalg.pinv(normal * outer, rcond=1e-14, hermitian=True) * outer
    return covariance


def _results(fitted: CircuitFit) -> list[Result]:
    found: list[Result] = []
    for at, parameter in enumerate(fitted.circuit.parameters):
        coordinate = float(fitted.coordinates[at])
        if parameter.logarithmic:
            own = np.zeros(len(fitted.coordinates))
            own[at] = 1.0
            found.append(_logarithmic(fitted, parameter.name, math.exp(coordinate), parameter.unit, own))
        else:
            found.append(_exponent(fitted, parameter.name, coordinate, at))
    for part, span in in_series(fitted.circuit):
        if isinstance(part, Arc):
            found += _capacitance(fitted, part, span)
    return found


def _capacitance(fitted: CircuitFit, arc: Arc, span: slice) -> list[Result]:
    """Q = tau^n / R, and C = Q^(1/n) R^(1/n - 1), which is tau / R."""
    log_r, log_tau, n = (float(v) for v in fitted.coordinates[span])
    q, c = np.zeros(len(fitted.coordinates)), np.zeros(len(fitted.coordinates))
    q[span] = (-1.0, n, log_tau)
    c[span] = (-1.0, 1.0, 0.0)
    return [
        _logarithmic(fitted, f"Q_{arc.name}", math.exp(n * log_tau - log_r), CPE_COEFFICIENT, q),
        _logarithmic(fitted, f"C_{arc.name}", math.exp(log_tau - log_r), FARAD, c),
    ]


def _logarithmic(fitted: CircuitFit, name: str, value: float, unit: Unit, gradient: Real) -> Result:
    """`value` whose logarithm has `gradient` by the coordinates."""
    noise = _deviation(fitted, gradient)
    relative = [scatter("noise of the spectrum", noise, fitted.degrees)]
    if unit != SECOND:  # a gain error stretches the whole spectrum; times do not notice
        relative += [
            within("voltage gain", fitted.accuracy.voltage_gain),
            within("current gain", fitted.accuracy.current_gain),
        ]
    if name in {f"R_{part.name}" for part, _ in in_series(fitted.circuit) if isinstance(part, Resistor)}:
        relative.append(within("lead resistance", fitted.accuracy.lead_resistance / value))
    reach = min(half_width(relative), _FAR)
    interval = (value * math.exp(-reach), value * math.exp(reach))
    return _result(fitted, name, value, unit, [c.scaled(value) for c in relative], interval)


def _exponent(fitted: CircuitFit, name: str, value: float, at: int) -> Result:
    own = np.zeros(len(fitted.coordinates))
    own[at] = 1.0
    budget = [scatter("noise of the spectrum", _deviation(fitted, own), fitted.degrees)]
    reach = half_width(budget)
    interval = (max(value - reach, N_MIN), min(value + reach, N_MAX))
    return _result(fitted, name, value, RATIO, budget, interval)


def _deviation(fitted: CircuitFit, gradient: Real) -> float:
    return math.sqrt(max(float(gradient @ fitted.covariance @ gradient), 0.0))


def _result(  # noqa: PLR0917
    fitted: CircuitFit,
    name: str,
    value: float,
    unit: Unit,
    budget: list[Component],
    interval: tuple[float, float],
) -> Result:
    noise = budget[0].standard
    flags: list[Flag] = []
    if noise == 0.0:
        flags.append(Flag("at-bound", f"{name} sits on its bound; its uncertainty is unknown"))
    elif unit == OHM and noise > UNRESOLVED * value:
        flags.append(Flag("unresolved", f"the spectrum hardly determines {name} (± {noise / value:.0%})"))
    return Result(
        name, value, unit, FORMULA, SOURCE,
        uncertainty=None if noise == 0.0 else combined(budget),
        interval=None if noise == 0.0 else interval,
        window=fitted.window,
        inputs={"points": fitted.residuals.size, "reduced chi2": fitted.reduced_chi2},
        flags=tuple(flags),
        budget=tuple(c for c in budget if c.standard > 0.0),
    )  # fmt: skip


def _doubts(spectrum: Spectrum, fitted: CircuitFit) -> tuple[Flag, ...]:
    flags: list[Flag] = []
    times = [t for t in relaxation_times(fitted.circuit, fitted.coordinates) if t is not None]
    slowest = max(times, default=0.0) * 2.0 * math.pi * float(spectrum.frequency[-1])
    if slowest > UNSEEN:
        flags.append(
            Flag("range", f"the slowest arc goes on below the lowest frequency (omega tau {slowest:.2g})")
        )
    rms = math.sqrt(float(np.mean(np.abs(fitted.residuals) ** 2)))
    if neighbourly(fitted.residuals) > STRUCTURED and rms > NOTICEABLE:
        flags.append(
            Flag(
                "structured",
                f"the residuals ({rms:.2%}) are no noise: another circuit describes the cell better",
            )
        )
    if rms > POOR:
        flags.append(Flag("poor-fit", f"the circuit misses the spectrum by {rms:.1%} (root mean square)"))
    if spectrum.drift is not None and spectrum.drift > DRIFTED:
        flags.append(Flag("drift", f"the first point had changed by {spectrum.drift:.1%} after the sweep"))
    return tuple(flags)
