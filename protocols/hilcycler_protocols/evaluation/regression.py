"""The straight line behind Tafel, Arrhenius, Randles and Sevcik, and every log-log plot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal
from hilcycler_protocols.evaluation.uncertainty import Component, scatter


@dataclass(frozen=True, slots=True)
class Line:
    """y = intercept + slope x by least squares; covariance scaled with the scatter about the line."""

    slope: float
    intercept: float
    slope_u: float
    intercept_u: float
    covariance: float
    r_squared: float
    scatter: float
    degrees: int

    def at(self, x: float) -> float:
        return self.intercept + self.slope * x

    def at_u(self, x: float) -> float:
        """Standard uncertainty of `at`."""
        variance = self.intercept_u**2 + 2.0 * x * self.covariance + (x * self.slope_u) ** 2
        return math.sqrt(max(variance, 0.0))

    def slope_cause(self, cause: str) -> Component:
        return scatter(cause, self.slope_u, self.degrees)

    def intercept_cause(self, cause: str) -> Component:
        return scatter(cause, self.intercept_u, self.degrees)


def line(x: ArrayLike, y: ArrayLike, what: str, *, fewest: int = 3) -> Line:
    """The least-squares line, refused for fewer than `fewest` different points; `what` names it."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise EvaluationRefused(Refusal.MISSING_INPUT, f"{what}: {a.shape} and {b.shape} values are no pairs")
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        raise EvaluationRefused(Refusal.NOT_FINITE, f"{what}: not every point is finite")
    if len(np.unique(a)) < max(fewest, 3):
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA, f"{what}: {len(np.unique(a))} different points, needs {max(fewest, 3)}"
        )
    mean_x, mean_y = float(a.mean()), float(b.mean())
    sxx = float(((a - mean_x) ** 2).sum())
    slope = float(((a - mean_x) * (b - mean_y)).sum()) / sxx
    intercept = mean_y - slope * mean_x
    residual: NDArray[np.float64] = b - (intercept + slope * a)
    degrees = len(a) - 2
    squares = float(residual @ residual)
    variance = squares / degrees
    total = float(((b - mean_y) ** 2).sum())
    return Line(
        slope,
        intercept,
        math.sqrt(variance / sxx),
        math.sqrt(variance * (1.0 / len(a) + mean_x**2 / sxx)),
        -variance * mean_x / sxx,
        1.0 - squares / total if total > 0.0 else 1.0,
        math.sqrt(variance),
        degrees,
    )
