"""Finding where a smooth function of one variable meets a value: bracket, refine, close in."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_ENOUGH = 120


def root(function: Callable[[float], float], left: float, right: float) -> float:
    """Where `function` is zero between `left` and `right`, where its signs differ.

    Chandrupatla's method (Adv. Eng. Softw. 28 (1997) 145): inverse quadratic steps where they are
    safe, halving elsewhere; to the last bits of `left` and `right`.
    """
    a, fa = right, function(right)
    b, fb = left, function(left)
    if fa == 0.0 or fb == 0.0:
        return b if fb == 0.0 else a
    c, fc, share = a, fa, 0.5
    for _ in range(_ENOUGH):
        x = a + share * (b - a)
        fx = function(x)
        if math.copysign(1.0, fx) == math.copysign(1.0, fa):
            c, fc = a, fa
        else:
            c, b, fc, fb = b, a, fb, fa
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        nearness = 4e-16 * abs(best) / max(abs(b - a), 1e-300)
        if nearness > 0.5 or fa == 0.0:
            return best if fa != 0.0 else a
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        if phi * phi < xi and (1.0 - phi) ** 2 < 1.0 - xi:
            share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            share = min(1.0 - nearness, max(nearness, share))
        else:
            share = 0.5
    return best


def first_zero(
    function: Callable[[float], float], grid: NDArray[np.float64], values: NDArray[np.float64]
) -> float | None:
    """The first zero on `grid`, where `function` has `values`, also one that it only just reaches.

    Between grid points a smooth function can dip through zero and return: where three values bend
    towards zero, and a parabola through them comes half-way there, the extremum is searched for too.
    """
    signs = np.signbit(values)
    change = np.flatnonzero((signs[1:] != signs[:-1]) | (values[1:] == 0.0))
    last = int(change[0]) if change.size else len(grid) - 1
    size = np.abs(values)
    dips = (
        np.flatnonzero((size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]) & (signs[1:-1] == signs[:-2])) + 1
    )
    for at in dips[dips <= last]:
        if _deepest(grid[at - 1 : at + 2], size[at - 1 : at + 2]) > 0.5 * size[at]:
            continue
        touch = _towards_zero(function, float(grid[at - 1]), float(grid[at + 1]), -1.0 if signs[at] else 1.0)
        if touch is not None:
            return root(function, float(grid[at - 1]), touch)
    if not change.size:
        return None
    return root(function, float(grid[last]), float(grid[last + 1]))


def _deepest(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The lowest value of the parabola through three points, the middle one being the lowest."""
    left, right = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    bend = (right - left) / (x[2] - x[0])
    if bend <= 0.0:
        return float(y[1])
    slope = left + bend * (x[1] - x[0])
    return float(y[1] - slope * slope / (4.0 * bend))


def _towards_zero(function: Callable[[float], float], left: float, right: float, sign: float) -> float | None:
    """A point between that lies on the other side of zero, or None: golden-section search."""
    inner, outer = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
    f_inner, f_outer = sign * function(inner), sign * function(outer)
    for _ in range(_ENOUGH):
        if f_inner <= 0.0:
            return inner
        if f_outer <= 0.0:
            return outer
        if right - left <= 1e-9 * abs(right) or max(f_inner, f_outer) - min(f_inner, f_outer) < 1e-12:
            return None
        if f_inner < f_outer:
            right, outer, f_outer = outer, inner, f_inner
            inner = right - _GOLDEN * (right - left)
            f_inner = sign * function(inner)
        else:
            left, inner, f_inner = inner, outer, f_outer
            outer = left + _GOLDEN * (right - left)
            f_outer = sign * function(outer)
    return None
