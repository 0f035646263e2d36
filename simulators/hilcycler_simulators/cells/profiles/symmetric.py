"""Profile files of symmetric metal cells: Li||Li, Na||Na, K||K."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from hilcycler.cell import Cell, Electrode
from hilcycler_simulators.cells.ageing import Growth, Life
from hilcycler_simulators.cells.reading import (
    ActivationEnergy,
    Area,
    ArealCharge,
    ArealCurrent,
    ArealResistance,
    Duration,
    Exponent,
    Factor,
    Table,
    Thickness,
    TimeConstant,
    Transference,
    number,
)
from hilcycler_simulators.cells.symmetric import Arc, Salt, Symmetric

_HOUR = 3600.0


class CellTable(Table):
    """What is written on the cell, and the cycling that its overpotential is quoted for."""

    electrode: Literal["Li", "Na", "K"]
    area: Area
    separator: Thickness
    electrolyte: str
    cycling_current: ArealCurrent
    cycling_charge: ArealCharge


class BulkTable(Table):
    """The electrolyte in the separator."""

    resistance: ArealResistance
    transference: Transference
    diffusion_time: TimeConstant
    activation_energy: ActivationEnergy

    def salt(self) -> Salt:
        return Salt(self.resistance, self.transference, self.diffusion_time, self.activation_energy)


class FilmTable(Table):
    """The solid-electrolyte interphases: resistance of both together."""

    resistance: ArealResistance
    time_constant: TimeConstant
    exponent: Exponent
    activation_energy: ActivationEnergy


class TransferTable(Table):
    """Charge transfer: exchange current density of each electrode."""

    exchange_current: ArealCurrent
    time_constant: TimeConstant
    exponent: Exponent
    activation_energy: ActivationEnergy


class LifeTable(Table):
    """How the cell changes; without a key that change does not happen."""

    activation: Factor = 0.0
    activation_time: Duration = 40.0 * _HOUR
    growth_per_1000_h: Factor = 0.0
    growth_onset: Duration = math.inf
    growth_dry: Duration = math.inf
    growth_gain: Factor = 0.0
    wear_exponent: Annotated[float, number(-2.0, 3.0)] = 1.0
    roughness_per_mah_cm2: Factor = 0.0

    def life(self, reference: float) -> Life:
        growth = Growth(
            slope=self.growth_per_1000_h / 1000.0,
            onset=self.growth_onset / _HOUR,
            dry=self.growth_dry / _HOUR,
            gain=self.growth_gain,
        )
        return Life(
            activation=self.activation,
            activation_hours=self.activation_time / _HOUR,
            growth=growth,
            reference=reference,
            exponent=self.wear_exponent,
            roughness=self.roughness_per_mah_cm2,
        )


class SymmetricProfile(Table):
    """A whole file of kind `symmetric`."""

    kind: Literal["symmetric"]
    description: str
    sources: tuple[str, ...]
    tuned_to: tuple[str, ...] = ()
    cannot_meet: tuple[str, ...] = ()
    cell: CellTable
    bulk: BulkTable
    film: FilmTable
    transfer: TransferTable
    life: LifeTable = LifeTable()

    def chemistry(self, name: str, seed: int) -> Symmetric:  # noqa: ARG002  (nothing random in it yet)
        electrode = Electrode(self.cell.electrode, area=self.cell.area)
        return Symmetric(
            label=Cell(
                name=name,
                working=electrode,
                counter=electrode,
                area=self.cell.area,
                separator_thickness=self.cell.separator,
                electrolyte=self.cell.electrolyte,
            ),
            area=self.cell.area,
            salt=self.bulk.salt(),
            film=self.film.resistance,
            film_arc=Arc(self.film.time_constant, self.film.exponent, self.film.activation_energy),
            j0=self.transfer.exchange_current,
            transfer_arc=Arc(
                self.transfer.time_constant, self.transfer.exponent, self.transfer.activation_energy
            ),
            life=self.life.life(self.cell.cycling_current),
            cycling=(self.cell.cycling_current, self.cell.cycling_charge),
        )
