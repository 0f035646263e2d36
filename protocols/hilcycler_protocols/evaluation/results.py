"""The result of an evaluation: a number that says where it comes from, or a refusal that says why not.

Values are SI inside; a unit knows how the field writes it. No result is ever NaN: what cannot be
said raises EvaluationRefused, what can be said with a reservation carries a flag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from hilcycler.errors import RequestError
from hilcycler.quantities import SquareMetre
from hilcycler_protocols.evaluation.uncertainty import Component, Known, combined, half_width, within

FARADAY: Final = 96485.33212
"""C/mol"""
GAS: Final = 8.314462618
"""J/(mol K)"""


class Refusal(StrEnum):
    """Why there is no number."""

    MISSING_INPUT = "missing input"
    NOT_FINITE = "not finite"
    TOO_LITTLE_DATA = "too little data"
    OUTSIDE_VALIDITY = "outside the validity of the formula"
    IMPOSSIBLE_VALUE = "impossible value"
    PARTIAL = "partly unobserved"
    NOT_TO_CUTOFF = "not ended by its cut-off"
    RESERVOIR_EXHAUSTED = "reservoir exhausted"
    NOT_STATIONARY = "not stationary"
    NO_CONVERGENCE = "no convergence"


class EvaluationRefused(RequestError):
    """No number is better than this one; `reason` for programs, the message for people."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Unit:
    """An SI unit, and how the field writes it: `shown` times `factor`."""

    symbol: str
    shown: str
    factor: float = 1.0


RATIO: Final = Unit("1", "")
PERCENT: Final = Unit("1", "%", 100.0)
VOLT: Final = Unit("V", "V")
MILLIVOLT: Final = Unit("V", "mV", 1e3)
AMPERE: Final = Unit("A", "mA", 1e3)
AREAL_CURRENT: Final = Unit("A/m2", "mA/cm2", 0.1)
COULOMB: Final = Unit("C", "mAh", 1.0 / 3.6)
AREAL_CHARGE: Final = Unit("C/m2", "mAh/cm2", 1.0 / 3.6e4)
SPECIFIC_CHARGE: Final = Unit("C/kg", "mAh/g", 1.0 / 3600.0)
OHM: Final = Unit("ohm", "ohm")
AREAL_RESISTANCE: Final = Unit("ohm m2", "ohm cm2", 1e4)
CONDUCTIVITY: Final = Unit("S/m", "mS/cm", 10.0)
ENERGY: Final = Unit("J/mol", "kJ/mol", 1e-3)
DIFFUSIVITY: Final = Unit("m2/s", "cm2/s", 1e4)
SECOND: Final = Unit("s", "s")
HOUR: Final = Unit("s", "h", 1.0 / 3600.0)
METRE: Final = Unit("m", "um", 1e6)
NUMBER_DENSITY: Final = Unit("1/m2", "1/cm2", 1e-4)
ELECTROLYTE_RATIO: Final = Unit("kg/C", "g/Ah", 3.6e6)
PER_CYCLE: Final = Unit("1", "%/cycle", 100.0)
PER_HOUR: Final = Unit("1/s", "1/h", 3600.0)
COUNT: Final = Unit("1", "")
VOLT_PER_DECADE: Final = Unit("V", "mV/dec", 1e3)
VOLT_PER_SECOND: Final = Unit("V/s", "mV/s", 1e3)
HERTZ: Final = Unit("Hz", "Hz")
KELVIN: Final = Unit("K", "K")
FARAD: Final = Unit("F", "F")
HENRY: Final = Unit("H", "H")
CPE_COEFFICIENT: Final = Unit("S s^n", "S s^n")
WARBURG_COEFFICIENT: Final = Unit("ohm s^-1/2", "ohm s^-1/2")


@dataclass(frozen=True, slots=True)
class Flag:
    """A reservation: `code` for programs, `text` for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the data that was used: `quantity` from `low` to `high`, SI."""

    quantity: str
    low: float
    high: float
    unit: Unit

    def __str__(self) -> str:
        low, high = (f"{v * self.unit.factor:.4g}" for v in (self.low, self.high))
        return f"{self.quantity} {low} to {high} {self.unit.shown}".rstrip()


