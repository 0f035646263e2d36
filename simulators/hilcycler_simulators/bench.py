"""A bench: cells, the chamber they stand in, and instruments wired to them.

A cell lives once, whoever drives it: what one instrument commits, every other one on that cell finds
done. Two that drive at the same time are not modelled; the later set-point holds, as if the first
had been switched off. Wiring can be changed while instruments are connected, so a channel can be on
the wrong cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler.errors import RequestError
from hilcycler.quantities import Ampere, Kelvin, Second, Volt
from hilcycler_simulators.cells.catalogue import catalogue
from hilcycler_simulators.cells.terminals import Course, SimulatedCell
from hilcycler_simulators.cells.wiener import WienerCell
from hilcycler_simulators.chamber import Chamber
from hilcycler_simulators.leads import Floats, Leads, Wire


@dataclass
class Bench:
    """Cells by name, channels by name, all in one chamber."""

    chamber: Chamber = field(default_factory=Chamber)
    cells: dict[str, WienerCell] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)

    def place(self, name: str, profile: str, seed: int = 1) -> WienerCell:
        """A new cell on the bench, in the chamber; RequestError if the name is taken."""
        if name in self.cells:
            raise RequestError(f"there is a cell {name!r} on this bench already")
        cell = catalogue.make(profile, seed)
        self.cells[name] = cell
        self.chamber.put(cell)
        return cell

    def connect(self, channel: str, cell: str, wire: Wire | None = None) -> Channel:
        """A channel of an instrument on a cell; several may be on one."""
        if cell not in self.cells:
            raise RequestError(
                f"no cell {cell!r} on this bench; there are: {', '.join(self.cells) or 'none'}"
            )
        connected = Channel(Leads(self.cells[cell], wire or Wire()))
        self.channels[channel] = connected
        return connected

    def permute(self, order: Iterable[str], to: Iterable[str]) -> None:
        """Plug the channels `order` to where the channels `to` are now, leads and all."""
        pairs = list(zip(order, to, strict=True))
        unknown = [name for pair in pairs for name in pair if name not in self.channels]
        if unknown:
            raise RequestError(f"no channel {unknown[0]!r}; there are: {', '.join(self.channels) or 'none'}")
        moved = {name: self.channels[other].leads for name, other in pairs}
        for name, leads in moved.items():
            self.channels[name].leads = leads


class Channel(SimulatedCell):
    """What an instrument's channel is wired to now."""

    def __init__(self, leads: Leads) -> None:
        self.leads = leads

    @property
    def label(self) -> Cell:
        return self.leads.label

    @property
    def truth(self) -> dict[str, Any]:
        return self.leads.truth

    @property
    def temperature(self) -> Kelvin:
        return self.leads.temperature

    @temperature.setter
    def temperature(self, value: Kelvin) -> None:
        self.leads.temperature = value

    def galvanostatic(self, current: Ampere, times: Floats) -> Course:
        return self.leads.galvanostatic(current, times)

    def potentiostatic(self, voltage: Floats, times: Floats) -> Course:
        return self.leads.potentiostatic(voltage, times)

    def crossing(self, current: Ampere, limit: Volt, horizon: Second) -> Second | None:
        return self.leads.crossing(current, limit, horizon)

    def impedance(self, frequencies: Floats) -> NDArray[Any]:
        return self.leads.impedance(frequencies)
