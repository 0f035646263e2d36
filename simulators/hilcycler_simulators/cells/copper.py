"""The copper side of Li||Cu: formation, nucleation, and the soft end of stripping.

What is left to strip is patchy. Islands at random places, each some `patch` deep, cover
theta = 1 - exp(-q/patch) of the copper (the coverage of Kolmogorov and Avrami), and all the anodic
current goes through them: film and charge transfer of this side see j/theta. So the voltage bends up
over the last tens of seconds at 1 mA/cm2, as measured strips do. When `_BARE` of the copper is all
that is covered the current begins to charge the filmed copper itself, a fraction of a volt a second;
what it took is taken up again before lithium plates. At `dissolves` volt copper goes into solution
(Cu2+/Cu stands at 3.38 V against lithium) and holds the voltage there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.kinetics import REFERENCE_TEMPERATURE, thermal_voltage
from hilcycler_simulators.cells.nucleation import Transient

_ONE_SIDED: Final = 0.2  # A/m2: nucleation is felt at more cathodic current than this
_LAST: Final = 72.0  # C/m2: with less metal than this the electrode is nobler than lithium
_BARE: Final = 0.02  # the covered fraction that carries the current no longer


@dataclass(frozen=True, slots=True)
class Copper:
    """A bare substrate: the charge of its formation (C/m2) from `rest` volt down to 0, and nucleation.

    The dip is `barrier` volt deep if nothing else moved; it opens over `opens` and closes over
    `closes` C/m2 of lithium. `transient` is what a held voltage more cathodic than `onset` does to
    bare copper; without it the filters alone answer. The end of stripping: `patch` in C/m2, 360
    being 49 nm of dense lithium, about a filament; `capacitance` in F/m2, of the filmed and rough
    foil with its oxide, 50 being 1.4 uAh/cm2 per volt. Both are chosen, no paper states them.
    """

    formation: float
    rest: float = 2.5
    barrier: float = 0.015
    opens: float = 72.0
    closes: float = 1440.0
    transient: Transient | None = None
    patch: float = 360.0
    capacitance: float = 50.0
    dissolves: float = 3.4

    def surface(self, left: Floats, temperature: float) -> Floats:
        """How far above bare copper, volt, the formation has left it; 0 once it is over."""
        share = np.maximum(left, 0.0) / self.formation
        bare = float(self.exhaustion(np.array(0.0), temperature))
        above: Floats = (self.rest - bare) * share * share
        return above

    def nucleation(self, active: Floats, j: Floats) -> Floats:
        """How far plating on so little lithium lies below the plateau."""
        metal = np.maximum(active, 0.0)
        dip = self.barrier * -np.expm1(-metal / self.opens) * np.exp(-metal / self.closes)
        cathodic = np.maximum(-j, 0.0) ** 2
        shown: Floats = dip * cathodic / (cathodic + _ONE_SIDED**2)
        return shown

    def exhaustion(self, active: Floats, temperature: float) -> Floats:
        """What so little metal adds to the potential at rest, volt; below `_least` the copper is charged."""
        left = np.maximum(active, self._least)
        scarce = -thermal_voltage(temperature) * np.log(-np.expm1(-left / _LAST))
        charged: Floats = scarce + (left - active) / self.capacitance
        return charged

    def crowding(self, active: Floats) -> Floats:
        """1/theta: by what the anodic current density where metal is left exceeds the mean."""
        crowded: Floats = -1.0 / np.expm1(-np.maximum(active, self._least) / self.patch)
        return crowded

    def crowded(self, active: Floats) -> bool:
        """Whether that shows anywhere."""
        return bool(np.min(active) < 30.0 * self.patch)

    def emptiest(self, left: Floats) -> Floats:
        """The active charge, C/m2 and negative, at which copper begins to dissolve."""
        rest = self.exhaustion(np.array(self._least), REFERENCE_TEMPERATURE)
        room = np.maximum(self.dissolves - rest - self.surface(left, REFERENCE_TEMPERATURE), 0.0)
        emptiest: Floats = self._least - self.capacitance * room
        return emptiest

    @property
    def _least(self) -> float:
        return -self.patch * float(np.log1p(-_BARE))
