"""Profile files of symmetric metal cells: Li||Li, Na||Na, K||K."""

from __future__ import annotations

from typing import Literal

from hilcycler.cell import Cell, Electrode
from hilcycler_simulators.cells.interfaces import Metal
from hilcycler_simulators.cells.profiles.parts import (
    BulkTable,
    FilmTable,
    Heading,
    LifeTable,
    MetalTable,
    TransferTable,
)
from hilcycler_simulators.cells.reading import Area, ArealCharge, ArealCurrent, Table
from hilcycler_simulators.cells.symmetric import Symmetric


class SymmetricCell(Table):
    """What is written on the cell, and the cycling for which truth states its overpotential."""

    electrode: Literal["Li", "Na", "K"]
    area: Area
    electrolyte: str
    metal: ArealCharge
    cycling_current: ArealCurrent
    cycling_charge: ArealCharge


class SymmetricProfile(Heading):
    """A whole file of kind `symmetric`."""

    kind: Literal["symmetric"]
    cell: SymmetricCell
    bulk: BulkTable
    film: FilmTable
    transfer: TransferTable
    metal: MetalTable = MetalTable()
    life: LifeTable = LifeTable()

    def chemistry(self, name: str, seed: int) -> Symmetric:
        electrode = Electrode(self.cell.electrode, area=self.cell.area)
        return Symmetric(
            label=Cell(
                name=name,
                working=electrode,
                counter=electrode,
                area=self.cell.area,
                separator_thickness=self.bulk.separator,
                electrolyte=self.cell.electrolyte,
            ),
            area=self.cell.area,
            electrolyte=self.bulk.part(),
            film=self.film.part(),
            transfer=self.transfer.part(),
            metal=Metal(self.metal.efficiency, self.metal.dead_share),
            excess=self.cell.metal,
            life=self.life.part(self.cell.cycling_current, seed),
            quoted=(self.cell.cycling_current, self.cell.cycling_charge),
        )
