"""Metal across the separator: soft shorts that come and go, the hard one that stays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

_HOUR: Final = 3600.0
_DONE: Final = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Telegraph:
    """A random telegraph: what it is now, when it switches next (cell clock, s), switches so far."""

    conductance: float = 0.0
    switches_at: float = math.inf
    count: int = 0


@dataclass(frozen=True, slots=True)
class Soft:
    """Soft shorts: they begin after `onset` hours of wear, come every `wait` and last `lasts` hours.

    Waits and durations are exponential; the resistance (ohm m2) is lognormal about `resistance`
    with standard deviation `spread` of its logarithm.
    """

    onset: float
    wait: float
    lasts: float
    resistance: float
    spread: float


@dataclass(frozen=True, slots=True)
class Shorts:
    """The laws of both. `hard` says after how many hours of cycling at which current density.

    Between and beyond the stated current densities the hours follow a power law, beyond it a
    constant; the damage of a mixed life adds up. `scatter` is the relative standard deviation of
    the cell's own lifetime.
    """

    hard: tuple[tuple[float, float], ...] = ()
    hard_resistance: float = 5e-5
    scatter: float = 0.0
    soft: Soft | None = None
    seed: int = 0

    def hours_to_short(self, j: float) -> float:
        """At constant `j` (A/m2) from a new cell on."""
        if not self.hard:
            return math.inf
        densities, hours = np.log(self.hard).T
        return math.exp(float(np.interp(math.log(j), densities, hours))) * self._luck()

    def shorted(self, damage: float) -> bool:
        """Whether the hard short is there."""
        return damage >= _DONE

    def conductance(self, damage: float, telegraph: Telegraph) -> float:
        """Of the short now, S/m2."""
        return 1.0 / self.hard_resistance if self.shorted(damage) else telegraph.conductance

    def soft_at(self, telegraph: Telegraph, clock: float, wear: float) -> Telegraph:
        """The telegraph at `clock` (s): armed by wear, or switched over."""
        soft = self.soft
        if soft is None:
            return telegraph
        if telegraph.count == 0 and wear > soft.onset and math.isinf(telegraph.switches_at):
            wait = soft.wait * self._draw(0).exponential()
            return Telegraph(0.0, clock + wait * _HOUR, 0)
        if clock < telegraph.switches_at * (1.0 - 1e-15):
            return telegraph
        count = telegraph.count + 1
        draw = self._draw(count)
        if telegraph.conductance:
            return Telegraph(0.0, clock + soft.wait * _HOUR * draw.exponential(), count)
        conductance = 1.0 / (soft.resistance * math.exp(soft.spread * draw.standard_normal()))
        return Telegraph(conductance, clock + soft.lasts * _HOUR * draw.exponential(), count)

    def _luck(self) -> float:
        if self.scatter == 0.0:
            return 1.0
        return math.exp(self.scatter * self._draw(-1).standard_normal())

    def _draw(self, count: int) -> np.random.Generator:
        """Random numbers of one event of this cell, whatever happened before."""
        return np.random.Generator(np.random.Philox(key=[self.seed, 0x5047], counter=[count + 1, 0, 0, 0]))
