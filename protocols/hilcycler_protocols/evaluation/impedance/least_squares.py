"""Damped least squares with analytic derivatives and bounds, for problems of a dozen unknowns.

Levenberg-Marquardt with Marquardt's scaling; a coordinate that sits on its bound and is pushed
outwards is held there. Our own because a fit of sixty points lives in Python overhead: a general
solver spends most of its time outside the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Model = Callable[[Real], tuple[Real, Real]]
"""Coordinates (P,) to residuals (M,) and their derivatives (P, M)."""

_DAMPING: Final = 1e-2
_LONGEST_STEP: Final = 3.0
_ENOUGH: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Where the sum of squares, `cost`, is least."""

    x: Real
    cost: float
    converged: bool
    iterations: int


def minimise(model: Model, start: Real, lower: Real, upper: Real, iterations: int = 150) -> Solution:
    """The least-squares solution near `start`, within the bounds."""
    x = np.clip(start, lower, upper)
    residual, slopes = model(x)
    cost = float(residual @ residual)
    normal, gradient = slopes @ slopes.T, slopes @ residual
    damping, growth = _DAMPING, 2.0
    for count in range(1, iterations + 1):
        held = ((x <= lower) & (gradient > 0.0)) | ((x >= upper) & (gradient < 0.0))
        trial = np.clip(x + _step(normal, gradient, held, damping), lower, upper)
        promised = _promised(normal, gradient, trial - x)
        new_residual, new_slopes = model(trial)
        new_cost = float(new_residual @ new_residual)
        small = 0.0 <= promised <= _ENOUGH * cost
        if not new_cost < cost:
            if small:  # nothing left to gain but rounding
                return Solution(x, cost, converged=True, iterations=count)
            damping *= growth
            growth *= 2.0
            continue
        ratio = (cost - new_cost) / promised if promised > 0.0 else 0.0
        damping *= max(0.2, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
        growth = 2.0
        x, residual, slopes, cost = trial, new_residual, new_slopes, new_cost
        if small:
            return Solution(x, cost, converged=True, iterations=count)
        normal, gradient = slopes @ slopes.T, slopes @ residual
    return Solution(x, cost, converged=False, iterations=iterations)


def _step(normal: Real, gradient: Real, held: NDArray[np.bool_], damping: float) -> Real:
    matrix = normal.copy()
    diagonal = np.diagonal(normal)
    floor = 1e-12 * float(diagonal.max(initial=0.0)) + 1e-300
    np.fill_diagonal(matrix, diagonal * (1.0 + damping) + floor)
    if held.any():
        matrix[held, :] = 0.0
        matrix[:, held] = 0.0
        matrix[held, held] = 1.0
        gradient = np.where(held, 0.0, gradient)
    step = np.asarray(np.linalg.solve(matrix, -gradient), dtype=np.float64)
    longest = float(np.abs(step).max())
    return step * (_LONGEST_STEP / longest) if longest > _LONGEST_STEP else step


def _promised(normal: Real, gradient: Real, step: Real) -> float:
    """The decrease of the sum of squares that the linear model foretells."""
    return float(-2.0 * gradient @ step - step @ normal @ step)