@dataclass(frozen=True, slots=True)
class Result:
    """One number of a paper.

    `uncertainty` is standard (k = 1) and `interval` holds the truth with 95 %; both None where the
    data do not say. `formula` identifies the equation, `source` the publication it was taken from.
    `inputs` are whatever else went in, SI. `budget` is the uncertainty cause by cause.
    """

    name: str
    value: float
    unit: Unit
    formula: str
    source: str
    uncertainty: float | None = None
    interval: tuple[float, float] | None = None
    window: Window | None = None
    inputs: Mapping[str, float | str] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    budget: tuple[Component, ...] = ()

    def __post_init__(self) -> None:
        numbers = [self.value, *(self.interval or ())]
        if self.uncertainty is not None:
            numbers.append(self.uncertainty)
        if not all(math.isfinite(n) for n in numbers):
            raise EvaluationRefused(Refusal.NOT_FINITE, f"{self.name}: {numbers} is not a finite result")

    def has(self, code: str) -> bool:
        """Whether the flag `code` is raised."""
        return any(flag.code == code for flag in self.flags)

    def flagged(self, *flags: Flag) -> Result:
        return replace(self, flags=(*self.flags, *flags))

    @property
    def dominant(self) -> str | None:
        """The cause that contributes most to the uncertainty."""
        return max(self.budget, key=lambda c: c.standard).cause if self.budget else None

    def areal(self, area: SquareMetre | None) -> Result:
        """A resistance times the electrode area; refused without one. The area is taken as exact."""
        in_unit(self, OHM)
        s = required_area(area, self.name)
        return replace(
            self,
            value=self.value * s,
            unit=AREAL_RESISTANCE,
            uncertainty=None if self.uncertainty is None else self.uncertainty * s,
            interval=None if self.interval is None else (self.interval[0] * s, self.interval[1] * s),
            inputs={**self.inputs, "area": s},
            budget=tuple(c.scaled(s) for c in self.budget),
        )

    def __str__(self) -> str:
        return f"{self.name} = {self.text()}"

    def text(self) -> str:
        """Value ± standard uncertainty with unit, in no more digits than the uncertainty supports.

        One digit of the uncertainty, two if it begins with 1 or 2. Four significant digits of the
        value where no uncertainty is known. A bound (flags `lower-bound`, `upper-bound`) says so.
        """
        sign = "> " if self.has("lower-bound") else "< " if self.has("upper-bound") else ""
        return sign + self._digits()

    def _digits(self) -> str:
        value, unit = self.value * self.unit.factor, self.unit.shown
        if not self.uncertainty:
            return f"{value:.4g} {unit}".rstrip()
        u = self.uncertainty * self.unit.factor
        exponent = math.floor(math.log10(u))
        digits = 1 if u / 10.0**exponent < 2.95 else 0
        places = digits - exponent
        if exponent > 3 or exponent < -6:
            shift = math.floor(math.log10(max(abs(value), u)))
            scaled = places + shift
            return f"({value / 10.0**shift:.{max(scaled, 0)}f} ± {u / 10.0**shift:.{max(scaled, 0)}f})e{shift} {unit}".rstrip()
        if places < 0:
            value, u, places = round(value, places), round(u, places), 0
        tail = "%" if unit == "%" else f" {unit}"
        return f"{value:.{places}f} ± {u:.{places}f}{tail}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """For JSON: SI values, unit symbols, flags as code to text."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit.symbol,
            "uncertainty": self.uncertainty,
            "interval95": None if self.interval is None else list(self.interval),
            "window": None if self.window is None else str(self.window),
            "inputs": dict(self.inputs),
            "formula": self.formula,
            "source": self.source,
            "flags": {flag.code: flag.text for flag in self.flags},
            "budget": {c.cause: c.standard for c in self.budget},
            "text": self.text(),
        }


def with_budget(result: Result, budget: Sequence[Component]) -> Result:
    """`result` with the uncertainty and the symmetric 95 % interval of independent `budget` causes."""
    reach = half_width(budget)
    return replace(
        result,
        uncertainty=combined(budget),
        interval=(result.value - reach, result.value + reach),
        budget=tuple(c for c in budget if c.standard > 0.0),
    )


def given(name: str, value: float, unit: Unit, half_width: float = 0.0) -> Result:
    """A number that somebody states, where a Result is asked for: it lies within ± `half_width`."""
    return with_budget(Result(name, value, unit, "stated", "stated"), [within(name, half_width)])


def required_area(area: SquareMetre | None, what: str) -> SquareMetre:
    """The area, or a refusal: an areal number without an area would be an invention."""
    return required(area, f"an electrode area for {what}")


def in_unit(result: Result, unit: Unit) -> Result:
    """`result`, which must be in `unit`: ohm and ohm m2 are easily confused."""
    if result.unit != unit:
        raise EvaluationRefused(
            Refusal.MISSING_INPUT, f"{result.name} must be in {unit.symbol}, not in {result.unit.symbol}"
        )
    return result


def required_known(known: Known | None, what: str) -> Known:
    """A stated input whose value is positive and finite."""
    required(None if known is None else known.value, what)
    assert known is not None
    return known


def required(value: float | None, what: str) -> float:
    """A positive, finite input that the formula cannot do without."""
    if value is None:
        raise EvaluationRefused(Refusal.MISSING_INPUT, f"needs {what}")
    if not (math.isfinite(value) and value > 0.0):
        raise EvaluationRefused(Refusal.MISSING_INPUT, f"needs {what}: {value!r} is not a positive number")
    return value
