"""Profile files of Li||Cu cells."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hilcycler import quantities
from hilcycler.cell import Cell, Electrode
from hilcycler_simulators.cells.copper import Copper
from hilcycler_simulators.cells.interfaces import Metal
from hilcycler_simulators.cells.nucleation import Transient
from hilcycler_simulators.cells.plating import Efficiency, Plating
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
    Area,
    ArealCharge,
    ArealCurrent,
    Concentration,
    Diffusion,
    Share,
    Table,
    number,
    quantity,
)


class PlatingCell(Table):
    """What is written on the cell. `metal` is the lithium of the counter electrode."""

    area: Area
    electrolyte: str
    metal: ArealCharge


class TransientTable(Table):
    """What a held voltage does to bare copper: nucleation as Scharifker and Hills describe it."""

    kind: Literal["instantaneous", "progressive"]
    density: Annotated[float, quantity("1/cm2", "1 1/cm2", "1e14 1/cm2")]
    rate_per_s: Annotated[float, number(1e-6, 1e6)] = 1.0
    diffusion: Diffusion
    concentration: Concentration
    onset: Annotated[float, quantity(quantities.VOLTAGE, "-1 V", "-1 mV")]
    spike: Annotated[float, quantity(quantities.AREAL_CURRENT, "0 mA/cm2", "1000 mA/cm2")] = 0.0

    def part(self) -> Transient:
        return Transient(
            self.kind,
            self.density,
            self.diffusion,
            self.concentration,
            self.onset,
            rate=self.rate_per_s,
            spike=self.spike,
        )


class CopperTable(Table):
    """The bare substrate: formation of its interphase, then nucleation."""

    formation: ArealCharge
    rest: Annotated[float, quantity(quantities.VOLTAGE, "0.5 V", "4 V")] = 2.5
    barrier: Annotated[float, quantity(quantities.VOLTAGE, "0 mV", "500 mV")]
    opens: ArealCharge = 72.0
    closes: ArealCharge = 1440.0
    transient: TransientTable | None = None

    def part(self) -> Copper:
        return Copper(
            self.formation,
            self.rest,
            self.barrier,
            self.opens,
            self.closes,
            None if self.transient is None else self.transient.part(),
        )


class SettledEfficiency(Table):
    """The settled efficiency at one current density."""

    current: ArealCurrent
    value: Share


class EfficiencyTable(Table):
    """What fraction of the plated lithium can be stripped."""

    settled: Annotated[tuple[SettledEfficiency, ...], Field(min_length=1)]
    first_loss: Share = 0.0
    settles_cycles: Annotated[float, number(0.1, 1000.0)] = 5.0
    scatter: Annotated[float, number(0.0, 0.5)] = 0.0
    growth: GrowthTable = GrowthTable()

    @model_validator(mode="after")
    def _ascending(self) -> EfficiencyTable:
        densities = [point.current for point in self.settled]
        if densities != sorted(set(densities)):
            raise ValueError("settled: the current densities must ascend, each once")
        return self

    def part(self, seed: int) -> Efficiency:
        return Efficiency(
            settled=tuple((point.current, point.value) for point in self.settled),
            first_loss=self.first_loss,
            settles=self.settles_cycles,
            growth=self.growth.part(),
            scatter=self.scatter,
            seed=seed,
        )


class PlatingProfile(Heading):
    """A whole file of kind `plating`."""

    kind: Literal["plating"]
    cell: PlatingCell
    bulk: BulkTable
    film: FilmTable
    transfer: TransferTable
    copper: CopperTable
    efficiency: EfficiencyTable
    metal: MetalTable = MetalTable()
    life: LifeTable = LifeTable()

    def chemistry(self, name: str, seed: int) -> Plating:
        return Plating(
            label=Cell(
                name=name,
                working=Electrode("Cu", area=self.cell.area),
                counter=Electrode("Li", area=self.cell.area),
                area=self.cell.area,
                separator_thickness=self.bulk.separator,
                electrolyte=self.cell.electrolyte,
            ),
            area=self.cell.area,
            life=self.life.part(10.0, seed),
            electrolyte=self.bulk.part(),
            film=self.film.part(),
            transfer=self.transfer.part(),
            metal=Metal(self.metal.efficiency, self.metal.dead_share),
            copper=self.copper.part(),
            efficiency=self.efficiency.part(seed),
            excess=self.cell.metal,
        )
