"""Lithium against an intercalation cathode: Li||LFP, Li||NCM811, Li||NCM523, Li||LCO.

V = U(x_s) + j R_b + V_salt + R_SEI y_SEI + (2RT/F) asinh(y_ct / 2 j0). The lithium fraction at the
surface is the mean fraction less what diffusion in the host lags behind,

    x_s = x - (tau_d/Q) * sum of 2/(k pi)^2 y_k ,   dx/dt = -j/Q ,

which together is j tau_d/Q coth(sqrt(s tau_d))/sqrt(s tau_d): one object gives open-circuit voltage,
capacity, GITT and the low-frequency line of the spectrum. A host may have a second, slow such lag
of a small share: what it costs in capacity grows with the square root of the rate, as published
rate tests of layered oxides do. `film` is everything on the lithium side.
"""
# ruff: noqa: ARG002  (each answers the same questions, and not all need every argument)

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from hilcycler_simulators.cells import elements
from hilcycler_simulators.cells.ageing import STEADY, Age, Growth
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.chemistry import Chemistry
from hilcycler_simulators.cells.elements import Chain
from hilcycler_simulators.cells.interfaces import MA_CM2, Electrolyte, Film, Metal, Transfer, areal, nearby
from hilcycler_simulators.cells.kinetics import arrhenius, thermal_voltage
from hilcycler_simulators.cells.ocv import CURVES, Curve

_HOST, _ISOLATED, _OXIDISED, _ANODE = 0, 1, 2, 3
_NAMES: Final = (
    "host",
    "isolated host",
    "electrolyte oxidised",
    "lithium active",
    "lithium dead",
    "lithium SEI",
)
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Host:
    """The cathode's active material: lithium it could hold (C/m2), how full it starts, diffusion.

    `tau` is L^2/D of a particle or layer with half thickness `length`; `slow` is the share and time
    constant of a second lag.
    """

    material: str
    capacity: float
    start: float
    tau: float
    length: float
    activation_energy: float
    slow: tuple[float, float] = (0.0, 1.0)

    def chain(self, temperature: float) -> Chain:
        """How far the surface lags behind the mean, in seconds of current over capacity."""
        grown = arrhenius(self.activation_energy, temperature)
        tau, weights = elements.reflective(self.tau * grown)
        weights = self.tau * grown * weights
        share, slowest = self.slow
        if share == 0.0:
            return tau, weights
        taus, further = elements.reflective(slowest * grown)
        return np.concatenate((tau, taus)), np.concatenate((weights, share * slowest * grown * further))

    @property
    def curve(self) -> Curve:
        """Its open-circuit voltage."""
        return CURVES[self.material]

    @property
    def diffusion(self) -> float:
        """D at the reference temperature, m2/s."""
        return self.length**2 / self.tau


@dataclass(frozen=True, slots=True)
class Fade:
    """How a full cell changes with cycles, counted as charge passed over twice the nominal capacity.

    `capacity` - 1 is the share of the host that has lost contact; `film` and `transfer` multiply
    their resistances. `efficiency` of the charging current takes lithium from the host, the rest
    oxidises electrolyte; it is stated at some current densities (A/m2), with straight lines over
    their logarithm between.
    """

    capacity: Growth = STEADY
    film: Growth = STEADY
    transfer: Growth = STEADY
    efficiency: tuple[tuple[float, float], ...] = ((1.0, 1.0),)

    def charge_efficiency(self, j: float | Floats) -> Floats:
        """At `j` > 0."""
        densities, values = np.array(self.efficiency).T
        share: Floats = np.interp(np.log(np.maximum(j, 1e-9)), np.log(densities), values)
        return share


