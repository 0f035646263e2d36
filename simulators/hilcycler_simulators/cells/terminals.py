"""What an instrument sees of a simulated cell: two terminals and time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler.quantities import Ampere, Kelvin, Second, Volt


class Course(Protocol):
    """What would happen from now on under one excitation. Nothing has happened until `commit`.

    `voltage` and `current` are at the instants the course was asked for, signs as in
    `hilcycler.cell`, free of noise: noise is the instrument's and the leads'.
    """

    @property
    def voltage(self) -> NDArray[np.float64]: ...

    @property
    def current(self) -> NDArray[np.float64]: ...

    def commit(self, until: Second) -> None:
        """The cell lives through the course up to `until` seconds from its start, once.

        A galvanostatic course is exact for any `until`, also beyond the last instant asked for; a
        potentiostatic one is cut at the grid interval that holds `until`.
        """
        ...


class SimulatedCell(Protocol):
    """A cell at its terminals. Time passes only by commits, so polling never changes it."""

    @property
    def label(self) -> Cell:
        """What a person would write on it."""
        ...

    @property
    def truth(self) -> dict[str, Any]:
        """What it really is, by name, in SI, for judging evaluations."""
        ...

    @property
    def temperature(self) -> Kelvin: ...

    @temperature.setter
    def temperature(self, value: Kelvin) -> None: ...

    def galvanostatic(self, current: Ampere, times: NDArray[np.float64]) -> Course:
        """Constant `current` (0: open circuit) seen at `times`, ascending, in seconds from now."""
        ...

    def potentiostatic(self, voltage: NDArray[np.float64], times: NDArray[np.float64]) -> Course:
        """`voltage[i]` held from `times[i-1]` (0 for the first) to `times[i]`, current at its end."""
        ...

    def crossing(self, current: Ampere, limit: Volt, horizon: Second) -> Second | None:
        """When constant `current` first brings the voltage to `limit`, by root finding."""
        ...

    def impedance(self, frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Small-signal impedance in ohm at the present state; physical sign."""
        ...
