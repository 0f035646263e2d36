"""Li||Cu: lithium plated on copper and stripped again, against lithium in excess.

V = V_surface(q) - V_nucleation(q) + j R_b + R_SEI y_SEI + (2RT/F) [asinh(y/2 j0_Cu) + asinh(y/2 j0_Li)]
+ V_salt, with q the lithium on the copper. A new copper electrode stands at some 2.5 V; the first
charge forms its interphase, then lithium nucleates: a dip below the plateau that is over after
some 0.05 mAh/cm2. Of what is plated a fraction, the cycle's efficiency, can be stripped; the rest
is dead or bound. The last of it is patchy, so that stripping ends in a bend (`hilcycler_simulators.
cells.copper`): there film and y of the copper stand for what flows where lithium is left.
"""
# ruff: noqa: ARG002  (each answers the same questions, and not all need every argument)

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from hilcycler_simulators.cells.ageing import STEADY, Age, Growth
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.chemistry import Chemistry, Imposed
from hilcycler_simulators.cells.copper import Copper
from hilcycler_simulators.cells.drive import Drive, Potentiostat
from hilcycler_simulators.cells.interfaces import MA_CM2, Electrolyte, Film, Metal, Transfer, areal, nearby
from hilcycler_simulators.cells.kinetics import thermal_voltage

_ACTIVE, _DEAD, _BOUND, _DISSOLVED, _FORMATION, _COUNTER = 0, 1, 2, 3, 4, 5
_NAMES: Final = (
    "copper active",
    "copper dead",
    "copper SEI",
    "copper dissolved",
    "formation",
    "counter active",
    "counter dead",
    "counter SEI",
)


@dataclass(frozen=True, slots=True)
class Efficiency:
    """What fraction of the plated lithium can be stripped, cycle by cycle.

    The loss starts `first_loss` above its settled value, which is stated at some current densities
    (A/m2) and follows a power law between them, and fades over `settles` cycles; `growth` multiplies
    it later. `scatter` is the standard deviation from cycle to cycle.
    """

    settled: tuple[tuple[float, float], ...]
    first_loss: float = 0.0
    settles: float = 5.0
    growth: Growth = STEADY
    scatter: float = 0.0
    seed: int = 0

    def of(self, cycle: int, j: float | Floats) -> Floats:
        """Of the cycle with this number, the first being 0."""
        densities, efficiencies = np.array(self.settled).T
        losses = np.maximum(1.0 - efficiencies, 1e-9)
        size = np.log(np.maximum(np.abs(j), 1e-9))
        loss = np.exp(np.interp(size, np.log(densities), np.log(losses)))
        loss = (loss + self.first_loss * np.exp(-cycle / self.settles)) * self.growth(cycle)
        if self.scatter:
            draw = np.random.Philox(key=[self.seed, 0x4345], counter=[cycle, 0, 0, 0])
            loss = loss + self.scatter * np.random.Generator(draw).standard_normal()
        kept: Floats = np.clip(1.0 - loss, 0.0, 1.0)
        return kept


