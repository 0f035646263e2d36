"""Li||Li (and Na||Na, K||K): two equal metal electrodes in an electrolyte.

V = j R_b + R_SEI y_SEI + 2 (2RT/F) asinh(y_ct / 2 j0) + R_D y_D, with y the filtered current
densities. R_D = R_b (1 - t+)/t+, so that the bulk settles at R_b/t+ (Bruce and Vincent).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler_simulators.cells import elements
from hilcycler_simulators.cells.ageing import Age, Life
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.kinetics import (
    REFERENCE_TEMPERATURE,
    arrhenius,
    overpotential,
    overpotential_slope,
    thermal_voltage,
)
from hilcycler_simulators.cells.wiener import Moment, Tap

OHM_CM2: Final = 1e-4  # ohm m2 in 1 ohm cm2
MA_CM2: Final = 10.0  # A/m2 in 1 mA/cm2
TEMPERATURE_STEP: Final = 0.25  # time constants follow the temperature in these steps, kelvin


@dataclass(frozen=True, slots=True)
class Arc:
    """An interface's semicircle: time constant, constant-phase exponent, activation energy (J/mol)."""

    tau: float
    exponent: float
    activation_energy: float


@dataclass(frozen=True, slots=True)
class Salt:
    """The electrolyte in the separator: R_b (ohm m2), cation transference number, diffusion time."""

    resistance: float
    transference: float
    tau: float
    activation_energy: float

    @property
    def polarisation(self) -> float:
        """R_D, ohm m2: what the settled concentration profile adds to R_b."""
        return self.resistance * (1.0 - self.transference) / self.transference


