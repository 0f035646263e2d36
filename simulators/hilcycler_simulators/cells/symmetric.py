"""Li||Li (and Na||Na, K||K): two equal metal electrodes in an electrolyte.

V = j R_b + R_SEI y_SEI + 2 (2RT/F) asinh(y_ct / 2 j0) + V_salt(y_salt), y being filtered current
densities.
"""
# ruff: noqa: ARG002  (each answers the same questions, and not all need every argument)

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from hilcycler_simulators.cells.ageing import Age
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.chemistry import Chemistry
from hilcycler_simulators.cells.interfaces import (
    MA_CM2,
    Electrolyte,
    Film,
    Metal,
    Transfer,
    areal,
    nearby,
)
from hilcycler_simulators.cells.kinetics import thermal_voltage

_WORKING, _COUNTER = 0, 3  # where what each electrode has gained (active, dead, SEI) begins


@dataclass(frozen=True, slots=True)
class Symmetric(Chemistry):
    """See the module. `film` is of both electrodes together, `transfer` of each, `excess` in C/m2."""

    electrolyte: Electrolyte
    film: Film
    transfer: Transfer
    metal: Metal
    excess: float
    quoted: tuple[float, float]  # current density and areal charge for which truth states the voltage

    def fresh(self) -> Floats:
        return np.zeros(6)

    def bank(self, temperature: float) -> Bank:
        return _bank(self.film, self.electrolyte, self.transfer, nearby(temperature))

    def stores(self, store: Floats, j: float | Floats, seconds: float | Floats, age: Age) -> Floats:
        if np.ndim(j) == 0:  # one sign all along: the usual and the fast case
            gains = _rates(self.metal, bool(j > 0.0))
            steadily: Floats = store + np.multiply.outer(np.multiply(j, seconds), gains)
            return steadily
        charge = np.multiply(j, seconds)[..., None]
        after: Floats = store + charge * np.where(
            charge > 0.0, _rates(self.metal, True), _rates(self.metal, False)
        )
        return after

    def voltage(self, j: float | Floats, sums: Floats, store: Floats, age: Age, temperature: float) -> Floats:
        film, salt, transfer = sums
        kinetic = self.transfer.voltage(transfer, age.interface(self.life), temperature)
        bulk = self.electrolyte.voltage(j, salt, temperature)
        volts: Floats = bulk + self._film(age, temperature) * film + 2.0 * kinetic
        if store.ndim > 1 or self.feels(store, 0.0):
            volts = volts + self.metal.exhaustion(self.excess + store[..., _WORKING], temperature)
            volts = volts - self.metal.exhaustion(self.excess + store[..., _COUNTER], temperature)
        return volts

    def feels(self, store: Floats, charge: float) -> bool:
        return bool(
            self.excess + min(store[_WORKING], store[_COUNTER]) - abs(charge) < 20.0 * self.metal.last
        )

    def ledger(self, store: Floats) -> dict[str, float]:
        names = ("working active", "working dead", "working SEI")
        return {name: -float(store[_WORKING + at]) for at, name in enumerate(names)}

    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        """The values now; areal ones hold both electrodes."""
        bulk = self.electrolyte.resistance * self.electrolyte.grown(temperature)
        j0 = self.transfer.j0(age.interface(self.life), temperature)
        density, charge = self.quoted
        cycled = replace(age, hours=math.inf, half_cycle=charge)
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "cycling_hours": age.hours,
            "throughput_C_m2": age.throughput,
            **areal("R_b", bulk, self.area),
            **areal("R_SEI", self._film(age, temperature), self.area),
            **areal("R_ct", 2.0 * thermal_voltage(temperature) / j0, self.area),
            **areal("R_D", self.electrolyte.polarisation * self.electrolyte.grown(temperature), self.area),
            "t_plus": self.electrolyte.transference,
            "j0_A_m2": j0,
            "j0_mA_cm2": j0 / MA_CM2,
            "limiting_current_A_m2": self.electrolyte.limiting / self.electrolyte.grown(temperature),
            "D_salt_m2_s": self.electrolyte.diffusion,
            "salt_concentration_mol_m3": self.electrolyte.concentration,
            "conductivity_S_m": self.electrolyte.thickness / bulk,
            "tau_SEI_s": self.film.tau,
            "tau_ct_s": self.transfer.tau,
            "tau_salt_s": self.electrolyte.tau,
            "E_b_J_mol": self.electrolyte.activation_energy,
            "E_SEI_J_mol": self.film.activation_energy,
            "E_ct_J_mol": self.transfer.activation_energy,
            "short_S_m2": leak.conductance if (leak := self.leak(age)) else 0.0,
            "inventory_C_m2": dict(zip(_STORES, map(float, store + self._new()), strict=True)),
            "overpotential_V": self.settled(density, cycled, temperature),
            "overpotential_now_V": self.settled(density, age, temperature),
            "overpotential_at_A_m2": density,
            "overpotential_half_cycle_C_m2": charge,
            "overpotential_definition": "mean |V| over the central 50 % of charge of both half-cycles, two "
            "electrodes, salt profile settled; at the present age with the activation faded, `now` without that",
        }

    def settled(self, j: float, age: Age, temperature: float) -> float:
        """|V| once a constant `j` has settled, volt: what every filter state ends at."""
        now = np.array(j)
        kinetic = self.transfer.voltage(now, age.interface(self.life), temperature)
        bulk = self.electrolyte.voltage(j, now, temperature)
        return float(bulk + j * self._film(age, temperature) + 2.0 * kinetic)

    def _new(self) -> Floats:
        return np.array([self.excess, 0.0, 0.0, self.excess, 0.0, 0.0])

    def _film(self, age: Age, temperature: float) -> float:
        return self.film.resistance * age.interface(self.life) * self.film.grown(temperature)


_STORES = ("working active", "working dead", "working SEI", "counter active", "counter dead", "counter SEI")


@lru_cache(maxsize=64)
def _bank(film: Film, electrolyte: Electrolyte, transfer: Transfer, temperature: float) -> Bank:
    return Bank.of(
        (
            film.chain(temperature),
            electrolyte.chain(temperature),
            transfer.chain(temperature),
        )
    )


@lru_cache(maxsize=64)
def _rates(metal: Metal, strips_working: bool) -> Floats:  # noqa: FBT001
    """d(reservoirs)/d(charge) while the current has that direction."""
    gained = metal.plated(np.array(1.0))
    lost = np.array([-1.0, 0.0, 0.0])
    return np.concatenate((lost, gained)) if strips_working else -np.concatenate((gained, lost))
