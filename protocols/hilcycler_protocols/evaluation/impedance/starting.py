"""Starting values from the data alone: the best of a few hundred circuits that are linear in the rest.

Once the time constants and exponents are given, a series circuit is a sum of known curves with
unknown non-negative weights (resistances, inductance, Warburg coefficient). So: a coarse grid over the
non-linear coordinates, one small linear problem for each combination, all solved at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
    in_series,
)
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal

Real = NDArray[np.float64]
Complex = NDArray[np.complexfloating]

_BUDGETS: Final = (((0.7, 0.85, 1.0), 500), ((0.85,), 1500), ((0.85,), 20_000))
"""Exponents to try and combinations to afford: the first that leaves ten points for each time."""
_APART: Final = 2.5
"""Least difference between two starts, in ln(tau) and eighths of an exponent together."""
_SMALLEST_SHARE: Final = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """What is tried: `points` for each time constant, `exponents` for each arc, in `index` combinations (B, M)."""

    points: int
    exponents: tuple[float, ...]
    index: NDArray[np.intp]


def starts(circuit: Circuit, spectrum: Spectrum) -> Iterator[Real]:
    """Promising coordinate vectors for `circuit`, best first, no two of them alike.

    Refuses circuits with parts of which it cannot say how they look (deeper nesting than a resistor
    with diffusion beside a capacitance): give starting values for those.
    """
    parts = [part for part, _ in in_series(circuit)]
    grid = _grid(circuit)
    shapes = [_shapes(part, spectrum, grid) for part in parts]
    weights, misfits = _solve(parts, shapes, grid.index, spectrum)
    earlier: list[Real] = []
    for at in np.argsort(misfits):
        own = [shape[i] for shape, i in zip(shapes, grid.index[at], strict=True)]
        place = np.concatenate([shape * (1.0, 8.0) for shape in own])
        if any(np.abs(place - other).sum() < _APART for other in earlier):
            continue
        earlier.append(place)
        pieces = [_coordinates(p, s, w) for p, s, w in zip(parts, own, weights[at], strict=True)]
        yield np.concatenate(pieces)


@lru_cache(maxsize=32)
def _grid(circuit: Circuit) -> _Grid:
    parts = [part for part, _ in in_series(circuit)]
    for exponents, most in _BUDGETS:
        for points in range(24, 9, -1):
            sizes = [_count(part, points, len(exponents)) for part in parts]
            arcs = sum(isinstance(part, Arc) for part in parts)
            if math.prod(sizes) / math.factorial(arcs) <= most:
                return _Grid(points, exponents, _ascending(parts, sizes, len(exponents)))
    raise EvaluationRefused(
        Refusal.MISSING_INPUT,
        f"a circuit of {len(parts)} parts has too many unknown times: give starting values",
    )


def _ascending(parts: list[Circuit], sizes: list[int], exponents: int) -> NDArray[np.intp]:
    """Combinations in which the time constants of arcs ascend and diffusion is slower than any arc."""
    index = np.indices(sizes).reshape(len(sizes), -1).T
    arcs = [k for k, part in enumerate(parts) if isinstance(part, Arc)]
    slow = [k for k, part in enumerate(parts) if isinstance(part, FiniteLength | FiniteSpace)]
    times = np.concatenate((index[:, arcs] // exponents, index[:, slow]), axis=1)
    keep = np.all(np.diff(times[:, : len(arcs)], axis=1) > 0, axis=1)
    if arcs and slow:
        keep &= np.all(times[:, len(arcs) :] > times[:, [len(arcs) - 1]], axis=1)
    return index[keep]


def _count(part: Circuit, points: int, exponents: int) -> int:
    match part:
        case Arc() | Parallel():
            return points * exponents
        case FiniteLength() | FiniteSpace():
            return points
        case ConstantPhase():
            return exponents
        case _:
            return 1


def _shapes(part: Circuit, spectrum: Spectrum, grid: _Grid) -> Real:
    """The non-linear coordinates to try for one part, (K, 2): ln(tau), exponent."""
    fast, slow = math.log(0.5 / float(spectrum.omega[0])), math.log(2.0 / float(spectrum.omega[-1]))
    taus = np.linspace(fast, slow, grid.points)
    match part:
        case Arc() | Parallel():
            return np.array([(tau, n) for tau in taus for n in grid.exponents])
        case FiniteLength() | FiniteSpace():
            return np.array([(tau, 1.0) for tau in taus])
        case ConstantPhase():
            return np.array([(0.0, n) for n in grid.exponents])
        case _:
            return np.array([(0.0, 1.0)])


def _curves(part: Circuit, shapes: Real, omega: Real) -> Complex:
    """What one part looks like in each of its `shapes`, for weight 1, (K, N)."""
    match part:
        case Resistor() | Inductor() | Warburg() | Capacitor():
            return part.evaluate(omega, np.zeros(1))[0][None]
        case ConstantPhase():
            return np.stack([part.evaluate(omega, shape)[0] for shape in shapes])
        case FiniteLength() | FiniteSpace():
            return np.stack([part.evaluate(omega, np.array([0.0, tau]))[0] for tau, _ in shapes])
        case Arc() | Parallel():
            log = np.log(omega) + 0.5j * np.pi
            return 1.0 / (1.0 + np.exp(shapes[:, 1:] * (log + shapes[:, :1])).astype(np.complex128))
        case _:
            raise EvaluationRefused(
                Refusal.MISSING_INPUT, f"no starting values of our own for {part}: give some"
            )


def _solve(
    parts: list[Circuit], shapes: list[Real], index: NDArray[np.intp], spectrum: Spectrum
) -> tuple[Real, Real]:
    """For each combination the non-negative weights of its curves (B, M) and their misfit (B,)."""
    omega, modulus = spectrum.omega, np.abs(spectrum.impedance)
    curves = np.concatenate([_curves(p, s, omega) for p, s in zip(parts, shapes, strict=True)])
    weighted = (curves / modulus).view(np.float64)
    norms = np.linalg.norm(weighted, axis=1)
    weighted /= norms[:, None]
    products = weighted @ (spectrum.impedance / modulus).view(np.float64)
    gram = weighted @ weighted.T
    columns = index + np.cumsum([0, *(len(s) for s in shapes[:-1])])
    matrices = gram[columns[:, :, None], columns[:, None, :]] + 1e-9 * np.eye(len(parts))
    right = products[columns]
    weights = np.linalg.solve(matrices, right[:, :, None])[:, :, 0]
    weights = np.maximum(weights, _SMALLEST_SHARE * np.abs(weights).max(axis=1, keepdims=True))
    misfits = (weights * ((matrices @ weights[:, :, None])[:, :, 0] - 2.0 * right)).sum(axis=1)
    return weights / norms[columns], misfits


def _coordinates(part: Circuit, shape: Real, weight: float) -> list[float]:
    log_tau, n = (float(v) for v in shape)
    match part:
        case Resistor() | Inductor() | Warburg():
            return [math.log(weight)]
        case Capacitor():
            return [-math.log(weight)]
        case ConstantPhase():
            return [-math.log(weight), n]
        case FiniteLength() | FiniteSpace():
            return [math.log(weight), log_tau]
        case Arc():
            return [math.log(weight), log_tau, n]
        case _:
            return _nested(part, log_tau, n, math.log(weight))


def _nested(part: Circuit, log_tau: float, n: float, log_r: float) -> list[float]:
    """Coordinates of a Randles-like part, as wide as the arc that stands for it in the grid."""
    match part:
        case Series() | Parallel():
            return [x for inner in part.parts for x in _nested(inner, log_tau, n, log_r)]
        case Resistor():
            return [log_r]
        case Capacitor():
            return [log_tau - log_r]
        case ConstantPhase():
            return [n * log_tau - log_r, n]
        case Warburg():
            return [log_r - 0.5 * log_tau + math.log(0.1)]
        case FiniteLength() | FiniteSpace():
            return [log_r + math.log(0.3), log_tau + math.log(100.0)]
        case _:
            raise EvaluationRefused(
                Refusal.MISSING_INPUT, f"no starting values of our own for {part} in parallel: give some"
            )
