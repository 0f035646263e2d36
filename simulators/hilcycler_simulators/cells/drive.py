"""How a cell is driven, and what passes beside its ions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hilcycler_simulators.cells.bank import Floats


@dataclass(frozen=True, slots=True)
class Galvanostat:
    """The current density at the terminals is held, A/m2; 0 is open circuit.

    `series` (ohm m2) are leads within the voltage sensed.
    """

    j: float
    series: float = 0.0


@dataclass(frozen=True, slots=True)
class Potentiostat:
    """The voltage over cell and leads is held, V."""

    volts: float
    series: float = 0.0


Drive: TypeAlias = Galvanostat | Potentiostat


@dataclass(frozen=True, slots=True)
class Leak:
    """What passes beside the ions: a short of some conductance, and decomposition at high voltage.

    `conductance` in S/m2; the decomposition is `onset_current` A/m2 at `onset` and grows e-fold
    every `slope` volt.
    """

    conductance: float = 0.0
    onset: float = math.inf
    onset_current: float = 0.0
    slope: float = 0.1

    def current(self, voltage: Floats) -> Floats:
        """A/m2 at `voltage`. Far beyond the onset it goes on in a straight line, to stay finite."""
        if self.onset_current == 0.0:
            return self.conductance * voltage
        excess = (voltage - self.onset) / self.slope
        near = np.minimum(excess, 20.0)
        return self.conductance * voltage + self.onset_current * np.exp(near) * (1.0 + (excess - near))

    def slope_at(self, voltage: Floats) -> Floats:
        """d(current)/d(voltage), S/m2."""
        if self.onset_current == 0.0:
            return np.full_like(voltage, self.conductance)
        near = np.minimum((voltage - self.onset) / self.slope, 20.0)
        return self.conductance + self.onset_current * np.exp(near) / self.slope
