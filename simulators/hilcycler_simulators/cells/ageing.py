"""What cycling does to lithium metal, a step at a time: activation, growth, roughness."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

MAH_CM2: Final = 3.6e4  # C/m2 in 1 mAh/cm2
_HOUR: Final = 3600.0
_FORGETS: Final = 0.5 * MAH_CM2  # by how much charge the surface forgets the half-cycle before


@dataclass(frozen=True, slots=True)
class Growth:
    """How a resistance multiplies with the wear `w` (hours at the reference current).

    1 + slope w + gain u/(1 - u), u = (w - onset)/(dry - onset) between 0 and 1: steady growth, and
    the runaway of an electrolyte that is gone at `dry`.
    """

    slope: float = 0.0
    onset: float = math.inf
    dry: float = math.inf
    gain: float = 0.0

    def __call__(self, wear: float) -> float:
        grown = 1.0 + self.slope * wear
        if wear <= self.onset:
            return grown
        used = min((wear - self.onset) / (self.dry - self.onset), 0.999)
        return grown + self.gain * used / (1.0 - used)


@dataclass(frozen=True, slots=True)
class Life:
    """The laws by which the interfaces of a lithium electrode change.

    `activation`: by how much a fresh interface exceeds a cycled one, fading over `activation_hours`
    of cycling. Wear counts cycling hours times (j/`reference`)^`exponent`: 1 wears by charge, 0 by
    time. `roughness` is the area gained per mAh/cm2 of a half-cycle.
    """

    activation: float = 0.0
    activation_hours: float = 40.0
    growth: Growth = Growth()
    reference: float = 10.0
    exponent: float = 1.0
    roughness: float = 0.0


@dataclass(frozen=True, slots=True)
class Age:
    """What the electrodes have been through."""

    hours: float = 0.0
    wear: float = 0.0
    throughput: float = 0.0
    half_cycle: float = 0.0
    direction: float = 0.0
    passed: float = 0.0

    def after(self, life: Life, j: float, seconds: float) -> Age:
        """The age after constant current density `j` (A/m2)."""
        if j == 0.0 or seconds == 0.0:
            return self
        hours, charge = seconds / _HOUR, abs(j) * seconds
        direction = math.copysign(1.0, j)
        aged = self if direction == self.direction else self.turned(direction)
        return replace(
            aged,
            hours=self.hours + hours,
            wear=self.wear + hours * (abs(j) / life.reference) ** life.exponent,
            throughput=self.throughput + charge,
            passed=aged.passed + charge,
        )

    def turned(self, direction: float) -> Age:
        """At a reversal: the half-cycle just ended shapes the surface."""
        weight = -math.expm1(-self.passed / _FORGETS)
        shaped = self.half_cycle + (self.passed - self.half_cycle) * weight
        return replace(self, half_cycle=shaped, passed=0.0, direction=direction)

    def resistance(self, life: Life) -> float:
        """By what interface resistances are multiplied now."""
        fresh = 1.0 + life.activation * math.exp(-self.hours / life.activation_hours)
        area = 1.0 + life.roughness * self.half_cycle / MAH_CM2
        return fresh * life.growth(self.wear) / area
