"""The cell: what hangs on a channel, and by what its numbers are normalised.

Signs, once for the whole project: positive current oxidises the working electrode, which charges
a full cell. Plating lithium on the working electrode is negative. Voltage is working minus counter
(WE-CE) in a two-electrode cell and working minus reference (WE-RE) where there is a reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hilcycler.quantities import Coulomb, Kilogram, Metre, SquareMetre


@dataclass(frozen=True, slots=True)
class Electrode:
    """One electrode: what it is made of, its geometric area, and its active mass if it has one."""

    material: str
    area: SquareMetre | None = None
    active_mass: Kilogram | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The object under test.

    `area` normalises areal quantities; it is the smaller electrode's, stated, never guessed.
    `nominal_capacity` is what `1 C` refers to.
    """

    name: str
    working: Electrode
    counter: Electrode
    reference: Electrode | None = None
    area: SquareMetre | None = None
    nominal_capacity: Coulomb | None = None
    separator_thickness: Metre | None = None
    electrolyte: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def voltage_label(self) -> str:
        """Between which electrodes the recorded voltage is."""
        return "WE-CE" if self.reference is None else "WE-RE"
