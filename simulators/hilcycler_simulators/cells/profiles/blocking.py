"""Profile files of cells with blocking electrodes: SS||SS, Li||SS."""

from __future__ import annotations

from typing import Annotated, Literal

from hilcycler import quantities
from hilcycler.cell import Cell, Electrode
from hilcycler_simulators.cells.ageing import Life
from hilcycler_simulators.cells.blocking import Blocking, Decomposition
from hilcycler_simulators.cells.profiles.parts import Heading
from hilcycler_simulators.cells.reading import (
    ActivationEnergy,
    Area,
    ArealCapacitance,
    ArealCurrent,
    ArealResistance,
    Exponent,
    Table,
    Thickness,
    quantity,
)


class BlockingCell(Table):
    """What is written on the cell."""

    counter: Literal["SS", "Li"]
    area: Area
    electrolyte: str
    rest: Annotated[float, quantity(quantities.VOLTAGE, "0 V", "4 V")] = 0.0


class BlockingBulk(Table):
    """The electrolyte in the separator."""

    resistance: ArealResistance
    separator: Thickness
    activation_energy: ActivationEnergy


class InterfaceTable(Table):
    """One blocking interface, a constant-phase element of Q in uF s^(n-1)/cm2."""

    capacitance: ArealCapacitance
    exponent: Exponent


class DecompositionTable(Table):
    """Oxidation of the electrolyte: the current at the onset, and over what voltage it grows e-fold."""

    onset: Annotated[float, quantity(quantities.VOLTAGE, "1 V", "7 V")]
    current: ArealCurrent
    slope: Annotated[float, quantity(quantities.VOLTAGE, "10 mV", "500 mV")]


class BlockingProfile(Heading):
    """A whole file of kind `blocking`."""

    kind: Literal["blocking"]
    cell: BlockingCell
    bulk: BlockingBulk
    interface: InterfaceTable
    decomposition: DecompositionTable | None = None

    def chemistry(self, name: str, seed: int) -> Blocking:  # noqa: ARG002  (nothing in it is random)
        decomposed = self.decomposition
        return Blocking(
            label=Cell(
                name=name,
                working=Electrode("SS", area=self.cell.area),
                counter=Electrode(self.cell.counter, area=self.cell.area),
                area=self.cell.area,
                separator_thickness=self.bulk.separator,
                electrolyte=self.cell.electrolyte,
            ),
            area=self.cell.area,
            life=Life(),
            resistance=self.bulk.resistance,
            thickness=self.bulk.separator,
            activation_energy=self.bulk.activation_energy,
            phase=self.interface.capacitance,
            exponent=self.interface.exponent,
            start=self.cell.rest,
            decomposition=None
            if decomposed is None
            else Decomposition(decomposed.onset, decomposed.current, decomposed.slope),
        )
