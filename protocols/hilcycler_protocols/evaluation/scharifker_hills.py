"""A15, nucleation from a potentiostatic transient: instantaneous or progressive (Scharifker and Hills).

With x = t/t_m counted from the start of nucleation, growing diffusion-controlled hemispheres give

    instantaneous  (i/i_m)^2 = 1.9542/x (1 - exp(-1.2564 x))^2
    progressive    (i/i_m)^2 = 1.2254/x (1 - exp(-2.3367 x^2))^2

Both have their maximum, 1, at x = 1. They say nothing unless diffusion controls the current, so the
diffusion coefficient that i_m^2 t_m implies is always printed: in 1 M and stronger lithium
electrolytes it comes out decades below that of any liquid, and then N_0 is a label, not a density.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import AmperePerSquareMetre, Second, SquareMetre
from hilcycler_protocols.evaluation.conversions import LITHIUM_DENSITY, LITHIUM_MOLAR_MASS
from hilcycler_protocols.evaluation.results import (
    AREAL_CURRENT,
    DIFFUSIVITY,
    FARADAY,
    NUMBER_DENSITY,
    SECOND,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Unit,
    Window,
    required,
    required_area,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import Known, propagated, scatter, stated

Real = NDArray[np.float64]

SOURCE: Final = "Scharifker and Hills, Electrochim. Acta 28 (1983) 879"
LIQUID: Final = 1e-10
"""m2/s, the usual diffusion coefficient of a salt in a liquid electrolyte."""
PLAUSIBLE_DECADES: Final = 2.0
_UNDECIDED: Final = 1.5


class Growth(StrEnum):
    """When nuclei appear."""

    INSTANTANEOUS = "instantaneous"
    PROGRESSIVE = "progressive"


_PEAK: Final = {Growth.INSTANTANEOUS: 0.1629, Growth.PROGRESSIVE: 0.2598}
"""i_m^2 t_m over (zFc)^2 D."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """What deposits out of what: `concentration` in mol/m3; the density in kg/m3 and molar mass in kg/mol."""

    concentration: Known | None
    charge: int = 1
    density: float = LITHIUM_DENSITY
    molar_mass: float = LITHIUM_MOLAR_MASS


@dataclass(frozen=True, slots=True)
class Transient:
    """The better of the two models. `misfit` is the rms distance of each, as a share of i_m.

    `nuclei` (per area) exists for instantaneous nucleation only. `induction` is when nucleation began.
    """

    growth: Growth
    misfit: dict[Growth, float]
    peak_current: Result
    peak_time: Result
    induction: Second
    diffusion: Result
    nuclei: Result | None


def reduced(growth: Growth, x: Real) -> Real:
    """(i/i_m)^2 over t/t_m; 0 before the start."""
    after = np.maximum(x, 1e-12)
    match growth:
        case Growth.INSTANTANEOUS:
            f = 1.9542 / after * (1.0 - np.exp(-1.2564 * after)) ** 2
        case Growth.PROGRESSIVE:
            f = 1.2254 / after * (1.0 - np.exp(-2.3367 * after**2)) ** 2
    return np.asarray(np.where(x > 0.0, f, 0.0))


def transient(
    time: ArrayLike,
    current: ArrayLike,
    deposit: Deposit,
    *,
    area: SquareMetre | None,
    after: Second,
    expected_diffusion: float = LIQUID,
) -> Transient:
    """The transient of one potential step, `time` from the step, without what flows before `after`.

    `after` is when the charging of the double layer and of the SEI is over; it has no default because it
    is visible in the data only. Refused: no area, no concentration, no maximum of the current.
    """
    t, i = np.asarray(time, dtype=np.float64), np.abs(np.asarray(current, dtype=np.float64))
    c = required(
        None if deposit.concentration is None else deposit.concentration.value, "a salt concentration"
    )
    keep = t >= after
    t, j = t[keep], i[keep] / required_area(area, "a transient")
    if len(t) < 20 or not (np.all(np.isfinite(j)) and np.all(np.isfinite(t))):
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, f"{len(t)} finite samples after {after:g} s")
    top = int(np.argmax(j))
    if top < 3 or top > len(j) - 4:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY, "the current has no maximum in this transient: nuclei did not overlap"
        )
    fits = {growth: _fit(growth, t, j, top) for growth in Growth}
    growth = min(Growth, key=lambda g: fits[g].misfit)
    best = fits[growth]
    window = Window("time from the step", float(t[0]), float(t[-1]), SECOND)
    peak = best.result("peak current density", 0, AREAL_CURRENT, "i_m", window)
    when = best.result("time of the peak", 1, SECOND, "t_m from the start of nucleation", window)
    implied = _diffusion(growth, peak, when, c, deposit)
    misfit = {g: f.misfit for g, f in fits.items()}
    flags = _doubts(misfit, implied.value, expected_diffusion)
    nuclei = _nuclei(peak, when, deposit).flagged(*flags) if growth is Growth.INSTANTANEOUS else None
    return Transient(growth, misfit, peak, when, best.induction, implied.flagged(*flags), nuclei)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    values: Real
    covariance: Real
    degrees: int
    misfit: float

    @property
    def induction(self) -> Second:
        return float(self.values[2])

    def result(self, name: str, at: int, unit: Unit, formula: str, window: Window) -> Result:
        u = math.sqrt(max(float(self.covariance[at, at]), 0.0))
        bare = Result(name, float(self.values[at]), unit, formula, SOURCE, window=window)
        return with_budget(bare, [scatter("scatter about the model", u, self.degrees)])


def _fit(growth: Growth, t: Real, j: Real, top: int) -> _Fit:
    """i_m, t_m and the start of nucleation, by least squares in current."""
    from scipy.optimize import least_squares

    height, when = float(j[top]), float(t[top])
    scale = np.array([height, when, when])

    def residual(p: Real) -> Real:
        i_m, t_m, start = p * scale
        return np.asarray((i_m * np.sqrt(reduced(growth, (t - start) / t_m)) - j) / height)

    found = least_squares(
        residual, (1.0, 1.0, 0.0), bounds=((0.1, 0.01, -2.0), (10.0, 10.0, 0.999)), x_scale="jac"
    )
    degrees = len(t) - 3
    variance = float(found.fun @ found.fun) / degrees
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * variance * np.outer(scale, scale)
    return _Fit(found.x * scale, covariance, degrees, math.sqrt(float(np.mean(found.fun**2))))


def _diffusion(growth: Growth, peak: Result, when: Result, c: float, deposit: Deposit) -> Result:
    assert deposit.concentration is not None

    def d(i_m: float, t_m: float, concentration: float) -> float:
        return i_m**2 * t_m / (_PEAK[growth] * (deposit.charge * FARADAY * concentration) ** 2)

    bare = Result(
        "diffusion coefficient implied by the transient", d(peak.value, when.value, c), DIFFUSIVITY,
        f"i_m^2 t_m = {_PEAK[growth]} (zFc)^2 D", SOURCE, window=peak.window,
        inputs={"i_m": peak.value, "t_m": when.value, "c": c, "growth": growth},
    )  # fmt: skip
    causes = propagated(
        d,
        ("i_m", peak.value, peak.budget),
        ("t_m", when.value, when.budget),
        stated("c", deposit.concentration),
    )
    return with_budget(bare, causes)


def nuclei_density(i_m: AmperePerSquareMetre, t_m: Second, c: float, deposit: Deposit) -> float:
    """N_0 = 0.065 (8 pi c M/rho)^(-1/2) (zFc/(i_m t_m))^2, per m2."""
    volume_share = 8.0 * math.pi * c * deposit.molar_mass / deposit.density
    return 0.065 / math.sqrt(volume_share) * (deposit.charge * FARADAY * c / (i_m * t_m)) ** 2


def _nuclei(peak: Result, when: Result, deposit: Deposit) -> Result:
    assert deposit.concentration is not None
    c = deposit.concentration
    bare = Result(
        "number density of nuclei", nuclei_density(peak.value, when.value, c.value, deposit), NUMBER_DENSITY,
        "0.065 (8 pi c M/rho)^(-1/2) (zFc/(i_m t_m))^2", SOURCE, window=peak.window,
        inputs={"i_m": peak.value, "t_m": when.value, "c": c.value, "M": deposit.molar_mass, "rho": deposit.density},
    )  # fmt: skip
    causes = propagated(
        lambda i_m, t_m, c_: nuclei_density(i_m, t_m, c_, deposit),
        ("i_m", peak.value, peak.budget),
        ("t_m", when.value, when.budget),
        stated("concentration", c),
    )
    return with_budget(bare, causes)


def _doubts(misfit: dict[Growth, float], implied: float, expected: float) -> list[Flag]:
    flags = []
    decades = math.log10(implied / expected)
    if not abs(decades) <= PLAUSIBLE_DECADES:
        flags.append(
            Flag(
                "not-diffusion",
                f"implies D = {implied * 1e4:.2g} cm2/s, {abs(decades):.1f} decades "
                f"{'below' if decades < 0 else 'above'} the electrolyte's: N_0 is a label, not a density",
            )
        )
    low, high = sorted(misfit.values())
    if high < _UNDECIDED * low:
        flags.append(Flag("undecided", f"both models miss by much the same ({low:.1%}, {high:.1%})"))
    return flags
