"""One instrument's hardware as its firmware sees it: settings, ranges, the cell, the sample counter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hilcycler.quantities import Ampere, Second, Volt
from hilcycler_drivers.emstat.wire.devices import Device, Range
from hilcycler_simulators.cells.terminals import SimulatedCell
from hilcycler_simulators.instruments.emstat.body import Column
from hilcycler_simulators.instruments.emstat.circuit import Circuit, Current, Drive, Look, Open, Potential
from hilcycler_simulators.instruments.emstat.converter import (
    OVERLOAD,
    Converter,
    CurrentChoice,
    Floats,
    range_for,
)
from hilcycler_simulators.instruments.emstat.values import Failure

POTENTIAL_NOT_VALID: Final = 0x000F
UNKNOWN_MODE: Final = 0x0021
INVALID_FOR_MODE: Final = 0x0023
OUT_OF_BOUNDS: Final = 0x4205
BAD_VARTYPE: Final = 0x4209

OFF, LOW_SPEED, HIGH_SPEED, MAX_RANGE, GALVANOSTAT = 0, 2, 3, 4, 6
_POTENTIOSTAT: Final = frozenset({LOW_SPEED, HIGH_SPEED, MAX_RANGE})


@dataclass(slots=True)
class Settings:
    """What scripts set; power-up values. Kept from one script to the next."""

    mode: int = OFF
    potential: Volt = 0.0
    current: Ampere = 0.0
    measuring: CurrentChoice | None = None
    source: Range | None = None
    potential_range: int = 0


@dataclass(slots=True)
class Unit:
    """The hardware. `samples` numbers the measurements since power-up, which numbers their noise.

    `stuck_output`: the relay no longer opens. `frozen`: the converter repeats its last reading.
    """

    device: Device
    converter: Converter
    circuit: Circuit
    settings: Settings = field(default_factory=Settings)
    samples: int = 0
    timer_origin: Second = 0.0
    stuck_output: bool = False

    @classmethod
    def of(cls, device: Device, cell: SimulatedCell, seed: int) -> Unit:
        return cls(device, Converter(device, seed), Circuit(cell, device.voltage))

    # --- output

    @property
    def cell_is_on(self) -> bool:
        return not isinstance(self.circuit.drive, Open)

    def power_up(self) -> None:
        """As after a loss of power: all settings forgotten, the cell off."""
        self.settings = Settings()
        self.cell_off()

    def set_mode(self, mode: int, line: int) -> None:
        """Choose between potentiostat and galvanostat. A change disconnects the cell."""
        known = {OFF, *_POTENTIOSTAT, *((GALVANOSTAT,) if self.device.galvanostat else ())}
        if mode not in known:
            raise Failure(UNKNOWN_MODE, line)
        if mode != self.settings.mode:
            self.settings.mode = mode
            self.cell_off()

    def cell_on(self, line: int) -> None:
        match self.settings.mode:
            case 6:
                self.drive_current(self.settings.current, line)
            case mode if mode in _POTENTIOSTAT:
                self.drive_potential(self.settings.potential, line)
            case _:
                raise Failure(INVALID_FOR_MODE, line)

    def cell_off(self) -> None:
        if not self.stuck_output:
            self.circuit.drive = Open()

    def set_potential(self, volts: Volt, line: int) -> None:
        self._check_potential(volts, line)
        self.settings.potential = volts
        if isinstance(self.circuit.drive, Potential):
            self.drive_potential(volts, line)

    def set_current(self, amperes: Ampere, line: int) -> None:
        self._check_current(amperes, line)
        self.settings.current = amperes
        if isinstance(self.circuit.drive, Current):
            self.drive_current(amperes, line)

    def drive_potential(self, volts: Volt, line: int) -> None:
        self._need_mode(_POTENTIOSTAT, line)
        self._check_potential(volts, line)
        self.settings.potential = volts
        self._drive(Potential(float(self.converter.source_voltage(np.array([volts]))[0])))

    def drive_current(self, amperes: Ampere, line: int) -> None:
        self._need_mode({GALVANOSTAT}, line)
        self._check_current(amperes, line)
        self.settings.current = amperes
        self._drive(Current(self.converter.source_current(amperes, self.source_range(amperes))))

    def _drive(self, drive: Drive) -> None:
        self.circuit.drive = drive

    def _need_mode(self, modes: frozenset[int] | set[int], line: int) -> None:
        if self.settings.mode not in modes:
            raise Failure(INVALID_FOR_MODE, line)

    def _check_potential(self, volts: Volt, line: int) -> None:
        lowest, highest = self.device.voltage
        if not lowest <= volts <= highest:
            raise Failure(POTENTIAL_NOT_VALID, line)

    def _check_current(self, amperes: Ampere, line: int) -> None:
        limit = self.device.max_current
        if self.settings.source is not None:
            limit = min(limit, self.device.overload * self.settings.source.nominal)
        if not abs(amperes) <= limit:
            raise Failure(OUT_OF_BOUNDS, line)

    # --- ranges

    def set_range(self, vartype: str, lowest: float, highest: float, line: int) -> None:
        """From the smallest range that holds `lowest` up to that which holds `highest`."""
        match vartype:
            case "ba" | "bb":
                self.settings.measuring = _choice(self.device.current_ranges, lowest, highest)
            case "db":
                self.settings.source = range_for(self.device.set_current_ranges, highest)
            case "ab" | "da":
                if self.device.potential_ranges:
                    self.settings.potential_range = range_for(self.device.potential_ranges, highest).index
            case _:
                raise Failure(BAD_VARTYPE, line)

    def source_range(self, amperes: Ampere) -> Range:
        return self.settings.source or range_for(self.device.set_current_ranges, amperes)

    def measuring_ranges(self) -> CurrentChoice:
        """Those that may measure now: the galvanostat measures in the range it drives with."""
        if self.settings.mode == GALVANOSTAT:
            return CurrentChoice((self.source_range(self.settings.current),))
        return self.settings.measuring or CurrentChoice((self.device.current_ranges[-1],))

    # --- readings

    def current_steps(self, amperes: Floats) -> Floats:
        """The nearest currents that can be set."""
        return self.converter.current_steps(amperes, self.source_range(float(np.abs(amperes).max())))

    def voltage_column(self, look: Look) -> Column:
        reading = self.converter.read_voltage(look.voltage, self.samples, self.settings.potential_range)
        status = reading.status | np.uint8(OVERLOAD * look.saturated)
        return Column("ab", reading.values, status, reading.ranges)

    def current_column(self, look: Look) -> Column:
        reading = self.converter.read_current(look.current, self.samples, self.measuring_ranges())
        return Column("ba", reading.values, reading.status, reading.ranges)


def _choice(ranges: tuple[Range, ...], lowest: float, highest: float) -> CurrentChoice:
    smallest, largest = range_for(ranges, lowest), range_for(ranges, highest)
    return CurrentChoice(
        tuple(
            sorted(
                (r for r in ranges if smallest.nominal <= r.nominal <= largest.nominal),
                key=lambda r: r.nominal,
            )
        )
    )
