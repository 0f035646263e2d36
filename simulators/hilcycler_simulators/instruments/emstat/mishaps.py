"""Faults inside a simulated EmStat: built into its cell, its converter and its firmware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler.quantities import Ampere, Kelvin, Second, Volt
from hilcycler_drivers.emstat.wire.devices import DEVICES, Device
from hilcycler_simulators.cells.terminals import Course, SimulatedCell
from hilcycler_simulators.faults import (
    Deaf,
    FirmwareError,
    InstrumentFault,
    NotANumber,
    OpenLead,
    Overload,
    Reboot,
    StuckOutput,
    StuckReading,
    WrongModel,
)
from hilcycler_simulators.instruments.emstat.converter import (
    OVERLOAD,
    Floats,
    Reading,
    Samples,
)
from hilcycler_simulators.instruments.emstat.firmware import EmStat
from hilcycler_simulators.instruments.emstat.unit import Unit

_BEYOND: Volt = 1e3
"""What a galvanostat would need to drive its current through air: more than it has."""


def build(
    cell: SimulatedCell, device: Device, seed: int, pace: float | None, faults: Sequence[InstrumentFault]
) -> EmStat:
    """An instrument with `faults` on `cell`."""
    off = [fault.time for fault in faults if isinstance(fault, OpenLead)]
    unit = Unit.of(device, LeadOff(cell, min(off)) if off else cell, seed)
    firmware = EmStat(unit, pace)
    for fault in faults:
        match fault:
            case FirmwareError(at, code):
                firmware.mishaps.plan(at, _failing(firmware, code))
            case Reboot(at, seconds):
                firmware.mishaps.plan(at, _rebooting(firmware, seconds))
            case Deaf(seconds):
                firmware.deaf_for = seconds
            case WrongModel(code):
                firmware.announced = DEVICES[code]
            case NotANumber():
                unit.converter.spoilers.append(_Absent(fault))
            case StuckReading():
                unit.converter.spoilers.append(_Stuck(fault))
            case Overload():
                unit.converter.spoilers.append(_Overloaded(fault))
            case StuckOutput():
                unit.stuck_output = True
            case OpenLead():
                pass
            case _:
                assert_never(fault)
    return firmware


def _failing(firmware: EmStat, code: int) -> Callable[[Second], None]:
    return lambda now: firmware.fail(code, now)


def _rebooting(firmware: EmStat, seconds: Second) -> Callable[[Second], None]:
    return lambda now: firmware.cut_power(now + seconds)


# --- the converter --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Absent:
    fault: NotANumber

    def __call__(self, samples: Samples, reading: Reading) -> Reading:
        numbers = samples.first + np.arange(len(reading.values))
        lost = (numbers >= self.fault.sample) & (numbers < self.fault.sample + self.fault.count)
        return replace(reading, values=np.where(lost, np.nan, reading.values))


@dataclass(frozen=True, slots=True)
class _Overloaded:
    fault: Overload

    def __call__(self, samples: Samples, reading: Reading) -> Reading:
        after = samples.first + np.arange(len(reading.values)) >= self.fault.sample
        ends = np.copysign(samples.full_scale, reading.values)
        status = np.where(after, OVERLOAD, reading.status).astype(np.uint8)
        return replace(reading, values=np.where(after, ends, reading.values), status=status)


@dataclass(frozen=True, slots=True)
class _Stuck:
    """Repeats the sample before the fault; its own first one, if it never saw that."""

    fault: StuckReading
    last: dict[str, float] = field(default_factory=dict)

    def __call__(self, samples: Samples, reading: Reading) -> Reading:
        row = self.fault.sample - 1 - samples.first
        if 0 <= row < len(reading.values):
            self.last[samples.quantity] = float(reading.values[row])
        if row >= len(reading.values) - 1:
            return reading
        value = self.last.setdefault(samples.quantity, float(reading.values[0]))
        after = np.arange(len(reading.values)) > row
        return replace(reading, values=np.where(after, value, reading.values))


# --- the cell -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cut:
    """A course of which the cell sees only the first `attached` seconds; then it rests."""

    cell: LeadOff
    voltage: Floats
    current: Floats
    course: Course
    attached: Second

    def commit(self, until: Second) -> None:
        self.course.commit(min(until, self.attached))
        if until > self.attached:
            alone = until - self.attached
            self.cell.inner.galvanostatic(0.0, np.array([alone])).commit(alone)
        self.cell.clock += until


@dataclass(slots=True)
class LeadOff:
    """A cell whose lead comes off at `time`: no current flows any more, whatever is applied."""

    inner: SimulatedCell
    time: Second
    clock: Second = 0.0

    @property
    def label(self) -> Cell:
        return self.inner.label

    @property
    def truth(self) -> dict[str, Any]:
        return self.inner.truth

    @property
    def temperature(self) -> Kelvin:
        return self.inner.temperature

    @temperature.setter
    def temperature(self, value: Kelvin) -> None:
        self.inner.temperature = value

    def galvanostatic(self, current: Ampere, times: Floats) -> Course:
        course = self.inner.galvanostatic(current, times)
        on, attached = self._on(times)
        # An input that hangs in the air is drawn to zero; with a current it is driven to its end.
        needed = np.copysign(_BEYOND, current) if current else 0.0
        return _Cut(
            self, np.where(on, course.voltage, needed), np.where(on, course.current, 0.0), course, attached
        )

    def potentiostatic(self, voltage: Floats, times: Floats) -> Course:
        course = self.inner.potentiostatic(voltage, times)
        on, attached = self._on(times)
        return _Cut(self, course.voltage, np.where(on, course.current, 0.0), course, attached)

    def crossing(self, current: Ampere, limit: Volt, horizon: Second) -> Second | None:
        found = self.inner.crossing(current, limit, horizon)
        return found if found is not None and found <= self.time - self.clock else None

    def impedance(self, frequencies: Floats) -> NDArray[np.complex128]:
        if self.clock >= self.time:
            return np.full(len(frequencies), 1e12, np.complex128)
        return self.inner.impedance(frequencies)

    def _on(self, times: Floats) -> tuple[NDArray[np.bool_], Second]:
        """At which instants the lead is still on, and how long it will be."""
        attached = max(0.0, self.time - self.clock)
        return times <= attached, attached
