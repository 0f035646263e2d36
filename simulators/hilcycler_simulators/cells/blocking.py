"""SS||SS for the conductivity, Li||SS for the stability window: electrodes that block the ions.

V = U + j R_b + the voltage of two constant-phase interfaces, each 1/(Q s^n), in series. Beyond the
onset the electrolyte decomposes: a current beside the interfaces that grows e-fold every `slope`
volt (oxidation at high voltage; `Leak`).
"""
# ruff: noqa: ARG002  (each answers the same questions, and not all need every argument)

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from hilcycler_simulators.cells import elements
from hilcycler_simulators.cells.ageing import Age
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.chemistry import Chemistry
from hilcycler_simulators.cells.drive import Leak
from hilcycler_simulators.cells.interfaces import areal
from hilcycler_simulators.cells.kinetics import arrhenius

_FASTEST: Final = 1e-8  # s, of the interfaces' filters
_SLOWEST: Final = 1e5  # s; beyond it they are capacitors


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Oxidation of the electrolyte: A/m2 at `onset` volt, e-fold every `slope` volt."""

    onset: float
    onset_current: float
    slope: float


@dataclass(frozen=True, slots=True)
class Blocking(Chemistry):
    """See the module. `resistance` is R_b (ohm m2), `phase` the Q (S s^n/m2) of one interface."""

    resistance: float
    thickness: float
    activation_energy: float
    phase: float
    exponent: float
    start: float
    decomposition: Decomposition | None = None

    def fresh(self) -> Floats:
        return np.zeros(1)

    def bank(self, temperature: float) -> Bank:
        return _bank(self.exponent)

    def stores(self, store: Floats, j: float | Floats, seconds: float | Floats, age: Age) -> Floats:
        after: Floats = store + np.multiply(j, seconds)[..., None]
        return after

    def voltage(self, j: float | Floats, sums: Floats, store: Floats, age: Age, temperature: float) -> Floats:
        _, fast, elastance = _interface(self.exponent)
        series = self._bulk(temperature) + 2.0 / self.phase * fast
        volts: Floats = self.start + series * j + 2.0 / self.phase * (sums[0] + elastance * store[..., 0])
        return volts

    def gains(self, store: Floats, age: Age) -> Floats:
        return np.ones(1)

    def leak(self, age: Age) -> Leak | None:
        decomposed = self.decomposition
        if decomposed is None:
            return Chemistry.leak(self, age)
        return Leak(0.0, decomposed.onset, decomposed.onset_current, decomposed.slope)

    def ledger(self, store: Floats) -> dict[str, float]:
        return {"double layer": float(store[0])}

    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        decomposed = self.decomposition
        window = (
            {}
            if decomposed is None
            else {
                "decomposition_onset_V": decomposed.onset,
                "decomposition_at_onset_A_m2": decomposed.onset_current,
                "decomposition_slope_V": decomposed.slope,
            }
        )
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "separator_thickness_m": self.thickness,
            **areal("R_b", self._bulk(temperature), self.area),
            "conductivity_S_m": self.thickness / self._bulk(temperature),
            "E_b_J_mol": self.activation_energy,
            "interface_Q_S_sn_m2": self.phase,
            "interface_exponent": self.exponent,
            **window,
        }

    def _bulk(self, temperature: float) -> float:
        return self.resistance * arrhenius(self.activation_energy, temperature)


@lru_cache(maxsize=16)
def _interface(exponent: float) -> tuple[elements.Chain, float, float]:
    return elements.constant_phase(exponent, _FASTEST, _SLOWEST)


@lru_cache(maxsize=16)
def _bank(exponent: float) -> Bank:
    return Bank.of((_interface(exponent)[0],))
