"""What surrounds a cell: its temperature as a function of its own clock."""

from __future__ import annotations

import math
from typing import Protocol

from hilcycler.quantities import Kelvin, Second


class Surroundings(Protocol):
    """The cell asks for its temperature at some instants of its own clock, in no fixed order."""

    def temperature(self, clock: Second) -> Kelvin:
        """The cell's temperature at `clock`, K."""
        ...

    def steady_for(self, clock: Second) -> Second:
        """How long from `clock` on the temperature of that instant is near enough."""
        ...


class Still:
    """Surroundings of one temperature for ever."""

    def __init__(self, temperature: Kelvin) -> None:
        self._temperature = temperature

    def temperature(self, clock: Second) -> Kelvin:  # noqa: ARG002
        return self._temperature

    def steady_for(self, clock: Second) -> Second:  # noqa: ARG002
        return math.inf
