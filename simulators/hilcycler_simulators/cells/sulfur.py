"""Li||S: two plateaus with a dip between them, and the polysulfide shuttle.

The open-circuit voltage over the depth of discharge d = 1 - q/Q (q the charge that the sulfur can
still take up when discharged to the end, Q its capacity) is an empirical curve: a sloping plateau
near 2.35 V for the first quarter, a flat one near 2.1 V, a dip where solid Li2S nucleates, and a
knee at either end. The levels are those usual for ether electrolytes (Marinescu et al., Phys. Chem.
Chem. Phys. 18 (2016) 584, use 2.35 and 2.195 V); the shape is ours.

Shuttle: in the upper plateau the dissolved chains discharge themselves at the lithium, so
dq/dt = j - k_s (q - q_L) above q_L, the charge of the lower plateau. Charging asks for more than
discharging gives; charged over discharged capacity exceeds 100 %.
"""
# ruff: noqa: ARG002  (each answers the same questions, and not all need every argument)

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from hilcycler_simulators.cells.ageing import Age, Growth
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.chemistry import Chemistry
from hilcycler_simulators.cells.interfaces import MA_CM2, Electrolyte, Film, Metal, Transfer, areal, nearby
from hilcycler_simulators.cells.kinetics import thermal_voltage

_CHARGE, _LOST, _SHUTTLED, _ANODE = 0, 1, 2, 3
_NAMES: Final = (
    "sulfur charge",
    "isolated sulfur",
    "shuttled",
    "lithium active",
    "lithium dead",
    "lithium SEI",
)
_UPPER: Final = 0.25  # the share of the capacity in the upper plateau: S8 to Li2S4
_HOUR: Final = 3600.0


