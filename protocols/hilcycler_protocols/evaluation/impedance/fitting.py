"""The fit of an equivalent circuit to a spectrum: complex non-linear least squares.

Each point counts by its relative error, |dZ|/|Z| (modulus weighting): an instrument's error is a
share of what it reads. Resistances and time constants are fitted by their logarithms, so they stay
positive and their intervals are asymmetric where they are wide. The covariance is that of the
relative residuals, scaled with their own reduced chi-square.

Several starts are tried until the residuals look like noise (those of a wrong minimum resemble their
neighbours) and no arc is suspiciously broad.

Arcs are interchangeable for the arithmetic: from a poor start the same spectrum returns the two
arcs swapped at an equal residual. `naming` puts them in order before they get their names.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_protocols.evaluation.impedance.circuits import N_MAX, N_MIN, Circuit
from hilcycler_protocols.evaluation.impedance.least_squares import Solution, minimise
from hilcycler_protocols.evaluation.impedance.naming import named
from hilcycler_protocols.evaluation.impedance.reporting import CircuitFit, neighbourly, report
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.impedance.starting import starts
from hilcycler_protocols.evaluation.results import (
    CPE_COEFFICIENT,
    FARAD,
    HENRY,
    OHM,
    SECOND,
    WARBURG_COEFFICIENT,
    EvaluationRefused,
    Refusal,
)
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy

Real = NDArray[np.float64]

_SUSPECT: Final = 0.12
_STARTS: Final = 8
_BROAD: Final = 0.65
_SPARE: Final = math.log(1e3)
_NO_BETTER: Final = 1.0 + 1e-6


def fit(
    spectrum: Spectrum,
    circuit: Circuit,
    *,
    start: Mapping[str, float] | None = None,
    follow: CircuitFit | None = None,
    accuracy: Accuracy = PERFECT,
) -> CircuitFit:
    """`circuit` fitted to `spectrum`.

    Starting values come from the data; `start` (by parameter name, all of them) replaces them.
    `follow` is the fit of the same circuit to an earlier spectrum of the same cell: its arcs keep
    their names. `accuracy` adds what the instrument promises to the noise that is seen. Refused:
    fewer points than parameters, and a fit that does not converge.
    """
    degrees = 2 * len(spectrum) - len(circuit.parameters)
    if degrees < 1:
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA,
            f"{len(spectrum)} frequencies cannot determine {len(circuit.parameters)} parameters",
        )
    bounds = _bounds(spectrum, circuit)
    solution = _best(spectrum, circuit, bounds, _candidates(spectrum, circuit, start, follow))
    if not solution.converged:
        raise EvaluationRefused(
            Refusal.NO_CONVERGENCE, f"the fit found no minimum in {solution.iterations} iterations"
        )
    x = named(circuit, solution.x, None if follow is None else follow.coordinates)
    return report(spectrum, circuit, x, held=(x <= bounds[0]) | (x >= bounds[1]), accuracy=accuracy)


def _candidates(
    spectrum: Spectrum, circuit: Circuit, start: Mapping[str, float] | None, follow: CircuitFit | None
) -> Iterator[Real]:
    if start is not None:
        names = [p.name for p in circuit.parameters]
        if set(start) != set(names) or not all(v > 0.0 and math.isfinite(v) for v in start.values()):
            raise EvaluationRefused(
                Refusal.MISSING_INPUT, f"starting values must be positive and for {', '.join(names)}"
            )
        yield np.array([p.coordinate(start[p.name]) for p in circuit.parameters])
        return
    if follow is not None:
        if follow.circuit != circuit:
            raise EvaluationRefused(Refusal.MISSING_INPUT, "the fit to follow is of another circuit")
        yield follow.coordinates
    yield from itertools.islice(starts(circuit, spectrum), _STARTS)


def _best(
    spectrum: Spectrum, circuit: Circuit, bounds: tuple[Real, Real], candidates: Iterator[Real]
) -> Solution:
    omega, target = spectrum.omega, spectrum.impedance
    weight = 1.0 / np.abs(target)

    def model(x: Real) -> tuple[Real, Real]:
        z, slopes = circuit.evaluate(omega, x)
        return ((z - target) * weight).view(np.float64), (slopes * weight).view(np.float64)

    best: Solution | None = None
    for candidate in candidates:
        found = minimise(model, candidate, *bounds)
        if best is None or found.cost * _NO_BETTER < best.cost:
            best = found
        if best.converged and not _doubtful(circuit, best.x, model(best.x)[0].view(np.complex128)):
            break
    assert best is not None
    return best


def _doubtful(circuit: Circuit, x: Real, residuals: NDArray[np.complex128]) -> bool:
    """Whether another start may find something better.

    The residuals are no noise, or an arc is so broad that it may stand for something else: where one arc
    is a twentieth of the other, that is the wrong minimum that noise can hide.
    """
    exponents = x[[not p.logarithmic for p in circuit.parameters]]
    return neighbourly(residuals) > _SUSPECT or bool(np.any(exponents < _BROAD))


def _bounds(spectrum: Spectrum, circuit: Circuit) -> tuple[Real, Real]:
    """Of the coordinates: what the spectrum could possibly show, with three decades to spare."""
    size = np.abs(spectrum.impedance)
    small, large = math.log(float(size.min())), math.log(float(size.max()))
    fast, slow = -math.log(float(spectrum.omega[0])), -math.log(float(spectrum.omega[-1]))
    ranges = {
        OHM: (small, large),
        SECOND: (fast, slow),
        HENRY: (small + fast, large + slow),
        FARAD: (fast - large, slow - small),
        WARBURG_COEFFICIENT: (small - 0.5 * slow, large - 0.5 * fast),
        CPE_COEFFICIENT: (min(fast, 0.0) - large, max(slow, 0.0) - small),
    }
    pairs = [
        (ranges[p.unit][0] - _SPARE, ranges[p.unit][1] + _SPARE) if p.logarithmic else (N_MIN, N_MAX)
        for p in circuit.parameters
    ]
    lower, upper = np.array(pairs).T
    return lower, upper
