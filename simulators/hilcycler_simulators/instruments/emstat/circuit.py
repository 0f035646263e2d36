"""The potentiostat's output stage with the cell on it, living in simulated time.

Time passes only by `Look.commit`, so looking ahead costs nothing and can be thrown away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np

from hilcycler.quantities import Ampere, Second, Volt
from hilcycler_simulators.cells.terminals import Course, SimulatedCell
from hilcycler_simulators.instruments.emstat.converter import Floats

_REMEMBERED = 10_000
_NEVER: Floats = np.empty(0)


@dataclass(frozen=True, slots=True)
class Open:
    """The cell is disconnected."""


@dataclass(frozen=True, slots=True)
class Current:
    """The galvanostat drives `value`."""

    value: Ampere


@dataclass(frozen=True, slots=True)
class Potential:
    """The potentiostat holds `value`."""

    value: Volt


Drive: TypeAlias = Open | Current | Potential


@dataclass(frozen=True, slots=True)
class Look:
    """What would be seen at the instants asked for, or at the first of them only.

    `commit(until)` lets the cell live through it, `until` seconds from its start. `saturated`: the
    output is at its end, so what was asked for does not flow.
    """

    voltage: Floats
    current: Floats
    commit: Callable[[Second], None]
    saturated: bool = False


class Circuit:
    """A cell on an output stage that can drive at most `compliance` volts.

    `history` holds what was driven since when, for whoever judges safety.
    """

    def __init__(self, cell: SimulatedCell, compliance: tuple[Volt, Volt]) -> None:
        self.cell = cell
        self.clock: Second = 0.0
        self.history: deque[tuple[Second, Drive]] = deque([(0.0, Open())], maxlen=_REMEMBERED)
        self._compliance = compliance

    @property
    def drive(self) -> Drive:
        return self.history[-1][1]

    @drive.setter
    def drive(self, drive: Drive) -> None:
        if drive != self.drive:
            self.history.append((self.clock, drive))

    def look(self, times: Floats) -> Look:
        """Under the present drive, at `times` in seconds from now."""
        match self.drive:
            case Open():
                return self._look(self.cell.galvanostatic(0.0, times), len(times))
            case Potential(value):
                return self._look(self.cell.potentiostatic(np.full(len(times), value), times), len(times))
            case Current(value):
                return self._galvanostat(value, times)
            case _:
                assert_never(self.drive)

    def sweep(self, voltages: Floats, times: Floats) -> Look:
        """`voltages[i]` held up to `times[i]`; the potentiostat stays at the last one committed."""
        look = self._look(self.cell.potentiostatic(voltages, times), len(times))

        def commit(until: Second) -> None:
            start = self.clock
            look.commit(until)
            reached = int(np.searchsorted(times, until - 1e-12))
            self.history.append((start, Potential(float(voltages[min(reached, len(voltages) - 1)]))))

        return Look(look.voltage, look.current, commit)

    def pass_time(self, seconds: Second) -> None:
        """Let the cell live under the present drive, unobserved."""
        if seconds > 0.0:
            # At open circuit nothing depends on what would be seen, so nothing is computed to be seen.
            unseen = isinstance(self.drive, Open)
            self.look(_NEVER if unseen else np.array([seconds])).commit(seconds)

    def _galvanostat(self, value: Ampere, times: Floats) -> Look:
        """Constant current as long as the compliance voltage suffices; then that voltage instead."""
        course = self.cell.galvanostatic(value, times)
        lowest, highest = self._compliance
        within = (course.voltage >= lowest) & (course.voltage <= highest)
        reached = len(times) if within.all() else int(np.argmin(within))
        if reached:
            return self._look(course, reached)
        limit = highest if value > 0.0 else lowest
        limited = self.cell.potentiostatic(np.full(len(times), limit), times)
        beyond = ~(np.abs(limited.current) <= abs(value))
        rows = max(1, int(np.argmax(beyond))) if beyond.any() else len(times)
        return self._look(limited, rows, saturated=True)

    def _look(self, course: Course, rows: int, *, saturated: bool = False) -> Look:
        def commit(until: Second) -> None:
            course.commit(until)
            self.clock += until

        return Look(course.voltage[:rows], course.current[:rows], commit, saturated)
