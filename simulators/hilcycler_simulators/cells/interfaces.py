"""The layers that every cell is made of: electrolyte, film, charge transfer, metal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hilcycler_simulators.cells import elements
from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.elements import Chain
from hilcycler_simulators.cells.kinetics import (
    FARADAY,
    REFERENCE_TEMPERATURE,
    arrhenius,
    overpotential,
    thermal_voltage,
)

OHM_CM2: Final = 1e-4  # ohm m2 in 1 ohm cm2
MA_CM2: Final = 10.0  # A/m2 in 1 mA/cm2
_TEMPERATURE_STEP: Final = 0.25  # K
_NEARLY: Final = 1.0 - 1e-9


def nearby(temperature: float) -> float:
    """`temperature` in steps of 0.25 K: filters follow it so, resistances follow it exactly."""
    steps = round((temperature - REFERENCE_TEMPERATURE) / _TEMPERATURE_STEP)
    return REFERENCE_TEMPERATURE + steps * _TEMPERATURE_STEP


@dataclass(frozen=True, slots=True)
class Electrolyte:
    """A binary electrolyte in the separator, lithium on both sides.

    `resistance` is R_b (ohm m2), `diffusion` the effective one (m2/s), `thickness` the separator's,
    `concentration` in mol/m3. The salt profile settles within (L/2)^2/D and adds
    R_D = R_b (1 - t+)/t+, so that the whole settles at R_b/t+ (Bruce and Vincent); its voltage
    diverges where the salt is used up, at j_lim = 2 F D c/(L (1 - t+)).
    """

    resistance: float
    transference: float
    diffusion: float
    thickness: float
    concentration: float
    activation_energy: float

    @property
    def tau(self) -> float:
        """(L/2)^2/D, s."""
        return (0.5 * self.thickness) ** 2 / self.diffusion

    @property
    def limiting(self) -> float:
        """The limiting current density at the reference temperature, A/m2."""
        supply = 2.0 * FARADAY * self.diffusion * self.concentration / self.thickness
        return supply / max(1.0 - self.transference, 1e-6)

    def grown(self, temperature: float) -> float:
        """By what its resistances exceed those at the reference temperature."""
        return arrhenius(self.activation_energy, temperature)

    def chain(self, temperature: float) -> Chain:
        """Salt diffusion, weights adding to 1."""
        return elements.transmissive(self.tau * self.grown(temperature))

    def voltage(self, j: float | Floats, settled: Floats, temperature: float) -> Floats:
        """Over the separator, volt; `settled` is the salt's filtered current density."""
        grown = self.grown(temperature)
        limiting = self.limiting / grown
        used = settled / limiting
        if np.abs(used).max() < _NEARLY:
            depleted = np.arctanh(used)
        else:  # a wall so steep that nothing gets far beyond it, and finite
            within = np.clip(used, -_NEARLY, _NEARLY)
            depleted = np.arctanh(within) + 1e6 * (used - within)
        return self.resistance * grown * j + self.polarisation * grown * limiting * depleted

    @property
    def polarisation(self) -> float:
        """R_D at the reference temperature, ohm m2."""
        return self.resistance * (1.0 - self.transference) / self.transference


@dataclass(frozen=True, slots=True)
class Film:
    """Interphases: R_SEI (ohm m2) with the time constant (s) and exponent of its arc."""

    resistance: float
    tau: float
    exponent: float
    activation_energy: float

    def grown(self, temperature: float) -> float:
        """By what its resistance exceeds that at the reference temperature."""
        return arrhenius(self.activation_energy, temperature)

    def chain(self, temperature: float) -> Chain:
        """Its arc, of unit resistance."""
        return elements.zarc(self.tau * self.grown(temperature), self.exponent)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Charge transfer of one electrode: j0 (A/m2), and the time constant and exponent of its arc.

    The resistance RT/(F j0) follows Arrhenius exactly, so j0 carries the factor T.
    """

    exchange: float
    tau: float
    exponent: float
    activation_energy: float

    def grown(self, temperature: float) -> float:
        """By what its resistance exceeds that at the reference temperature."""
        return arrhenius(self.activation_energy, temperature)

    def chain(self, temperature: float) -> Chain:
        """Its arc, of unit resistance."""
        return elements.zarc(self.tau * self.grown(temperature), self.exponent)

    def j0(self, interface: float, temperature: float) -> float:
        """Exchange current density when interface resistances have grown by `interface`."""
        return self.exchange / interface / self.grown(temperature) * temperature / REFERENCE_TEMPERATURE

    def voltage(self, filtered: Floats, interface: float, temperature: float) -> Floats:
        """Overpotential of one electrode, volt."""
        return overpotential(filtered, self.j0(interface, temperature), temperature)


@dataclass(frozen=True, slots=True)
class Metal:
    """What becomes of plated metal: `efficiency` of it can be stripped; of the rest `dead` is metal
    without contact, the remainder is bound in the SEI.

    A nearly bare electrode is dearer to strip: -(RT/F) ln(1 - exp(-q/`last`)) with q the metal left
    (C/m2); once it is gone only a surface capacitance (F/m2) takes the current.
    """  # noqa: D205  (one sentence on two lines)

    efficiency: float = 0.999
    dead: float = 0.5
    last: float = 72.0
    capacitance: float = 0.5

    def plated(self, charge: Floats, efficiency: Floats | None = None) -> Floats:
        """(active, dead, SEI) gained when `charge` >= 0 is plated; a new last axis."""
        kept = self.efficiency if efficiency is None else efficiency
        lost = 1.0 - kept
        return np.stack(
            (kept * charge, lost * self.dead * charge, lost * (1.0 - self.dead) * charge), axis=-1
        )

    def exhaustion(self, active: Floats, temperature: float) -> Floats:
        """What the last of the metal adds to the potential of the electrode, volt."""
        least = 1e-3 * self.last
        left = np.maximum(active, least)
        scarce = -thermal_voltage(temperature) * np.log(-np.expm1(-left / self.last))
        return scarce + (left - active) / self.capacitance


def areal(name: str, resistance: float, area: float) -> dict[str, float]:
    """A resistance (ohm m2) as evaluations state it: per area and of this cell."""
    return {f"{name}_ohm_cm2": resistance / OHM_CM2, f"{name}_ohm": resistance / area}
