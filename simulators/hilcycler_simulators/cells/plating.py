"""Li||Cu: lithium plated on copper and stripped again, against lithium in excess.

V = V_surface(q) - V_nucleation(q) + j R_b + R_SEI y_SEI + (2RT/F) [asinh(y/2 j0_Cu) + asinh(y/2 j0_Li)]
+ V_salt, with q the lithium on the copper. A new copper electrode stands at some 2.5 V; the first
charge forms its interphase, then lithium nucleates: a dip below the plateau that is over after
some 0.05 mAh/cm2. Of what is plated a fraction, the cycle's efficiency, can be stripped; the rest
is dead or bound. When the last of it is stripped the voltage runs up to the cut-off.
"""
# ruff: noqa: ARG002  (each answers the same questions, and not all need every argument)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from hilcycler_simulators.cells.ageing import STEADY, Age, Growth
from hilcycler_simulators.cells.bank import Bank, Floats, Tap
from hilcycler_simulators.cells.chemistry import Chemistry, Imposed
from hilcycler_simulators.cells.drive import Drive, Potentiostat
from hilcycler_simulators.cells.interfaces import MA_CM2, Electrolyte, Film, Metal, Transfer, areal, nearby
from hilcycler_simulators.cells.kinetics import thermal_voltage
from hilcycler_simulators.cells.nucleation import Transient

_ACTIVE, _DEAD, _BOUND, _FORMATION, _COUNTER = 0, 1, 2, 3, 4
_NAMES: Final = (
    "copper active",
    "copper dead",
    "copper SEI",
    "formation",
    "counter active",
    "counter dead",
    "counter SEI",
)
_ONE_SIDED: Final = 0.2  # A/m2: nucleation is felt at more cathodic current than this


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
class Copper:
    """A bare substrate: the charge of its formation (C/m2) from `rest` volt down to 0, and nucleation.

    The dip is `barrier` volt deep if nothing else moved; it opens over `opens` and closes over
    `closes` C/m2 of lithium. `transient` is what a held voltage more cathodic than `onset` does to
    bare copper; without it the filters alone answer.
    """

    formation: float
    rest: float = 2.5
    barrier: float = 0.015
    opens: float = 72.0
    closes: float = 1440.0
    transient: Transient | None = None

    def surface(self, left: Floats, bare: float) -> Floats:
        """How far above bare copper, volt, the formation has left it; 0 once it is over."""
        share = np.maximum(left, 0.0) / self.formation
        above: Floats = (self.rest - bare) * share * share
        return above

    def nucleation(self, active: Floats, j: Floats) -> Floats:
        """How far plating on so little lithium lies below the plateau."""
        metal = np.maximum(active, 0.0)
        dip = self.barrier * -np.expm1(-metal / self.opens) * np.exp(-metal / self.closes)
        cathodic = np.maximum(-j, 0.0) ** 2
        shown: Floats = dip * cathodic / (cathodic + _ONE_SIDED**2)
        return shown


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
        return np.zeros(7)

    def bank(self, temperature: float) -> Bank:
        return _bank(self.film, self.electrolyte, self.transfer, nearby(temperature))

    def taps(self, bank: Bank, age: Age, temperature: float) -> Sequence[Tap]:
        film = self.film.resistance * age.interface(self.life) * self.film.grown(temperature)
        return bank.tap("film", film), bank.tap("salt"), bank.tap("transfer")

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
        after[..., _COUNTER] -= cathodic
        after[..., _COUNTER:] += self.metal.plated(anodic)
        return after

    def voltage(
        self, j: float | Floats, tapped: Sequence[Floats], store: Floats, age: Age, temperature: float
    ) -> Floats:
        film, salt, transfer = tapped
        kinetic = 2.0 * self.transfer.voltage(transfer, age.interface(self.life), temperature)
        active, counter = store[..., _ACTIVE], self.excess + store[..., _COUNTER]
        bare = float(self.metal.exhaustion(np.array(0.0), temperature))
        volts: Floats = (
            self.copper.surface(self.copper.formation - store[..., _FORMATION], bare)
            + self.metal.exhaustion(active, temperature)
            - self.copper.nucleation(active, transfer)
            - self.metal.exhaustion(counter, temperature)
            + self.electrolyte.voltage(j, salt, temperature)
            + film
            + kinetic
        )
        return volts

    def gains(self, store: Floats, age: Age) -> Floats:
        return np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])

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
        return {name: -float(store[at]) for at, name in enumerate(_NAMES[: _BOUND + 1])}

    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        bulk = self.electrolyte.resistance * self.electrolyte.grown(temperature)
        j0 = self.transfer.j0(age.interface(self.life), temperature)
        film = self.film.resistance * age.interface(self.life) * self.film.grown(temperature)
        transient = self.copper.transient
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "cycles": age.cycles,
            **areal("R_b", bulk, self.area),
            **areal("R_SEI", film, self.area),
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
        return np.array([0.0, 0.0, 0.0, 0.0, self.excess, 0.0, 0.0])


@lru_cache(maxsize=64)
def _bank(film: Film, electrolyte: Electrolyte, transfer: Transfer, temperature: float) -> Bank:
    return Bank.of(
        (
            ("film", film.chain(temperature)),
            ("salt", electrolyte.chain(temperature)),
            ("transfer", transfer.chain(temperature)),
        )
    )
