"""A6, nucleation and plateau overpotential of the first plating on copper (Li||Cu).

Papers print |V_min|, or |V_min| less the plateau, under the same name; both are here, and the plateau.
Only what lies below 0 V against lithium is plating: the shoulder above it, from open circuit down, is
SEI formation and alloying.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler_protocols.evaluation.results import (
    COULOMB,
    MILLIVOLT,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy, scatter, within

Real = NDArray[np.float64]

SOURCE: Final = "Pei et al., Nano Lett. 17 (2017) 1132"
PLATEAU: Final = (0.5, 0.9)
"""The share of the plated charge that counts as plateau."""
_FEWEST: Final = 20
_CLEAR: Final = 0.1
"""Noise (3 sigma) as a share of the dip above which it is averaged before the minimum is looked for."""
_LOWER_PART: Final = 0.85


@dataclass(frozen=True, slots=True)
class Nucleation:
    """All as magnitudes: `tip` |V_min|, `plateau` |V| of the flat part, `barrier` their difference.

    `shoulder` is the charge passed above 0 V.
    """

    tip: Result
    plateau: Result
    barrier: Result
    shoulder: Result


def nucleation(
    passed: ArrayLike,
    voltage: ArrayLike,
    *,
    plateau: tuple[float, float] = PLATEAU,
    accuracy: Accuracy = PERFECT,
) -> Nucleation:
    """The first plating: `voltage` against lithium at the charge magnitude `passed`, in order.

    The tip is the minimum of a curve through the dip, since the lowest of many noisy samples is lower
    than the truth. A voltage offset moves tip and plateau alike and leaves the barrier.
    """
    q, v = np.asarray(passed, dtype=np.float64), np.asarray(voltage, dtype=np.float64)
    if q.shape != v.shape or not (np.all(np.isfinite(q)) and np.all(np.isfinite(v))):
        raise EvaluationRefused(
            Refusal.NOT_FINITE, "a plating curve needs as many finite voltages as charges"
        )
    below = np.flatnonzero(v < 0.0)
    if len(below) < _FEWEST:
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA, f"{len(below)} samples below 0 V: nothing was plated"
        )
    start = int(below[0])
    shoulder = float(q[start - 1]) if start else 0.0
    q, v = q[start:] - q[start], v[start:]
    low, high = plateau[0] * q[-1], plateau[1] * q[-1]
    flat = (q >= low) & (q <= high)
    if flat.sum() < _FEWEST // 2:
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, f"{flat.sum()} samples on the plateau")
    level, noise = float(v[flat].mean()), _noise(v[flat])
    early = int(np.searchsorted(q, low))
    tip, tip_noise, at = _tip(q[:early], v[:early], level, noise)
    offset = within("voltage offset", accuracy.voltage_offset)
    flat_noise = scatter("noise of the plateau", noise / np.sqrt(float(flat.sum())), float(flat.sum()) - 1.0)
    dip = scatter("noise about the minimum", tip_noise)
    window = Window("charge since 0 V", float(low), float(high), COULOMB)
    inputs = {"V_min": tip, "V_plateau": level, "charge at V_min": at}
    found = Nucleation(
        with_budget(_result("nucleation potential", -tip, "|V_min|", window, inputs), [offset, dip]),
        with_budget(
            _result("plateau overpotential", -level, "|mean V|", window, inputs), [offset, flat_noise]
        ),
        with_budget(
            _result("nucleation overpotential", level - tip, "|V_min| - |V_plateau|", window, inputs),
            [dip, flat_noise],
        ),
        Result("charge above 0 V", shoulder, COULOMB, "Q(V = 0)", SOURCE, uncertainty=float(q[1] - q[0])),
    )
    return found if found.barrier.value > 3.0 * tip_noise else _without_a_tip(found)


def _without_a_tip(found: Nucleation) -> Nucleation:
    flag = Flag("no-tip", "the curve has no minimum before its plateau that stands out of the noise")
    return Nucleation(found.tip.flagged(flag), found.plateau, found.barrier.flagged(flag), found.shoulder)


def _result(name: str, value: float, formula: str, window: Window, inputs: dict[str, float]) -> Result:
    return Result(name, value, MILLIVOLT, formula, SOURCE, window=window, inputs=inputs)


def _noise(v: Real) -> float:
    """Standard deviation of a sample, from second differences: a slope does not count."""
    if len(v) < 3:
        return 0.0
    return float(np.sqrt(np.mean(np.diff(v, 2) ** 2) / 6.0))


def _tip(q: Real, v: Real, level: float, noise: float) -> tuple[float, float, float]:
    """Voltage of the minimum before the plateau, its standard uncertainty, and the charge where it is.

    The dip is found on a running mean that is as wide as the noise demands, then a quartic is laid
    through its lower part.
    """
    width = 1
    smooth = v
    while 3.0 * noise / math.sqrt(width) > _CLEAR * (level - smooth.min()) and width < len(v) // 20:
        width = 2 * width + 1
        smooth = np.convolve(v, np.ones(width) / width, mode="valid")
    lowest = int(np.argmin(smooth))
    dip = max(level - float(smooth[lowest]), 0.0)  # a curve that only falls has none before its plateau
    deep = smooth <= smooth[lowest] + (1.0 - _LOWER_PART) * dip
    first = lowest - int(np.argmin(deep[lowest::-1])) if not deep[: lowest + 1].all() else 0
    after = deep[lowest:]
    last = lowest + int(np.argmin(after)) if not after.all() else len(deep)
    near = slice(max(first, 0), last + width - 1)
    return _lowest_of_polynomial(q[near], v[near], noise)


def _lowest_of_polynomial(q: Real, v: Real, noise: float) -> tuple[float, float, float]:
    if len(q) < 5 or q[0] == q[-1]:
        at = int(np.argmin(v))
        return float(v[at]), noise, float(q[at])
    order = 4 if len(q) >= 12 else 2
    x = (q - q[0]) / (q[-1] - q[0])
    design = np.vander(x, order + 1)
    coefficients = np.linalg.lstsq(design, v, rcond=None)[0]
    fine = np.linspace(0.0, 1.0, 201)
    rows = np.vander(fine, order + 1)
    at = int(np.argmin(rows @ coefficients))
    leverage = float(rows[at] @ np.linalg.pinv(design.T @ design) @ rows[at])
    charge = float(q[0] + fine[at] * (q[-1] - q[0]))
    return float(rows[at] @ coefficients), noise * math.sqrt(leverage), charge
