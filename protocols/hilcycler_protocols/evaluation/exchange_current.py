"""A10, exchange current density three ways: Tafel, linear polarisation, impedance.

On a two-electrode cell they differ by factors of 1.4 to 9, so the window, the resistance that was
taken off and the number of electrodes are arguments without defaults and fields of the result. Tafel at
100 to 150 mV on a symmetric cell without correction returns 0.43 mA/cm2 for a true 0.63 behind 10 ohm
cm2; corrected linear polarisation returns the truth. At 1 mV/s the SEI is part of what is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import Kelvin, Volt, VoltPerSecond
from hilcycler_protocols.evaluation.regression import Line, line
from hilcycler_protocols.evaluation.results import (
    AREAL_CURRENT,
    FARADAY,
    GAS,
    OHM,
    RATIO,
    VOLT,
    VOLT_PER_DECADE,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    in_unit,
    required,
    required_known,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import (
    PERFECT,
    Accuracy,
    Known,
    propagated,
    stated,
    within,
)

Real = NDArray[np.float64]

SOURCE: Final = "Bard and Faulkner, Electrochemical Methods, 2nd ed., section 3.4"
_ASYMPTOTIC: Final = 3.0
"""|eta| per electrode, in RT/F, from which the Tafel line is one (5 % off at 3)."""


@dataclass(frozen=True, slots=True)
class Polarised:
    """What must be said before a current becomes an exchange current density; nothing has a default.

    `electrodes`: 2 in a symmetric cell, whose interfaces share the voltage, 1 against a reference.
    `series_resistance` in ohm is taken off; Known(0.0) says that nothing is.
    """

    area: Known | None
    electrodes: int
    temperature: Kelvin
    series_resistance: Known

    def __post_init__(self) -> None:
        if self.electrodes not in {1, 2}:
            raise EvaluationRefused(
                Refusal.MISSING_INPUT, f"one or two electrodes polarise, not {self.electrodes}"
            )
        required(self.temperature, "a temperature in kelvin")

    @property
    def surface(self) -> Known:
        return required_known(self.area, "an electrode area for a current density")

    @property
    def thermal_voltage(self) -> Volt:
        """RT/F."""
        return GAS * self.temperature / FARADAY

    @property
    def inputs(self) -> dict[str, float | str]:
        return {
            "area": self.surface.value,
            "electrodes": float(self.electrodes),
            "T": self.temperature,
            "iR correction (ohm)": self.series_resistance.value,
        }


@dataclass(frozen=True, slots=True)
class Tafel:
    """Intercept and slope of log10|j| against |eta| per electrode; `r_squared` of the line."""

    exchange_current: Result
    slope: Result
    transfer_coefficient: Result
    r_squared: float


def tafel(
    voltage: ArrayLike,
    current: ArrayLike,
    cell: Polarised,
    *,
    window: tuple[Volt, Volt],
    scan_rate: VoltPerSecond | None = None,
    accuracy: Accuracy = PERFECT,
) -> Tafel:
    """j_0 from the samples whose cell voltage is inside `window`, on one branch: one sign of it.

    |eta| = |V - I R|/electrodes.
    """
    v, i = np.asarray(voltage, dtype=np.float64), np.asarray(current, dtype=np.float64)
    low, high = sorted(window)
    if low < 0.0 < high:
        raise EvaluationRefused(
            Refusal.MISSING_INPUT, f"a Tafel window has one sign, not {low:g} to {high:g} V"
        )
    inside = (v >= low) & (v <= high)
    v, i, surface = v[inside], i[inside], cell.surface

    def fitted(r: float, s: float) -> Line:
        return _log_line(np.abs(v - i * r) / cell.electrodes, i, s)

    best = fitted(cell.series_resistance.value, surface.value)
    budget = propagated(
        lambda log, r, s, gain: 10.0 ** (log + fitted(r, s).intercept - best.intercept) * gain,
        ("log j_0", best.intercept, [best.intercept_cause("scatter about the line")]),
        stated("series resistance", cell.series_resistance),
        stated("area", surface),
        ("gain", 1.0, [within("current gain", accuracy.current_gain)]),
    )
    lowest = (
        float(np.abs(v - i * cell.series_resistance.value).min()) / cell.electrodes / cell.thermal_voltage
    )
    inputs = cell.inputs | {
        "r2": best.r_squared,
        "points": float(len(i)),
        "scan rate": "not stated" if scan_rate is None else scan_rate,
    }
    bare = Result(
        "exchange current density", 10.0**best.intercept, AREAL_CURRENT, "Tafel: log10|j| = log10 j_0 + |eta|/b",
        SOURCE, window=Window("cell voltage", low, high, VOLT), inputs=inputs, flags=_doubts(lowest, best),
    )  # fmt: skip
    return Tafel(with_budget(bare, budget), *_slopes(bare, best, cell), best.r_squared)


def _slopes(j_0: Result, fitted: Line, cell: Polarised) -> tuple[Result, Result]:
    """Tafel slope in V per decade and the transfer coefficient it stands for."""
    per_decade = 1.0 / fitted.slope
    alpha = math.log(10.0) * cell.thermal_voltage / per_decade
    relative = fitted.slope_cause("scatter about the line").scaled(1.0 / fitted.slope)
    slope = replace(j_0, name="Tafel slope", value=per_decade, unit=VOLT_PER_DECADE, formula="b")
    coefficient = replace(
        j_0, name="transfer coefficient", value=alpha, unit=RATIO, formula="alpha = 2.303 RT/(b F)"
    )
    return with_budget(slope, [relative.scaled(per_decade)]), with_budget(
        coefficient, [relative.scaled(alpha)]
    )


def linear_polarisation(polarisation_resistance: Result, cell: Polarised) -> Result:
    """j_0 = electrodes RT/(F A (R_p - R_series)), R_p = dV/dI about zero current, in ohm."""
    return _linear("linear polarisation: j_0 = m RT/(F A (R_p - R_s))", polarisation_resistance, cell)


def from_impedance(charge_transfer: Result, cell: Polarised) -> Result:
    """j_0 = electrodes RT/(F A R_ct), R_ct of the whole cell in ohm: each of two electrodes has half of it.

    A spectrum has already told R_ct from what is in series, so nothing more is taken off.
    """
    bare = replace(cell, series_resistance=Known(0.0))
    return _linear("impedance: j_0 = m RT/(F A R_ct)", charge_transfer, bare)


def polarisation_resistance(
    voltage: ArrayLike, current: ArrayLike, *, window: Volt = 0.01, accuracy: Accuracy = PERFECT
) -> Result:
    """R_p in ohm: slope of V against I for |V| up to `window`."""
    v, i = np.asarray(voltage, dtype=np.float64), np.asarray(current, dtype=np.float64)
    inside = np.abs(v) <= window
    fitted = line(i[inside], v[inside], "the polarisation resistance", fewest=5)
    bare = Result(
        "R_p", fitted.slope, OHM, "dV/dI", SOURCE, window=Window("voltage", -window, window, VOLT),
        inputs={"r2": fitted.r_squared},
    )  # fmt: skip
    return with_budget(
        bare,
        [
            fitted.slope_cause("scatter about the line"),
            within("voltage gain", accuracy.voltage_gain * fitted.slope),
            within("current gain", accuracy.current_gain * fitted.slope),
        ],
    )


def _linear(formula: str, resistance: Result, cell: Polarised) -> Result:
    series, surface = cell.series_resistance, cell.surface
    in_unit(resistance, OHM)
    if not resistance.value > series.value:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY,
            f"{resistance.value:.4g} ohm is no more than the {series.value:.4g} ohm in series",
        )

    def j_0(r: float, s: float, r_series: float) -> float:
        return cell.electrodes * cell.thermal_voltage / (s * (r - r_series))

    bare = Result(
        "exchange current density", j_0(resistance.value, surface.value, series.value), AREAL_CURRENT,
        formula, SOURCE, window=resistance.window, flags=resistance.flags,
        inputs=cell.inputs | {"R": resistance.value},
    )  # fmt: skip
    budget = propagated(
        j_0,
        (resistance.name, resistance.value, resistance.budget),
        stated("area", surface),
        stated("series resistance", series),
    )
    return with_budget(bare, budget)


def _log_line(eta: Real, current: Real, area: float) -> Line:
    j = np.abs(current) / area
    if len(j) and not np.all(j > 0.0):
        raise EvaluationRefused(Refusal.OUTSIDE_VALIDITY, "no current in part of the Tafel window")
    return line(eta, np.log10(j), "the Tafel line", fewest=5)


def _doubts(lowest: float, fitted: Line) -> tuple[Flag, ...]:
    flags = []
    if lowest < _ASYMPTOTIC:
        flags.append(
            Flag(
                "not-asymptotic",
                f"|eta| begins at {lowest:.1f} RT/F per electrode: below 3 j_0 comes out low",
            )
        )
    if fitted.r_squared < 0.99:
        flags.append(Flag("curved", f"r2 = {fitted.r_squared:.3f}: this is no Tafel line"))
    return tuple(flags)
