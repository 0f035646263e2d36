"""A1, from amperes and coulombs to what papers print: per area, per mass, as a C-rate, as thickness.

Everything SI. Three things must be said and are never assumed: the area (of the smaller electrode),
the mass (of the active material, not of the electrode) and what 1 C is.
"""

from __future__ import annotations

import math
from typing import Final

from hilcycler.quantities import (
    Ampere,
    AmperePerSquareMetre,
    Coulomb,
    Kilogram,
    Metre,
    Second,
    SquareMetre,
)
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal, required, required_area

LITHIUM_SPECIFIC_CHARGE: Final = 3860.0 * 3600.0
"""C/kg (3860 mAh/g)"""
LITHIUM_DENSITY: Final = 534.0
"""kg/m3"""
LITHIUM_MOLAR_MASS: Final = 6.941e-3
"""kg/mol"""


def disc_area(diameter: Metre) -> SquareMetre:
    """Of a punched disc: 12 mm is 1.131 cm2."""
    return math.pi / 4.0 * required(diameter, "a diameter") ** 2


def normalising_area(*areas: SquareMetre | None) -> SquareMetre:
    """The smaller electrode's: copper is cut larger than lithium. All must be known to compare them."""
    if not areas:
        raise EvaluationRefused(Refusal.MISSING_INPUT, "needs the areas of both electrodes")
    return min(required_area(area, "each electrode") for area in areas)


def areal(amount: float, area: SquareMetre | None) -> float:
    """Current (A/m2), charge (C/m2) or mass (kg/m2) per electrode area."""
    return amount / required_area(area, "an areal quantity")


def per_active_mass(amount: float, electrode_mass: Kilogram | None, active_fraction: float | None) -> float:
    """Current (A/kg) or charge (C/kg) per mass of active material.

    `active_fraction` is its share in the weighed layer (1.0 if the mass is already the active one):
    loading without that word means either, and they differ by binder and carbon.
    """
    mass = required(electrode_mass, "an electrode mass")
    share = required(active_fraction, "the active share of the electrode mass")
    if share > 1.0:
        raise EvaluationRefused(
            Refusal.IMPOSSIBLE_VALUE, f"an active share of {share:g} is more than all of it"
        )
    return amount / (mass * share)


def areal_capacity(active_loading: float, specific_charge: float, sides: int = 1) -> float:
    """C/m2 from kg of active material per m2 of one side, and C/kg."""
    if sides not in {1, 2}:
        raise EvaluationRefused(Refusal.IMPOSSIBLE_VALUE, f"an electrode has one or two sides, not {sides}")
    return required(active_loading, "a loading") * required(specific_charge, "a specific charge") * sides


def c_rate(current: Ampere, capacity: Coulomb | None) -> float:
    """Multiples of `capacity` per hour. Nominal or measured is for the caller to say, and to keep."""
    return current * 3600.0 / required(capacity, "the capacity that 1 C refers to")


def current_at(rate: float, capacity: Coulomb | None) -> Ampere:
    """The current of `rate` times 1 C."""
    return rate * required(capacity, "the capacity that 1 C refers to") / 3600.0


def half_cycle_time(areal_charge: float, areal_current: AmperePerSquareMetre) -> Second:
    """How long C/m2 take at A/m2: 1 mAh/cm2 at 5 mA/cm2 is 12 minutes."""
    return required(areal_charge, "an areal charge") / required(areal_current, "an areal current")


def lithium_thickness(areal_charge: float) -> Metre:
    """Of dense lithium metal that holds C/m2: 4.85 um per mAh/cm2."""
    return areal_charge / (LITHIUM_SPECIFIC_CHARGE * LITHIUM_DENSITY)


def lithium_charge(thickness: Metre) -> float:
    """C/m2 in dense lithium metal: 50 um hold 10.3 mAh/cm2."""
    return thickness * LITHIUM_SPECIFIC_CHARGE * LITHIUM_DENSITY