def open_circuit(charged: Floats) -> Floats:
    """Volt against Li/Li+; `charged` is 1 for sulfur, 0 for Li2S."""
    d = 1.0 - np.clip(charged, 0.0, 1.0)
    upper = 2.33 - 0.25 * d + 0.10 * np.exp(-d / 0.02)
    lower = 2.11 - 0.03 * (d - _UPPER) - 0.45 * np.exp(-(1.0 - d) / 0.025)
    dip = 0.03 * np.exp(-(((d - _UPPER - 0.04) / 0.025) ** 2))
    share = 1.0 / (1.0 + np.exp((d - _UPPER) / 0.015))
    volts: Floats = share * upper + (1.0 - share) * lower - dip
    return volts + 40.0 * (charged - np.clip(charged, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Sulfur(Chemistry):
    """See the module. `capacity` and `nominal` in C/m2, `shuttle` in 1/s."""

    electrolyte: Electrolyte
    film: Film
    transfer: Transfer
    metal: Metal
    capacity: float
    shuttle: float
    fade: Growth
    nominal: float
    excess: float
    mass: float

    def fresh(self) -> Floats:
        return np.zeros(6)

    def bank(self, temperature: float) -> Bank:
        return _bank(self.film, self.electrolyte, self.transfer, nearby(temperature))

    def stores(self, store: Floats, j: float | Floats, seconds: float | Floats, age: Age) -> Floats:
        charge = np.asarray(np.multiply(j, seconds))
        start = np.broadcast_to(store, (*charge.shape, len(_NAMES)))
        kept = self._kept(self.capacity + start[..., _CHARGE], np.asarray(j), np.asarray(seconds), age)
        after = np.array(start)
        after[..., _CHARGE] = kept - self.capacity
        after[..., _SHUTTLED] += start[..., _CHARGE] + charge - after[..., _CHARGE]
        plated = self.metal.plated(np.maximum(charge, 0.0))
        after[..., _ANODE:] += plated
        after[..., _ANODE] += np.minimum(charge, 0.0)
        return after

    def _kept(self, q: Floats, j: Floats, seconds: Floats, age: Age) -> Floats:
        """The charge after constant `j`, in closed form: straight below q_L, exponential above."""
        low, rate = (1.0 - _UPPER) * self._capacity(age), self.shuttle
        if rate == 0.0:
            return q + j * seconds
        below = np.where(q < low, np.where(j > 0.0, (low - q) / np.maximum(j, 1e-30), np.inf), 0.0)
        still = below >= seconds  # q_L is not reached from below
        first = np.where(still, q + j * seconds, np.maximum(q, low))
        left = np.where(still, 0.0, seconds - below)
        settles = low + j / rate  # where charging and shuttle balance
        above = settles + (first - settles) * np.exp(-rate * left)
        with np.errstate(divide="ignore", invalid="ignore"):
            leaves = np.log((first - settles) / (low - settles)) / rate  # back at q_L from above
        falling = (first > low) & (j < 0.0) & (above < low)
        straight = low + j * (left - np.where(falling, leaves, 0.0))
        return np.where(still, first, np.where(falling, straight, above))

    def voltage(self, j: float | Floats, sums: Floats, store: Floats, age: Age, temperature: float) -> Floats:
        film, salt, transfer = sums
        kinetic = self.transfer.voltage(transfer, age.interface(self.life), temperature)
        volts: Floats = (
            open_circuit((self.capacity + store[..., _CHARGE]) / self._capacity(age))
            + self.electrolyte.voltage(j, salt, temperature)
            + self._film(age, temperature) * film
            + kinetic
        )
        lithium = self.excess + store[..., _ANODE]
        if lithium.min() < 20.0 * self.metal.last:
            volts = volts - self.metal.exhaustion(lithium, temperature)
        return volts

    def gains(self, store: Floats, age: Age) -> Floats:
        return np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])

    def aged(self, store: Floats, before: Age, after: Age) -> Floats:
        """Sulfur that loses contact keeps its state of charge."""
        kept = self._capacity(after) / self._capacity(before)
        if kept == 1.0:
            return store
        lost = (self.capacity + store[_CHARGE]) * (1.0 - kept)
        moved = np.zeros_like(store)
        moved[_CHARGE], moved[_LOST] = -lost, lost
        return store + moved

    def ledger(self, store: Floats) -> dict[str, float]:
        return {name: float(store[at]) for at, name in enumerate(_NAMES[: _SHUTTLED + 1])}

    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        j0 = self.transfer.j0(age.interface(self.life), temperature)
        charged = float((self.capacity + store[_CHARGE]) / self._capacity(age))
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "active_mass_kg": self.mass,
            "nominal_capacity_C": self.nominal * self.area,
            "sulfur_capacity_C": self._capacity(age) * self.area,
            "charged_share": charged,
            "open_circuit_V": float(open_circuit(np.array(charged))),
            "cycles": age.cycles,
            "shuttle_per_s": self.shuttle,
            **areal("R_b", self.electrolyte.resistance * self.electrolyte.grown(temperature), self.area),
            **areal("R_SEI", self._film(age, temperature), self.area),
            **areal("R_ct", thermal_voltage(temperature) / j0, self.area),
            "j0_A_m2": j0,
            "j0_mA_cm2": j0 / MA_CM2,
            "t_plus": self.electrolyte.transference,
            "inventory_C_m2": dict(zip(_NAMES, map(float, store + self._new()), strict=True)),
        }

    def _new(self) -> Floats:
        """What there was before the first discharge; the reservoirs hold what came since."""
        return np.array([self.capacity, 0.0, 0.0, self.excess, 0.0, 0.0])

    def _film(self, age: Age, temperature: float) -> float:
        return self.film.resistance * age.interface(self.life) * self.film.grown(temperature)

    def _capacity(self, age: Age) -> float:
        cycles = age.wear * _HOUR * self.life.reference / (2.0 * self.nominal)
        return self.capacity * max(2.0 - self.fade(cycles), 0.02)


@lru_cache(maxsize=64)
def _bank(film: Film, electrolyte: Electrolyte, transfer: Transfer, temperature: float) -> Bank:
    return Bank.of(
        (
            film.chain(temperature),
            electrolyte.chain(temperature),
            transfer.chain(temperature),
        )
    )
