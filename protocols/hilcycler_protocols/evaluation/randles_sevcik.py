"""A13, peak currents over scan rates: diffusion coefficient (Randles and Sevcik) and b-value.

    reversible:    I_p = 0.4463 n F A c sqrt(n F v D / (R T))
    irreversible:  I_p = 0.4958 n F A c sqrt(alpha n F v D / (R T))

c is the concentration in the phase that diffuses. A b of 0.5 says diffusion, 1 a surface process; away
from 0.5 there is no D to be had. Not for two-phase electrodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import Kelvin, Volt
from hilcycler_protocols.evaluation.regression import Line, line
from hilcycler_protocols.evaluation.results import (
    AMPERE,
    DIFFUSIVITY,
    FARADAY,
    GAS,
    RATIO,
    VOLT,
    VOLT_PER_SECOND,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    required,
    required_known,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import Known, propagated, scatter, stated

Real = NDArray[np.float64]

SOURCE: Final = "Bard and Faulkner, Electrochemical Methods, 2nd ed., equations 6.2.18 and 6.3.8"
REVERSIBLE: Final = 0.4463
IRREVERSIBLE: Final = 0.4958
FEWEST: Final = 4
DIFFUSIVE: Final = (0.4, 0.6)


@dataclass(frozen=True, slots=True)
class Diffusing:
    """What diffuses and how: `concentration` in mol/m3, `electrons` n, `alpha` None if reversible."""

    area: Known | None
    concentration: Known | None
    temperature: Kelvin
    electrons: int = 1
    alpha: float | None = None


@dataclass(frozen=True, slots=True)
class Peak:
    """A peak current above its baseline, and where it is."""

    current: Result
    voltage: Volt


def peak(voltage: ArrayLike, current: ArrayLike, *, baseline: tuple[Volt, Volt]) -> Peak:
    """The largest current (by magnitude) of one sweep over a straight line through the `baseline` voltages.

    Without the baseline the charging current counts as peak. The top is that of a parabola through the
    samples above 95 % of it.
    """
    v, i = np.asarray(voltage, dtype=np.float64), np.asarray(current, dtype=np.float64)
    low, high = sorted(baseline)
    flat = (v >= low) & (v <= high)
    floor = line(v[flat], i[flat], "the baseline", fewest=5)
    net = i - (floor.intercept + floor.slope * v)
    outside = ~flat
    if not outside.any():
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, "the sweep is all baseline")
    top = int(np.flatnonzero(outside)[np.argmax(np.abs(net[outside]))])
    if top in {0, len(v) - 1}:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY, "the current still rises at the end of the sweep: no peak"
        )
    sign = math.copysign(1.0, net[top])
    height, at, u = _parabola(v, sign * net, top)
    baseline_u = floor.at_u(float(v[top]))
    bare = Result(
        "peak current",
        sign * height,
        AMPERE,
        "I_p over the baseline",
        SOURCE,
        window=Window("baseline", low, high, VOLT),
    )
    budget = [scatter("noise at the peak", u), scatter("baseline", baseline_u, floor.degrees)]
    return Peak(with_budget(bare, budget), at)


def _parabola(v: Real, net: Real, top: int) -> tuple[float, float, float]:
    high = np.abs(np.arange(len(v)) - top) <= max(3, int(np.sum(net >= 0.95 * net[top])) // 2)
    x, y = v[high] - v[top], net[high]
    scale = float(np.abs(x).max()) or 1.0
    a, b, c = (float(k) for k in np.polyfit(x / scale, y, 2))
    shift = -b / (2.0 * a) if a < 0.0 else 0.0
    if not abs(shift) <= 1.0:
        return float(net[top]), float(v[top]), 0.0
    residual = y - np.polyval([a, b, c], x / scale)
    u = float(np.sqrt(residual @ residual / max(len(y) - 3, 1) * 2.25 / len(y)))
    return a * shift * shift + b * shift + c, float(v[top] + shift * scale), u


def b_value(scan_rates: ArrayLike, peak_currents: ArrayLike) -> Result:
    """Slope of log|I_p| against log v."""
    v, i = _pairs(scan_rates, peak_currents)
    fitted = line(np.log10(v), np.log10(i), "log I_p against log v", fewest=FEWEST)
    bare = Result(
        "b-value", fitted.slope, RATIO, "log|I_p| = b log v + log a", SOURCE, window=_window(v),
        inputs={"r2": fitted.r_squared, "rates": float(len(v))},
    )  # fmt: skip
    return with_budget(bare, [fitted.slope_cause("scatter about the line")]).flagged(*_narrow(v))


def diffusion_coefficient(scan_rates: ArrayLike, peak_currents: ArrayLike, what: Diffusing) -> Result:
    """D from the slope of |I_p| against sqrt(v).

    Refused: fewer than four rates, no area, no concentration, a b-value away from 0.5.
    """
    area, c = (
        required_known(what.area, "an electrode area"),
        required_known(what.concentration, "a concentration"),
    )
    v, i = _pairs(scan_rates, peak_currents)
    b = b_value(v, i)
    if not DIFFUSIVE[0] <= b.value <= DIFFUSIVE[1]:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY, f"b = {b.text()}: the peaks do not go with the root of the scan rate"
        )
    fitted = line(np.sqrt(v), i, "I_p against sqrt(v)", fewest=FEWEST)
    factor = REVERSIBLE if what.alpha is None else IRREVERSIBLE * math.sqrt(what.alpha)
    thermal = GAS * required(what.temperature, "a temperature")
    n = what.electrons

    def d(slope: float, s: float, concentration: float) -> float:
        return (slope / (factor * n * FARADAY * s * concentration)) ** 2 * thermal / (n * FARADAY)

    bare = Result(
        "diffusion coefficient", d(fitted.slope, area.value, c.value), DIFFUSIVITY,
        "Randles-Sevcik, reversible" if what.alpha is None else "Randles-Sevcik, irreversible",
        SOURCE, window=_window(v),
        inputs={
            "area": area.value, "c": c.value, "n": float(n), "T": what.temperature, "b": b.value,
            "r2": fitted.r_squared, "alpha": what.alpha or "reversible",
        },
    )  # fmt: skip
    slope = ("slope", fitted.slope, [fitted.slope_cause("scatter about the line")])
    result = with_budget(bare, propagated(d, slope, stated("area", area), stated("concentration", c)))
    return result.flagged(*_narrow(v), *_offset(fitted, i))


def _pairs(scan_rates: ArrayLike, peak_currents: ArrayLike) -> tuple[Real, Real]:
    v, i = np.asarray(scan_rates, dtype=np.float64), np.abs(np.asarray(peak_currents, dtype=np.float64))
    if v.shape != i.shape or not (np.all(v > 0.0) and np.all(i > 0.0)):
        raise EvaluationRefused(Refusal.MISSING_INPUT, "each scan rate needs a peak current, neither zero")
    return v, i


def _window(v: Real) -> Window:
    return Window("scan rate", float(v.min()), float(v.max()), VOLT_PER_SECOND)


def _narrow(v: Real) -> Sequence[Flag]:
    span = float(v.max() / v.min())
    return [Flag("narrow", f"the rates span a factor of {span:.3g}, less than 5")] if span < 5.0 else []


def _offset(fitted: Line, i: Real) -> Sequence[Flag]:
    if abs(fitted.intercept) > 0.1 * float(i.max()):
        return [Flag("offset", "the line misses the origin: baseline, double layer, or not diffusion alone")]
    return []
