"""The scans of measurement loops: which excitation, sampled when, and what each measurement yields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from hilcycler.quantities import Second
from hilcycler_simulators.instruments.emstat.body import Column
from hilcycler_simulators.instruments.emstat.circuit import Look
from hilcycler_simulators.instruments.emstat.converter import OVERLOAD, Floats, range_for
from hilcycler_simulators.instruments.emstat.unit import Unit

_PERIODS: Final = 3
_SHORTEST_POINT: Second = 0.1


class Sweep(Protocol):
    """One scan of a measurement loop: `rows` measurements."""

    @property
    def rows(self) -> int: ...

    def offsets(self, first: int, count: int) -> Floats:
        """When rows `first`... are measured, in seconds from the beginning."""
        ...

    def measure(self, first: int, times: Floats) -> tuple[Look, dict[str, Column]]:
        """Rows `first`... at `times` from now: as many as can be foreseen, at least one."""
        ...

    def reversed_at(self, row: int) -> Sweep:
        """What follows `row` if the direction is reversed there; itself if it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Outputs:
    """Turns what is seen into columns: the loop's own, by `own`, and those of `add_meas`."""

    unit: Unit
    extra: Mapping[str, str]

    def columns(self, look: Look, own: Mapping[str, str], setpoints: Floats) -> dict[str, Column]:
        """`own` names each variable's type; set types (da, db) take `setpoints`."""
        found = {}
        for name, vartype in {**own, **self.extra}.items():
            match vartype:
                case "ab":
                    found[name] = self.unit.voltage_column(look)
                case "ba":
                    found[name] = self.unit.current_column(look)
                case _:
                    found[name] = Column(vartype, setpoints[: len(look.voltage)])
        return found


@dataclass(frozen=True, slots=True)
class Steady:
    """One excitation throughout, sampled at the end of every interval."""

    outputs: Outputs
    own: Mapping[str, str]
    setpoint: float
    interval: Second
    rows: int

    def offsets(self, first: int, count: int) -> Floats:
        return _ends(first, count, self.interval)

    def measure(self, first: int, times: Floats) -> tuple[Look, dict[str, Column]]:  # noqa: ARG002
        look = self.outputs.unit.circuit.look(times)
        setpoints = np.full(len(look.voltage), self.setpoint)
        return look, self.outputs.columns(look, self.own, setpoints)

    def reversed_at(self, row: int) -> Sweep:  # noqa: ARG002
        return self


@dataclass(frozen=True, slots=True)
class Staircase:
    """Potentials one after the other, each held for an interval and sampled at its end.

    `turn` makes what follows a reversal at a row.
    """

    outputs: Outputs
    own: Mapping[str, str]
    setpoints: Floats
    interval: Second
    turn: Callable[[float, int], Floats] | None = None

    @property
    def rows(self) -> int:
        return len(self.setpoints)

    def offsets(self, first: int, count: int) -> Floats:
        return _ends(first, count, self.interval)

    def measure(self, first: int, times: Floats) -> tuple[Look, dict[str, Column]]:
        unit = self.outputs.unit
        setpoints = self.setpoints[first : first + len(times)]
        unit.settings.potential = float(setpoints[0])
        look = unit.circuit.sweep(unit.converter.source_voltage(setpoints), times)
        return look, self.outputs.columns(look, self.own, unit.converter.voltage_steps(setpoints))

    def reversed_at(self, row: int) -> Sweep:
        if self.turn is None or row >= self.rows:
            return self
        rest = self.turn(float(self.setpoints[row]), row)
        return Staircase(self.outputs, self.own, np.concatenate((self.setpoints[:row], rest)), self.interval)


@dataclass(frozen=True, slots=True)
class CurrentStaircase:
    """Currents one after the other; what the cell does under one decides the next, so row by row."""

    outputs: Outputs
    own: Mapping[str, str]
    setpoints: Floats
    interval: Second
    line: int

    @property
    def rows(self) -> int:
        return len(self.setpoints)

    def offsets(self, first: int, count: int) -> Floats:
        return _ends(first, count, self.interval)

    def measure(self, first: int, times: Floats) -> tuple[Look, dict[str, Column]]:
        unit = self.outputs.unit
        unit.drive_current(float(self.setpoints[first]), self.line)
        look = unit.circuit.look(times[:1])
        return look, self.outputs.columns(
            look, self.own, unit.current_steps(self.setpoints[first : first + 1])
        )

    def reversed_at(self, row: int) -> Sweep:  # noqa: ARG002
        return self


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Impedance at one frequency after the other, about the present direct excitation.

    Each takes three periods, at least a tenth of a second. The current range is that of the
    alternating and the direct current together.
    """

    unit: Unit
    names: Sequence[str]
    frequencies: Floats
    amplitude: float
    galvanostatic: bool
    acdc: Sequence[str]

    @property
    def rows(self) -> int:
        return len(self.frequencies)

    def offsets(self, first: int, count: int) -> Floats:
        return np.cumsum(np.maximum(_PERIODS / self.frequencies, _SHORTEST_POINT))[first : first + count]

    def measure(self, first: int, times: Floats) -> tuple[Look, dict[str, Column]]:
        unit, frequency = self.unit, self.frequencies[first : first + 1]
        look = unit.circuit.look(times[:1])
        true = complex(unit.circuit.cell.impedance(frequency)[0])
        direct = float(look.current[0])
        alternating = self.amplitude if self.galvanostatic else self.amplitude / max(abs(true), 1e-12)
        choice = unit.measuring_ranges()
        peak = abs(direct) + alternating * math.sqrt(2.0)
        needed = range_for(choice.ranges, peak / unit.device.warning)
        overloaded = not peak <= needed.nominal * unit.device.overload
        seen = unit.converter.read_impedance(true, unit.samples)
        status = np.array([OVERLOAD if overloaded else 0], np.uint8)
        current_range = np.array([needed.index], np.uint8)
        potential_range = np.array([unit.settings.potential_range], np.uint8)
        f, real, imaginary = self.names
        columns = {
            f: Column("dc", frequency),
            real: Column("cc", np.array([seen.real]), status, current_range),
            imaginary: Column("cd", np.array([seen.imag]), status, potential_range),
        }
        values = (alternating * abs(seen), float(look.voltage[0]), alternating, direct)
        for name, vartype, value in zip(self.acdc, ("ch", "ci", "cj", "ck"), values, strict=False):
            index = potential_range if vartype in {"ch", "ci"} else current_range
            columns[name] = Column(vartype, np.array([value]), status, index)
        return look, columns

    def reversed_at(self, row: int) -> Sweep:  # noqa: ARG002
        return self


def _ends(first: int, count: int, interval: Second) -> Floats:
    """The ends of intervals `first`..., in seconds."""
    return np.asarray(np.arange(first + 1, first + count + 1) * interval, np.float64)
