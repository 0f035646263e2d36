"""The current transient of three-dimensional nucleation under a held voltage (Scharifker and Hills).

B. Scharifker, G. Hills, Electrochim. Acta 28 (1983) 879: growth of hemispherical nuclei whose
diffusion zones overlap. With k' = (4/3) (8 pi c M/rho)^(1/2) and k = (8 pi c M/rho)^(1/2),

    instantaneous:  i = zFc (D/(pi t))^(1/2) [1 - exp(-N pi k D t)]
    progressive:    i = zFc (D/(pi t))^(1/2) [1 - exp(-A N pi k' D t^2/2)]

whose maxima, in x = t/t_m, are the known dimensionless curves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.kinetics import FARADAY

MOLAR_MASS: Final = 6.941e-3  # kg/mol, lithium
DENSITY: Final = 534.0  # kg/m3
_INSTANTANEOUS_AT_MAXIMUM: Final = 1.2564312086261695  # N pi k D t_m: the root of 2x exp(-x) = 1 - exp(-x)
_PROGRESSIVE_AT_MAXIMUM: Final = (
    2.336662982263054  # A N pi k' D t_m^2/2: the root of 4x exp(-x) = 1 - exp(-x)
)


@dataclass(frozen=True, slots=True)
class Transient:
    """Growth on bare copper held below `onset` volt.

    `density` is the number of nuclei per m2 (instantaneous), or of active sites (progressive, where
    `rate` is nuclei per site and second); `diffusion` in m2/s, `concentration` in mol/m3. The
    double layer adds a first spike of `spike` A/m2 that fades over `fades` seconds.
    """

    kind: Literal["instantaneous", "progressive"]
    density: float
    diffusion: float
    concentration: float
    onset: float = -0.03
    rate: float = 1.0
    spike: float = 0.0
    fades: float = 0.05

    @property
    def constant(self) -> float:
        """(8 pi c M/rho)^(1/2)."""
        return math.sqrt(8.0 * math.pi * self.concentration * MOLAR_MASS / DENSITY)

    @property
    def peak_time(self) -> float:
        """t_m, s."""
        growth = math.pi * self.constant * self.diffusion
        if self.kind == "instantaneous":
            return _INSTANTANEOUS_AT_MAXIMUM / (self.density * growth)
        return math.sqrt(2.0 * _PROGRESSIVE_AT_MAXIMUM / (self.rate * self.density * growth * 4.0 / 3.0))

    def __call__(self, seconds: Floats) -> Floats:
        """The current density, A/m2, negative: plating."""
        t = np.maximum(seconds, 1e-12)
        x = t / self.peak_time
        if self.kind == "instantaneous":
            covered = -np.expm1(-_INSTANTANEOUS_AT_MAXIMUM * x)
        else:
            covered = -np.expm1(-_PROGRESSIVE_AT_MAXIMUM * x * x)
        growth = FARADAY * self.concentration * np.sqrt(self.diffusion / (math.pi * t)) * covered
        current: Floats = -growth - self.spike * np.exp(-t / self.fades)
        return current

    def truth(self) -> dict[str, Any]:
        """Its values and its maximum."""
        peak = float(-self(np.array([self.peak_time]))[0])
        return {
            "nucleation": self.kind,
            "nuclei_per_m2": self.density,
            "nucleation_diffusion_m2_s": self.diffusion,
            "nucleation_peak_time_s": self.peak_time,
            "nucleation_peak_A_m2": peak,
        }
