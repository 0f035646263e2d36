"""Profile files of full cells: lithium against an intercalation cathode, or against sulfur."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from hilcycler import quantities
from hilcycler.cell import Cell, Electrode
from hilcycler_simulators.cells.intercalation import Fade, Host, Intercalation
from hilcycler_simulators.cells.interfaces import Metal
from hilcycler_simulators.cells.profiles.parts import (
    BulkTable,
    FilmTable,
    GrowthTable,
    Heading,
    LifeTable,
    MetalTable,
    TransferTable,
)
from hilcycler_simulators.cells.reading import (
    ActivationEnergy,
    Area,
    ArealCharge,
    Loading,
    Share,
    SpecificCapacity,
    Table,
    TimeConstant,
    number,
    quantity,
)
from hilcycler_simulators.cells.sulfur import Sulfur

_HOUR = 3600.0


class CathodeCell(Table):
    """What is written on the cell. `nominal` is what 1 C refers to, `metal` the lithium in it."""

    area: Area
    electrolyte: str
    metal: ArealCharge
    loading: Loading
    nominal: SpecificCapacity

    def label(self, name: str, material: str, separator: float) -> Cell:
        mass = self.loading * self.area
        return Cell(
            name=name,
            working=Electrode(material, area=self.area, active_mass=mass),
            counter=Electrode("Li", area=self.area),
            area=self.area,
            nominal_capacity=self.nominal * mass,
            separator_thickness=separator,
            electrolyte=self.electrolyte,
        )


class HostTable(Table):
    """The active material: what it could hold, how full it is as assembled, how ions diffuse in it."""

    material: Literal["LFP", "NCM811", "NCM523", "LCO"]
    capacity: SpecificCapacity
    start: Share
    diffusion_time: TimeConstant
    slow_share: Share = 0.0
    slow_time: TimeConstant = 1.0
    length: Annotated[float, quantity(quantities.LENGTH, "10 nm", "100 um")]
    activation_energy: ActivationEnergy = 30e3


class ChargeEfficiency(Table):
    """What share of the charging current takes lithium from the host at one C-rate."""

    rate: Annotated[float, number(1e-3, 100.0)]
    value: Annotated[float, number(0.5, 1.0)]


class FadeTable(Table):
    """What a full cell loses with nominal cycles."""

    capacity: GrowthTable = GrowthTable()
    film: GrowthTable = GrowthTable()
    transfer: GrowthTable = GrowthTable()
    charge_efficiency: tuple[ChargeEfficiency, ...] = (ChargeEfficiency(rate=1.0, value=1.0),)

    @model_validator(mode="after")
    def _ascending(self) -> FadeTable:
        rates = [point.rate for point in self.charge_efficiency]
        if not rates or rates != sorted(set(rates)):
            raise ValueError("charge_efficiency: the rates must ascend, each once")
        return self


class IntercalationProfile(Heading):
    """A whole file of kind `intercalation`."""

    kind: Literal["intercalation"]
    cell: CathodeCell
    bulk: BulkTable
    film: FilmTable
    transfer: TransferTable
    host: HostTable
    fade: FadeTable = FadeTable()
    metal: MetalTable = MetalTable()
    life: LifeTable = LifeTable()

    def chemistry(self, name: str, seed: int) -> Intercalation:
        cell, host = self.cell, self.host
        nominal = cell.nominal * cell.loading
        return Intercalation(
            label=cell.label(name, host.material, self.bulk.separator),
            area=cell.area,
            life=self.life.part(nominal / _HOUR, seed),
            electrolyte=self.bulk.part(),
            film=self.film.part(),
            transfer=self.transfer.part(),
            metal=Metal(self.metal.efficiency, self.metal.dead_share),
            host=Host(
                host.material,
                host.capacity * cell.loading,
                host.start,
                host.diffusion_time,
                host.length,
                host.activation_energy,
                (host.slow_share, host.slow_time),
            ),
            fade=Fade(
                self.fade.capacity.part(),
                self.fade.film.part(),
                self.fade.transfer.part(),
                tuple((point.rate * nominal / _HOUR, point.value) for point in self.fade.charge_efficiency),
            ),
            nominal=nominal,
            excess=cell.metal,
            mass=cell.loading * cell.area,
        )


class SulfurTable(Table):
    """Sulfur: what of its capacity is reached, and how fast the shuttle discharges the upper plateau."""

    capacity: SpecificCapacity
    shuttle_per_h: Annotated[float, number(0.0, 10.0)] = 0.0
    fade: GrowthTable = GrowthTable()


class SulfurProfile(Heading):
    """A whole file of kind `sulfur`."""

    kind: Literal["sulfur"]
    cell: CathodeCell
    bulk: BulkTable
    film: FilmTable
    transfer: TransferTable
    sulfur: SulfurTable
    metal: MetalTable = MetalTable()
    life: LifeTable = LifeTable()

    def chemistry(self, name: str, seed: int) -> Sulfur:
        cell = self.cell
        nominal = cell.nominal * cell.loading
        return Sulfur(
            label=cell.label(name, "S", self.bulk.separator),
            area=cell.area,
            life=self.life.part(nominal / _HOUR, seed),
            electrolyte=self.bulk.part(),
            film=self.film.part(),
            transfer=self.transfer.part(),
            metal=Metal(self.metal.efficiency, self.metal.dead_share),
            capacity=self.sulfur.capacity * cell.loading,
            shuttle=self.sulfur.shuttle_per_h / _HOUR,
            fade=self.sulfur.fade.part(),
            nominal=nominal,
            excess=cell.metal,
            mass=cell.loading * cell.area,
        )
