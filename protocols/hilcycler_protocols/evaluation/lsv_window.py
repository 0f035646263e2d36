"""A14, the stability window from a slow sweep: where the current passes a threshold, or takes off.

Both depend on the choice, so the choice is in the result: a threshold of 0.01 or 0.1 mA/cm2, the
scan rate, whether a background was taken off. A current that never gets there gives a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import AmperePerSquareMetre, SquareMetre, Volt, VoltPerSecond
from hilcycler_protocols.evaluation.regression import line
from hilcycler_protocols.evaluation.results import (
    VOLT,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    required,
    required_area,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy, scatter, within

Real = NDArray[np.float64]

SOURCE: Final = "Xu, Chem. Rev. 104 (2004) 4303, section 2.2"
LITHIUM_VERSUS_HYDROGEN: Final[Volt] = -3.04
_STAYS: Final = 5
_INTERPOLATION: Final = 0.1
"""Of a step of the sweep: how far a straight line misses a current that grows tenfold in a few steps."""
_FAST: Final[VoltPerSecond] = 1e-3


def versus_lithium(versus_hydrogen: Volt) -> Volt:
    """A potential against the hydrogen electrode as one against lithium: -3.39 V is -0.35 V."""
    return versus_hydrogen - LITHIUM_VERSUS_HYDROGEN


def threshold(
    voltage: ArrayLike,
    current: ArrayLike,
    *,
    area: SquareMetre | None,
    current_density: AmperePerSquareMetre,
    scan_rate: VoltPerSecond,
    background: tuple[Volt, Volt] | None = None,
    accuracy: Accuracy = PERFECT,
) -> Result:
    """Where |j| first reaches `current_density` and stays there, in the direction of the sweep.

    `background`: a straight line through the currents between these voltages is taken off first. If the
    threshold is not reached the end of the sweep is a bound (flag `lower-bound`, downwards `upper-bound`).
    """
    v, j = _densities(voltage, current, area)
    limit = required(current_density, "a threshold current density")
    j = np.abs(j - _background(v, j, background))
    above = np.convolve(j >= limit, np.ones(_STAYS), mode="full")[_STAYS - 1 :] >= np.minimum(
        _STAYS, len(v) - np.arange(len(v))
    )
    reached = np.flatnonzero(above)
    inputs = _inputs(area, scan_rate, background) | {"threshold": limit}
    bare = Result("stability limit", float(v[-1]), VOLT, "|j| at threshold", SOURCE, inputs=inputs)
    flags = _doubts(scan_rate)
    if not len(reached):
        code = "lower-bound" if v[-1] > v[0] else "upper-bound"
        return bare.flagged(Flag(code, "the threshold was not reached in this sweep"), *flags)
    at = int(reached[0])
    if at == 0:
        raise EvaluationRefused(Refusal.OUTSIDE_VALIDITY, "the current is above the threshold from the start")
    step, rise = float(v[at] - v[at - 1]), float(j[at] - j[at - 1])
    share = min(max((limit - float(j[at - 1])) / rise, 0.0), 1.0) if rise > 0.0 else 1.0
    crossing = float(v[at - 1]) + share * step
    budget = [
        within("voltage offset", accuracy.voltage_offset),
        within("voltage gain", accuracy.voltage_gain * crossing),
        within("interpolation", _INTERPOLATION * abs(step)),
        scatter("noise of the current", min(_noise(j[:at]) / max(rise, 1e-300), 1.0) * abs(step)),
    ]
    return with_budget(
        Result("stability limit", crossing, VOLT, bare.formula, SOURCE, inputs=inputs), budget
    ).flagged(*flags)


def tangent(
    voltage: ArrayLike,
    current: ArrayLike,
    *,
    area: SquareMetre | None,
    background: tuple[Volt, Volt],
    rise: tuple[Volt, Volt],
    scan_rate: VoltPerSecond,
) -> Result:
    """Where the line through the rising current meets the line through the background."""
    v, j = _densities(voltage, current, area)
    flat, steep = (
        line(v[_inside(v, span)], j[_inside(v, span)], name, fewest=5)
        for span, name in ((background, "the background"), (rise, "the rise"))
    )
    if abs(steep.slope) <= 3.0 * abs(flat.slope):
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY, "the current does not rise out of its background there"
        )
    denominator = steep.slope - flat.slope
    crossing = (flat.intercept - steep.intercept) / denominator
    budget = [
        scatter("background", flat.at_u(crossing) / abs(denominator), flat.degrees),
        scatter("rise", steep.at_u(crossing) / abs(denominator), steep.degrees),
    ]
    bare = Result(
        "onset potential", crossing, VOLT, "intersection of tangents", SOURCE,
        window=Window("rise", min(rise), max(rise), VOLT), inputs=_inputs(area, scan_rate, background),
    )  # fmt: skip
    return with_budget(bare, budget).flagged(*_doubts(scan_rate))


def _inputs(
    area: SquareMetre | None, scan_rate: VoltPerSecond, background: tuple[Volt, Volt] | None
) -> dict[str, float | str]:
    return {
        "area": area or 0.0,
        "scan rate": required(scan_rate, "a scan rate"),
        "background": "none" if background is None else f"{min(background):g} to {max(background):g} V",
    }


def _densities(voltage: ArrayLike, current: ArrayLike, area: SquareMetre | None) -> tuple[Real, Real]:
    v, i = np.asarray(voltage, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if v.shape != i.shape or len(v) < 2 * _STAYS or not (np.all(np.isfinite(v)) and np.all(np.isfinite(i))):
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, f"a sweep of {len(v)} finite samples is none")
    return v, i / required_area(area, "a current density")


def _inside(v: Real, span: tuple[Volt, Volt]) -> NDArray[np.bool_]:
    return (v >= min(span)) & (v <= max(span))


def _background(v: Real, j: Real, span: tuple[Volt, Volt] | None) -> Real:
    if span is None:
        return np.zeros_like(j)
    part = _inside(v, span)
    fitted = line(v[part], j[part], "the background", fewest=5)
    return fitted.intercept + fitted.slope * v


def _noise(j: Real) -> float:
    """Standard deviation of a sample, from second differences of the last fifty."""
    return float(np.sqrt(np.mean(np.diff(j[-50:], 2) ** 2) / 6.0)) if len(j) > 4 else 0.0


def _doubts(scan_rate: VoltPerSecond) -> Sequence[Flag]:
    if scan_rate > _FAST:
        return [
            Flag("fast-sweep", f"{scan_rate * 1e3:g} mV/s hides slow decomposition; 0.1 to 1 mV/s are usual")
        ]
    return []
