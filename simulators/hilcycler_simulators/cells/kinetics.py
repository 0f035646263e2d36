"""Memoryless electrode kinetics and their temperature: Butler-Volmer, Arrhenius."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

FARADAY: Final = 96485.33212  # C/mol, CODATA 2018
GAS: Final = 8.314462618  # J/(mol K), CODATA 2018
REFERENCE_TEMPERATURE: Final = 298.15  # K: where profiles state their values


def thermal_voltage(temperature: float) -> float:
    """RT/F in volt."""
    return GAS * temperature / FARADAY


def overpotential(
    j: NDArray[np.float64], j0: float | NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Of one electrode, volt: Butler-Volmer with equal transfer coefficients, solved for it."""
    return 2.0 * thermal_voltage(temperature) * np.arcsinh(j / (2.0 * j0))


def overpotential_slope(
    j: NDArray[np.float64], j0: float | NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """d(overpotential)/dj, ohm m2; at rest it is RT/(F j0)."""
    return thermal_voltage(temperature) / j0 / np.sqrt(1.0 + (j / (2.0 * j0)) ** 2)


def arrhenius(activation_energy: float, temperature: float) -> float:
    """By what a resistance grows from the reference temperature to `temperature` (J/mol, K)."""
    return math.exp(activation_energy / GAS * (1.0 / temperature - 1.0 / REFERENCE_TEMPERATURE))
