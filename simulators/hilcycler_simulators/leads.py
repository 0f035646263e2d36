"""The leads between an instrument and a cell: their resistance, their contacts and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler.quantities import Ampere, Kelvin, Ohm, Second, Volt
from hilcycler_simulators.cells.terminals import Course, SimulatedCell
from hilcycler_simulators.cells.wiener import WienerCell

Floats = NDArray[np.float64]

_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Fault(StrEnum):
    """What may be wrong with a connection."""

    NONE = "none"
    FORCE_OPEN = "the force lead has no contact: no current flows, the source runs to its compliance"
    SENSE_OPEN = "the sense lead has no contact: 0 V is read while the current flows"
    REVERSED = "plus and minus are exchanged"


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact that comes and goes: in each `every` seconds, with `probability`, one that adds `ohm`.

    Whether it does is a function of seed and time, not of when one looks.
    """

    probability: float = 0.0
    ohm: Ohm = 1.0
    every: Second = 1.0
    seed: int = 0

    def added(self, clock: Floats) -> Floats:
        """Ohm at these instants of the cell's clock; exponentially distributed where it is bad."""
        if self.probability == 0.0:
            return np.zeros_like(clock)
        bins = np.floor(clock / self.every).astype(np.int64).astype(np.uint64)
        chance, size = _uniform(bins, self.seed), _uniform(bins, self.seed + 1)
        return np.where(chance < self.probability, -self.ohm * np.log1p(-size), 0.0)


@dataclass(frozen=True, slots=True)
class Wire:
    """How an instrument is connected: `sensed` ohm lie within the voltage it reads (two-wire)."""

    sensed: Ohm = 0.0
    contact: Contact = Contact()
    fault: Fault = Fault.NONE
    compliance: Volt = 20.0


def _uniform(numbers: NDArray[np.uint64], seed: int) -> Floats:
    """Evenly distributed in [0, 1), a function of number and seed alone (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = numbers * _MIX[0] + np.uint64(seed % 2**63) * _MIX[2] + _MIX[0]
        z = (z ^ (z >> np.uint64(30))) * _MIX[1]
        z = (z ^ (z >> np.uint64(27))) * _MIX[2]
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Leads(SimulatedCell):
    """A cell seen through leads. `wire` may be changed at any time: a fault comes and goes with it."""

    def __init__(self, cell: WienerCell, wire: Wire = Wire()) -> None:
        self.cell = cell
        self.wire = wire

    @property
    def label(self) -> Cell:
        return self.cell.label

    @property
    def truth(self) -> dict[str, Any]:
        return {**self.cell.truth, "leads_ohm": self.wire.sensed, "contact": str(self.wire.fault)}

    @property
    def temperature(self) -> Kelvin:
        return self.cell.temperature

    @temperature.setter
    def temperature(self, value: Kelvin) -> None:
        self.cell.temperature = value

    @property
    def _sign(self) -> float:
        return -1.0 if self.wire.fault is Fault.REVERSED else 1.0

    def galvanostatic(self, current: Ampere, times: Floats) -> Course:
        wire, times = self.wire, np.asarray(times, dtype=np.float64)
        if wire.fault is Fault.FORCE_OPEN and current != 0.0:
            course = self.cell.galvanostatic(0.0, times)
            return _Seen(course, np.full(len(times), np.copysign(wire.compliance, current)), course.current)
        course = self.cell.galvanostatic(self._sign * current, times, wire.sensed)
        if wire.fault is Fault.SENSE_OPEN:
            return _Seen(course, np.zeros(len(times)), course.current)
        noise = current * wire.contact.added(self.cell.clock + times)
        return _Seen(course, self._sign * course.voltage + noise, self._sign * course.current)

    def potentiostatic(self, voltage: Floats, times: Floats) -> Course:
        wire, voltage = self.wire, np.asarray(voltage, dtype=np.float64)
        if wire.fault is Fault.FORCE_OPEN:
            course = self.cell.galvanostatic(0.0, times)
            return _Seen(course, np.copysign(wire.compliance, voltage), course.current)
        if wire.fault is Fault.SENSE_OPEN:  # the loop sees 0 V and turns up what it can
            rail = np.where(voltage == 0.0, 0.0, np.copysign(wire.compliance, voltage))
            course = self.cell.potentiostatic(rail, times, wire.sensed)
            return _Seen(course, np.zeros(len(times)), course.current)
        course = self.cell.potentiostatic(self._sign * voltage, times, wire.sensed)
        return _Seen(course, self._sign * course.voltage, self._sign * course.current)

    def crossing(self, current: Ampere, limit: Volt, horizon: Second) -> Second | None:
        match self.wire.fault:
            case Fault.FORCE_OPEN:
                beyond = current != 0.0 and abs(limit) <= self.wire.compliance and limit * current > 0.0
                return 0.0 if beyond else None
            case Fault.SENSE_OPEN:
                return 0.0 if limit == 0.0 else None
            case Fault.NONE | Fault.REVERSED:
                return self.cell.crossing(self._sign * current, self._sign * limit, horizon, self.wire.sensed)

    def impedance(self, frequencies: Floats) -> NDArray[np.complex128]:
        if self.wire.fault in {Fault.FORCE_OPEN, Fault.SENSE_OPEN}:
            return np.full(len(frequencies), 1e9 + 0j)
        return self.cell.impedance(frequencies, self.wire.sensed)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen(Course):
    """A course of the cell as the instrument sees it through the leads."""

    course: Course
    _voltage: Floats
    _current: Floats

    @property
    def voltage(self) -> Floats:
        return self._voltage

    @property
    def current(self) -> Floats:
        return self._current

    def commit(self, until: Second) -> None:
        self.course.commit(until)