@dataclass(frozen=True, slots=True)
class Intercalation(Chemistry):
    """See the module. `nominal` is what 1 C refers to (C/m2), `excess` the lithium metal (C/m2)."""

    electrolyte: Electrolyte
    film: Film
    transfer: Transfer
    metal: Metal
    host: Host
    fade: Fade
    nominal: float
    excess: float
    mass: float  # of active material, kg

    def fresh(self) -> Floats:
        return np.zeros(6)

    def bank(self, temperature: float) -> Bank:
        return _bank(self.film, self.electrolyte, self.transfer, self.host, nearby(temperature))

    def stores(self, store: Floats, j: float | Floats, seconds: float | Floats, age: Age) -> Floats:
        if np.ndim(j) == 0:  # one rate all along: the usual and the fast case
            gains = _rates(self.metal, self.fade, float(j))
            steadily: Floats = store + np.multiply.outer(np.multiply(j, seconds), gains)
            return steadily
        charge = np.multiply(j, seconds)
        out, back = np.maximum(charge, 0.0), np.minimum(charge, 0.0)
        taken = self.fade.charge_efficiency(j) * out
        kept = self.metal.plated(out)
        gained = (-back - taken, 0.0 * charge, out - taken, kept[..., 0] + back, kept[..., 1], kept[..., 2])
        after: Floats = store + np.stack(gained, axis=-1)
        return after

    def voltage(self, j: float | Floats, sums: Floats, store: Floats, age: Age, temperature: float) -> Floats:
        film, salt, transfer, lag = sums
        surface = self._fraction(store, age) - lag / self._capacity(age)
        volts: Floats = (
            self.host.curve(surface)
            + self.electrolyte.voltage(j, salt, temperature)
            + self._film(age, temperature) * film
            + self.transfer.voltage(transfer, self._transfer_growth(age), temperature)
        )
        lithium = self.excess + store[..., _ANODE]
        if lithium.min() < 20.0 * self.metal.last:
            volts = volts - self.metal.exhaustion(lithium, temperature)
        return volts

    def gains(self, store: Floats, age: Age) -> Floats:
        return np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0])

    def aged(self, store: Floats, before: Age, after: Age) -> Floats:
        """Host that loses contact keeps the lithium it holds."""
        kept = self._capacity(after) / self._capacity(before)
        if kept == 1.0:
            return store
        lost = (self._new()[_HOST] + store[_HOST]) * (1.0 - kept)
        moved = np.zeros_like(store)
        moved[_HOST], moved[_ISOLATED] = -lost, lost
        return store + moved

    def ledger(self, store: Floats) -> dict[str, float]:
        return {
            _NAMES[_HOST]: -float(store[_HOST]),
            _NAMES[_ISOLATED]: -float(store[_ISOLATED]),
            _NAMES[_OXIDISED]: float(store[_OXIDISED]),
        }

    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        j0 = self.transfer.j0(self._transfer_growth(age), temperature)
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "active_mass_kg": self.mass,
            "nominal_capacity_C": self.nominal * self.area,
            "host_capacity_C": self._capacity(age) * self.area,
            "lithium_fraction": float(self._fraction(store, age)),
            "open_circuit_V": float(self.host.curve(self._fraction(store, age))),
            "ocv_source": self.host.curve.source,
            "cycles": age.cycles,
            **areal("R_b", self.electrolyte.resistance * self.electrolyte.grown(temperature), self.area),
            **areal("R_SEI", self._film(age, temperature), self.area),
            **areal("R_ct", thermal_voltage(temperature) / j0, self.area),
            "j0_A_m2": j0,
            "j0_mA_cm2": j0 / MA_CM2,
            "t_plus": self.electrolyte.transference,
            "D_host_m2_s": self.host.length**2 / self._tau(temperature),
            "diffusion_length_m": self.host.length,
            "tau_diffusion_s": self._tau(temperature),
            "charge_efficiency": {
                f"{density / MA_CM2:g} mA/cm2": value for density, value in self.fade.efficiency
            },
            "E_b_J_mol": self.electrolyte.activation_energy,
            "E_SEI_J_mol": self.film.activation_energy,
            "E_ct_J_mol": self.transfer.activation_energy,
            "inventory_C_m2": dict(zip(_NAMES, map(float, store + self._new()), strict=True)),
        }

    def _new(self) -> Floats:
        """What there was before the first charge; the reservoirs hold what came since."""
        return np.array([self.host.capacity * self.host.start, 0.0, 0.0, self.excess, 0.0, 0.0])

    def _fraction(self, store: Floats, age: Age) -> Floats:
        """The mean lithium fraction of the host that is in contact."""
        held: Floats = self.host.capacity * self.host.start + store[..., _HOST]
        return held / self._capacity(age)

    def _cycles(self, age: Age) -> float:
        """Wear in cycles: hours at the reference current over those of a nominal cycle."""
        return age.wear * _HOUR * self.life.reference / (2.0 * self.nominal)

    def _capacity(self, age: Age) -> float:
        lost = self.fade.capacity(self._cycles(age)) - 1.0
        return self.host.capacity * max(1.0 - lost, 0.02)

    def _film(self, age: Age, temperature: float) -> float:
        grown = age.interface(self.life) * self.fade.film(self._cycles(age))
        return self.film.resistance * grown * self.film.grown(temperature)

    def _transfer_growth(self, age: Age) -> float:
        return age.interface(self.life) * self.fade.transfer(self._cycles(age))

    def _tau(self, temperature: float) -> float:
        return self.host.tau * arrhenius(self.host.activation_energy, temperature)


@lru_cache(maxsize=256)
def _rates(metal: Metal, fade: Fade, j: float) -> Floats:
    """d(reservoirs)/d(charge) at that current density."""
    if j <= 0.0:
        return np.array([-1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    taken = float(fade.charge_efficiency(j))
    return np.concatenate(([-taken, 0.0, 1.0 - taken], metal.plated(np.array(1.0))))


@lru_cache(maxsize=64)
def _bank(film: Film, electrolyte: Electrolyte, transfer: Transfer, host: Host, temperature: float) -> Bank:
    return Bank.of(
        (
            film.chain(temperature),
            electrolyte.chain(temperature),
            transfer.chain(temperature),
            host.chain(temperature),
        )
    )