@dataclass(frozen=True, slots=True)
class Symmetric:
    """A chemistry: see the module. `film` is R_SEI of both electrodes, `j0` is of each."""

    label: Cell
    area: float
    salt: Salt
    film: float
    film_arc: Arc
    j0: float
    transfer_arc: Arc
    life: Life
    cycling: tuple[float, float]  # the current density and areal charge of its half-cycles

    def fresh(self) -> tuple[Floats, Age]:
        return np.empty(0), Age()

    def bank(self, temperature: float) -> Bank:
        steps = round((temperature - REFERENCE_TEMPERATURE) / TEMPERATURE_STEP)
        return _bank(
            self.film_arc, self.salt, self.transfer_arc, REFERENCE_TEMPERATURE + steps * TEMPERATURE_STEP
        )

    def taps(self, bank: Bank, slow: Age, temperature: float) -> Sequence[Tap]:
        grown, chains = slow.resistance(self.life), bank.chains
        film = grown * self.film * arrhenius(self.film_arc.activation_energy, temperature)
        salt = self.salt.polarisation * arrhenius(self.salt.activation_energy, temperature)
        ohmic = slice(chains["film"].start, chains["salt"].stop)
        resistances = np.concatenate(
            (film * bank.weights[chains["film"]], salt * bank.weights[chains["salt"]])
        )
        return Tap(ohmic, resistances), Tap(chains["transfer"], bank.weights[chains["transfer"]])

    def stores(self, moment: Moment[Age], times: Floats) -> Floats:  # noqa: ARG002  (both electrodes in excess)
        return np.empty((len(times), 0))

    def voltage(
        self,
        j: float | Floats,
        tapped: Sequence[Floats],
        store: Floats,  # noqa: ARG002
        slow: Age,
        temperature: float,
    ) -> Floats:
        volts, transfer = tapped
        bulk = self.salt.resistance * arrhenius(self.salt.activation_energy, temperature)
        return j * bulk + volts + 2.0 * overpotential(transfer, self._j0(slow, temperature), temperature)

    def age(self, moment: Moment[Age], elapsed: float) -> Age:
        return moment.slow.after(self.life, moment.j, elapsed)

    def areal_impedance(
        self,
        s: NDArray[np.complex128],
        bank: Bank,
        moment: Moment[Age],
        tapped: Sequence[float],
        temperature: float,
    ) -> NDArray[np.complex128]:
        linear, transfer = self.taps(bank, moment.slow, temperature)
        bulk = self.salt.resistance * arrhenius(self.salt.activation_energy, temperature)
        slope = 2.0 * overpotential_slope(
            np.array(tapped[1]), self._j0(moment.slow, temperature), temperature
        )
        return bulk + linear.response(bank, s) + slope * transfer.response(bank, s)

    def truth(self, slow: Age, store: Floats, temperature: float) -> dict[str, Any]:  # noqa: ARG002
        """The values now, at this age and temperature; areal ones hold both electrodes."""
        grown = slow.resistance(self.life)
        bulk = self.salt.resistance * arrhenius(self.salt.activation_energy, temperature)
        film = grown * self.film * arrhenius(self.film_arc.activation_energy, temperature)
        j0 = self._j0(slow, temperature)
        transfer = 2.0 * thermal_voltage(temperature) / j0
        density, charge = self.cycling
        return {
            "area_m2": self.area,
            "temperature_K": temperature,
            "cycling_hours": slow.hours,
            "throughput_C_m2": slow.throughput,
            **_both("R_b", bulk, self.area),
            **_both("R_SEI", film, self.area),
            **_both("R_ct", transfer, self.area),
            **_both("R_D", bulk * (1.0 / self.salt.transference - 1.0), self.area),
            "t_plus": self.salt.transference,
            "j0_A_m2": j0,
            "j0_mA_cm2": j0 / MA_CM2,
            "tau_SEI_s": self.film_arc.tau,
            "tau_ct_s": self.transfer_arc.tau,
            "tau_salt_s": self.salt.tau,
            "E_b_J_mol": self.salt.activation_energy,
            "E_SEI_J_mol": self.film_arc.activation_energy,
            "E_ct_J_mol": self.transfer_arc.activation_energy,
            "overpotential_V": self.overpotential(density, temperature, replace(slow, hours=math.inf)),
            "overpotential_now_V": self.overpotential(density, temperature, slow),
            "overpotential_at_A_m2": density,
            "overpotential_half_cycle_C_m2": charge,
            "overpotential_definition": "mean |V| over the central 50 % of charge of both half-cycles, "
            "two electrodes, concentration profile settled; at the present age with the activation faded, "
            "`now` without that",
        }

    def overpotential(self, j: float, temperature: float, slow: Age) -> float:
        """|V| once a constant `j` has settled, volt: what every filter state ends at."""
        bulk = (
            self.salt.resistance
            / self.salt.transference
            * arrhenius(self.salt.activation_energy, temperature)
        )
        film = (
            self.film * slow.resistance(self.life) * arrhenius(self.film_arc.activation_energy, temperature)
        )
        transfer = 2.0 * overpotential(np.array(j), self._j0(slow, temperature), temperature)
        return j * (bulk + film) + float(transfer)

    def _j0(self, slow: Age, temperature: float) -> float:
        """The exchange current density whose resistance RT/(F j0) follows Arrhenius exactly."""
        growth = slow.resistance(self.life) * arrhenius(self.transfer_arc.activation_energy, temperature)
        return self.j0 / growth * temperature / REFERENCE_TEMPERATURE


def _both(name: str, areal: float, area: float) -> dict[str, float]:
    return {f"{name}_ohm_cm2": areal / OHM_CM2, f"{name}_ohm": areal / area}


@lru_cache(maxsize=64)
def _bank(film: Arc, salt: Salt, transfer: Arc, temperature: float) -> Bank:
    chains = (
        ("film", elements.zarc(film.tau * arrhenius(film.activation_energy, temperature), film.exponent)),
        ("salt", elements.transmissive(salt.tau * arrhenius(salt.activation_energy, temperature))),
        (
            "transfer",
            elements.zarc(
                transfer.tau * arrhenius(transfer.activation_energy, temperature), transfer.exponent
            ),
        ),
    )
    return Bank.of(chains)