@dataclass(frozen=True, slots=True)
class Plating(Chemistry):
    """See the module. `film` is of both sides, `transfer` of each, `excess` the lithium in C/m2."""

    electrolyte: Electrolyte
    film: Film
    transfer: Transfer
    metal: Metal
    copper: Copper
    efficiency: Efficiency
    excess: float

    def fresh(self) -> Floats:
        return np.zeros(len(_NAMES))

    def bank(self, temperature: float) -> Bank:
        return _bank(self.film, self.electrolyte, self.transfer, nearby(temperature))

    def stores(self, store: Floats, j: float | Floats, seconds: float | Floats, age: Age) -> Floats:
        charge = np.asarray(np.multiply(j, seconds))
        start = np.broadcast_to(store, (*charge.shape, len(_NAMES)))
        cathodic, anodic = np.maximum(-charge, 0.0), np.maximum(charge, 0.0)
        refilled = np.minimum(cathodic, np.maximum(-start[..., _ACTIVE], 0.0))  # the surface, before all else
        formed = np.minimum(cathodic - refilled, self.copper.formation - start[..., _FORMATION])
        plated = self.metal.plated(cathodic - refilled - formed, self.efficiency.of(age.cycles, j))
        after = np.array(start)
        after[..., _ACTIVE : _BOUND + 1] += plated
        after[..., _ACTIVE] += refilled - anodic
        after[..., _BOUND] += formed
        after[..., _FORMATION] += formed
        beyond = np.maximum(self.copper.emptiest(self._unformed(after)) - after[..., _ACTIVE], 0.0)
        after[..., _ACTIVE] += beyond
        after[..., _DISSOLVED] -= beyond
        after[..., _COUNTER] -= cathodic
        after[..., _COUNTER:] += self.metal.plated(anodic)
        return after

    def voltage(self, j: float | Floats, sums: Floats, store: Floats, age: Age, temperature: float) -> Floats:
        film, salt, transfer = sums
        active, counter = store[..., _ACTIVE], self.excess + store[..., _COUNTER]
        there = transfer
        if self.copper.crowded(active):
            crowding = self.copper.crowding(active)
            there = np.where(transfer > 0.0, crowding * transfer, transfer)
            film = np.where(film > 0.0, 0.5 * (1.0 + crowding) * film, film)
        interface = age.interface(self.life)
        volts: Floats = (
            self.copper.surface(self._unformed(store), temperature)
            + self.copper.exhaustion(active, temperature)
            - self.copper.nucleation(active, transfer)
            - self.metal.exhaustion(counter, temperature)
            + self.electrolyte.voltage(j, salt, temperature)
            + self._film(age, temperature) * film
            + self.transfer.voltage(there, interface, temperature)
            + self.transfer.voltage(transfer, interface, temperature)
        )
        return volts

    def gains(self, store: Floats, age: Age) -> Floats:
        gained: Floats = -np.eye(len(_NAMES))[_ACTIVE]
        return gained

    def imposed(self, drive: Drive, store: Floats, age: Age, temperature: float) -> Imposed | None:
        transient = self.copper.transient
        bare = store[_ACTIVE] <= 0.0
        if (
            transient is not None
            and bare
            and isinstance(drive, Potentiostat)
            and drive.volts <= transient.onset
        ):
            return transient
        return None

    def ledger(self, store: Floats) -> dict[str, float]:
        return {name: -float(store[at]) for at, name in enumerate(_NAMES[: _DISSOLVED + 1])}

    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        bulk = self.electrolyte.resistance * self.electrolyte.grown(temperature)
        j0 = self.transfer.j0(age.interface(self.life), temperature)
        transient = self.copper.transient
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "cycles": age.cycles,
            **areal("R_b", bulk, self.area),
            **areal("R_SEI", self._film(age, temperature), self.area),
            **areal("R_ct", 2.0 * thermal_voltage(temperature) / j0, self.area),
            "t_plus": self.electrolyte.transference,
            "j0_A_m2": j0,
            "j0_mA_cm2": j0 / MA_CM2,
            "coulombic_efficiency": {
                f"{density / MA_CM2:g} mA/cm2": float(self.efficiency.of(age.cycles, density))
                for density, _ in self.efficiency.settled
            },
            "nucleation_barrier_V": self.copper.barrier,
            **({} if transient is None else transient.truth()),
            "inventory_C_m2": dict(zip(_NAMES, map(float, store + self._new()), strict=True)),
            "E_SEI_J_mol": self.film.activation_energy,
            "E_ct_J_mol": self.transfer.activation_energy,
            "E_b_J_mol": self.electrolyte.activation_energy,
        }

    def _new(self) -> Floats:
        """What there was before the first charge."""
        new: Floats = self.excess * np.eye(len(_NAMES))[_COUNTER]
        return new

    def _film(self, age: Age, temperature: float) -> float:
        return self.film.resistance * age.interface(self.life) * self.film.grown(temperature)

    def _unformed(self, store: Floats) -> Floats:
        """The charge of formation still to come."""
        left: Floats = self.copper.formation - store[..., _FORMATION]
        return left


@lru_cache(maxsize=64)
def _bank(film: Film, electrolyte: Electrolyte, transfer: Transfer, temperature: float) -> Bank:
    return Bank.of(
        (
            film.chain(temperature),
            electrolyte.chain(temperature),
            transfer.chain(temperature),
        )
    )
