"""What a kind of cell adds to the stepping: filters, reservoirs, a voltage."""
# ruff: noqa: ARG002  (of those that fail, of those that leak: defaults do not use what they are given)

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hilcycler.cell import Cell
from hilcycler_simulators.cells.ageing import Age, Life
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.drive import Drive, Leak


@dataclass(frozen=True, slots=True)
class Chemistry(ABC):
    """A kind of cell. Current densities in A/m2, resistances in ohm m2, charges in C/m2.

    Its age changes only where a stretch of constant excitation ends. Arrays of currents, filter
    sums and reservoirs may have leading axes, one entry a hypothesis or an instant.
    """

    label: Cell
    area: float
    life: Life

    @abstractmethod
    def fresh(self) -> Floats:
        """The reservoirs of a new cell."""

    @abstractmethod
    def bank(self, temperature: float) -> Bank:
        """The filters at this temperature."""

    @abstractmethod
    def voltage(self, j: float | Floats, sums: Floats, store: Floats, age: Age, temperature: float) -> Floats:
        """WE minus CE, from the ionic current density, the sums of its filters and the reservoirs.

        `sums` are mean filtered current densities, a row a chain of the bank.
        """

    @abstractmethod
    def stores(self, store: Floats, j: float | Floats, seconds: float | Floats, age: Age) -> Floats:
        """The reservoirs after constant `j` for `seconds`; reservoirs on the last axis."""

    @abstractmethod
    def truth(self, store: Floats, age: Age, temperature: float) -> dict[str, Any]:
        """What the cell really is now, by names that carry their unit."""

    @abstractmethod
    def ledger(self, store: Floats) -> dict[str, float]:
        """Where the charge that passed the ions is now, C/m2, signed so that it sums to that charge."""

    def feels(self, store: Floats, charge: float) -> bool:
        """Whether the reservoirs move the voltage while `charge` passes."""
        return True

    def gains(self, store: Floats, age: Age) -> Floats:
        """d(reservoir)/dt per unit of a small alternating current, where the voltage feels it."""
        return np.zeros_like(store)

    def aged(self, store: Floats, before: Age, after: Age) -> Floats:
        """The reservoirs when the age changes: what becomes isolated, and the like."""
        return store

    def leak(self, age: Age) -> Leak | None:
        """What passes beside the ions now."""
        return age.leak(self.life)

    def imposed(self, drive: Drive, store: Floats, age: Age, temperature: float) -> Imposed | None:
        """A current density that growth dictates under this drive, whatever the filters say."""
        return None


class Imposed(Protocol):
    """A current density as a function of the seconds since the stretch began."""

    def __call__(self, seconds: Floats) -> Floats: ...
