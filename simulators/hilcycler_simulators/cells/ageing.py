"""What cycling does to a cell, a half-cycle at a time: activation, growth, roughness, shorts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from hilcycler_simulators.cells.drive import Drive, Galvanostat, Leak, Potentiostat
from hilcycler_simulators.cells.shorts import Shorts, Telegraph

MAH_CM2: Final = 3.6e4  # C/m2 in 1 mAh/cm2
_HOUR: Final = 3600.0
_FORGETS: Final = 0.5 * MAH_CM2  # by how much charge a surface forgets the half-cycle before
_COUNTS: Final = 0.02 * MAH_CM2  # the least charge that makes a half-cycle; an EIS sine makes none
_MINUTE: Final = 60.0
_YOUNG: Final = 1e-3  # an activation that still shows while a voltage is held
_LONGEST: Final = 24.0 * _HOUR  # a stretch is aged at least this often


@dataclass(frozen=True, slots=True)
class Growth:
    """How something multiplies with wear `w`.

    1 + slope w + gain u/(1 - u), u = (w - onset)/(dry - onset): steady growth, and the runaway of
    an electrolyte that is gone at `dry`.
    """

    slope: float = 0.0
    onset: float = math.inf
    dry: float = math.inf
    gain: float = 0.0

    def __call__(self, wear: float) -> float:
        grown = 1.0 + self.slope * wear
        if wear <= self.onset:
            return grown
        used = min((wear - self.onset) / (self.dry - self.onset), 0.9999)
        return grown + self.gain * used / (1.0 - used)


STEADY: Final = Growth()  # nothing changes


@dataclass(frozen=True, slots=True)
class Life:
    """The laws by which a cell changes; each is off as it stands here.

    `activation`: by how much fresh interfaces exceed cycled ones, fading over `activation_hours` of
    cycling. Wear counts cycling hours times (j/`reference`)^`exponent`: 1 wears by charge, 0 by
    time. `storage` is the growth per square root of an hour of cell age. `roughness` is the area
    gained per mAh/cm2 of a half-cycle.
    """

    activation: float = 0.0
    activation_hours: float = 40.0
    growth: Growth = STEADY
    reference: float = 10.0
    exponent: float = 1.0
    storage: float = 0.0
    roughness: float = 0.0
    shorts: Shorts = field(default_factory=Shorts)


@dataclass(frozen=True, slots=True)
class Age:
    """What a cell has been through. Hours are of cycling, charges in C/m2, `clock` in seconds.

    `half_cycle` is the charge that shaped the surface; `cycles` counts reductions of the working
    electrode that are over: plating, or discharge.
    """

    clock: float = 0.0
    hours: float = 0.0
    wear: float = 0.0
    throughput: float = 0.0
    half_cycle: float = 0.0
    direction: float = 0.0
    passed: float = 0.0
    cycles: int = 0
    damage: float = 0.0
    telegraph: Telegraph = field(default_factory=Telegraph)

    def after(self, life: Life, j: float, seconds: float) -> Age:
        """The age after mean current density `j` (A/m2) for `seconds`."""
        if seconds == 0.0:
            return self
        clock, shorts = self.clock + seconds, life.shorts
        hours = seconds / _HOUR if j else 0.0
        wear = self.wear + hours * (abs(j) / life.reference) ** life.exponent if j else self.wear
        telegraph = self.telegraph if shorts.soft is None else shorts.soft_at(self.telegraph, clock, wear)
        if j == 0.0:
            return replace(self, clock=clock, telegraph=telegraph)
        charge, direction = abs(j) * seconds, math.copysign(1.0, j)
        turned = direction != self.direction
        shaped, counted = self._turned() if turned else (self.half_cycle, 0)
        return Age(
            clock=clock,
            hours=self.hours + hours,
            wear=wear,
            throughput=self.throughput + charge,
            half_cycle=shaped,
            direction=direction,
            passed=charge if turned else self.passed + charge,
            cycles=self.cycles + counted,
            damage=self.damage + hours / shorts.hours_to_short(abs(j)),
            telegraph=telegraph,
        )

    def _turned(self) -> tuple[float, int]:
        """At a reversal: the half-cycle just ended shapes the surface, and may complete a cycle."""
        weight = -math.expm1(-self.passed / _FORGETS)
        shaped = self.half_cycle + (self.passed - self.half_cycle) * weight
        return shaped, int(self.direction < 0.0 and self.passed >= _COUNTS)

    def interface(self, life: Life) -> float:
        """By what interface resistances are multiplied now."""
        fresh = 1.0 + self._activation(life)
        stored = life.storage * math.sqrt(self.clock / _HOUR)
        area = 1.0 + life.roughness * self.half_cycle / MAH_CM2
        return (fresh * life.growth(self.wear) + stored) / area

    def horizon(self, life: Life, drive: Drive) -> float:
        """After how many seconds something happens by itself, or the age wants to be looked at."""
        soonest = min(_LONGEST, self.telegraph.switches_at - self.clock)
        match drive:
            case Potentiostat() if self._activation(life) > _YOUNG:
                soonest = min(soonest, _MINUTE)
            case Galvanostat(j=j) if j != 0.0 and not life.shorts.shorted(self.damage):
                rest = (1.0 - self.damage) * life.shorts.hours_to_short(abs(j)) * _HOUR
                soonest = min(soonest, rest)
        return max(soonest, 0.0)

    def _activation(self, life: Life) -> float:
        """What is left of it."""
        return life.activation * math.exp(-self.hours / life.activation_hours)

    def leak(self, life: Life) -> Leak | None:
        """The short beside the ions now, if there is one."""
        conductance = life.shorts.conductance(self.damage, self.telegraph)
        return Leak(conductance) if conductance else None
