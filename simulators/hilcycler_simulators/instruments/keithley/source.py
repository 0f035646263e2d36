"""The analogue side of a simulated SMU: what the output does to the cell while time passes.

Compliance is real: sourcing current, the voltage is held at the limit when the cell would pass it,
and then it is the cell that decides the current; sourcing voltage, the current is held at its limit.
Output off is high impedance, or, in the instrument's NORMal state, 0 V with a tenth of the current
range behind it: a cell left on it is discharged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Ampere, Ohm, Second, Volt
from hilcycler_drivers.keithley.wire.models import Model
from hilcycler_simulators.cells.terminals import Course, SimulatedCell

NORMAL_LIMIT = 0.1
"""Share of the current range that an output in the NORMal off state may pass at 0 V."""

LONGEST: Second = 1.0
"""Time is passed to the cell in strides of at most this, so that a limit is met when it is reached."""


@dataclass
class Output:
    """Settings as the front panel would show them, and the cell at the terminals."""

    model: Model
    cell: SimulatedCell
    lead: Ohm = 0.05
    on: bool = False
    function: str = "VOLT"
    current: Ampere = 0.0
    voltage: Volt = 0.0
    current_range: Ampere = 1e-4
    voltage_limit: Volt = 21.0
    current_limit: Ampere = 1.05e-4
    off_state: dict[str, str] = field(default_factory=lambda: {"CURR": "NORM", "VOLT": "NORM"})
    stuck_at: Ampere | None = None
    limiting: bool = False
    cell_current: Ampere = 0.0
    cell_voltage: Volt = 0.0

    def reset(self) -> None:
        """As after `*RST`: off, in the NORMal off state, which discharges a cell."""
        self.on = False
        self.function = "VOLT"
        self.current = self.voltage = 0.0
        self.current_range, self.voltage_limit, self.current_limit = 1e-4, 21.0, 1.05e-4
        self.off_state = {"CURR": "NORM", "VOLT": "NORM"}

    def let_pass(self, seconds: Second) -> None:
        """The cell lives through `seconds` at the present settings."""
        while seconds > 0.0:
            stride = min(seconds, LONGEST)
            self._live(stride)
            seconds -= stride

    @property
    def connected(self) -> bool:
        """Whether the cell is on the converters: not behind an open relay."""
        return self.on or self.stuck_at is not None or self.off_state[self.function] != "HIMP"

    def look(self) -> None:
        """What the terminals show at this instant, with no time passed to speak of."""
        course = self._course(np.array([1e-6]))
        self.cell_voltage, self.cell_current = float(course.voltage[-1]), float(course.current[-1])

    def _live(self, stride: Second) -> None:
        course = self._course(np.array([stride]))
        self.cell_voltage, self.cell_current = float(course.voltage[-1]), float(course.current[-1])
        course.commit(stride)

    def _course(self, times: NDArray[np.float64]) -> Course:
        self.limiting = False
        if self.stuck_at is not None:
            return self.cell.galvanostatic(self.stuck_at, times)
        if not self.on:
            return self._off(times)
        if self.function == "CURR":
            course = self.cell.galvanostatic(self.current, times)
            seen = float(course.voltage[-1]) + self.current * self.lead
            if abs(seen) <= self.voltage_limit:
                return course
            self.limiting = True
            return self._held(math.copysign(self.voltage_limit, seen), self.model.most_current, times)
        return self._held(self.voltage, self.current_limit, times)

    def _held(self, voltage: Volt, most: Ampere, times: NDArray[np.float64]) -> Course:
        course = self.cell.potentiostatic(np.full(len(times), voltage), times)
        if abs(float(course.current[-1])) <= most:
            return course
        self.limiting = True
        return self.cell.galvanostatic(math.copysign(most, float(course.current[-1])), times)

    def _off(self, times: NDArray[np.float64]) -> Course:
        if self.off_state[self.function] == "HIMP":
            return self.cell.galvanostatic(0.0, times)
        return self._held(0.0, NORMAL_LIMIT * self.current_range, times)
