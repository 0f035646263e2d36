"""What is recorded, as it would read after the wire, in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilcycler.channel import Impedance, Measured, Samples
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler_drivers.emstat.measured import tell_apart
from hilcycler_drivers.emstat.program import Program
from hilcycler_drivers.emstat.wire.packages import quantise
from hilcycler_simulators.instruments.emstat.body import Column
from hilcycler_simulators.instruments.emstat.converter import Bytes, Floats
from hilcycler_simulators.instruments.emstat.runner import WINDOW

Columns = Mapping[str, Column]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Samples before they are quantised. `measured`: current and its ranges, where it was not `setpoint`."""

    time: Floats
    voltage: Floats
    status: Bytes
    setpoint: Ampere = 0.0
    measured: tuple[Floats, Bytes] | None = None


class Recorded:
    """The data of one step: what a driver makes of the packages, none of which is lost here.

    `measured` grows by blocks; the `last_...` are of the last sample that was delivered.
    """

    def __init__(self, program: Program) -> None:
        self.measured: list[Measured] = []
        self.last_time: Second = 0.0
        self.last_voltage: Volt = 0.0
        self.last_current: Ampere = 0.0
        self._program = program
        self._last: tuple[Floats, Columns, int] | None = None
        self._pending: list[_Chunk] = []
        self._rows = 0

    def remember(self, timer: Floats, columns: Columns, row: int) -> None:
        """The last sample, which is recorded at the end if it was not."""
        self._last = timer, columns, row

    @property
    def time(self) -> Second:
        """Of the last sample, recorded or not."""
        return 0.0 if self._last is None else float(self._last[0][self._last[2]])

    def put_last(self) -> None:
        """Record the last sample."""
        if self._last is not None:
            timer, columns, row = self._last
            self.put(timer, columns, np.array([row]))

    def put(self, timer: Floats, columns: Columns, chosen: Rows) -> None:
        """Record the `chosen` samples."""
        if not len(chosen):
            return
        voltage, current = columns["u"], columns.get("i")
        assert voltage.status is not None, "a voltage is measured"
        time, volts, status = timer[chosen], voltage.values[chosen], voltage.status[chosen]
        if current is None:
            chunk = _Chunk(time, volts, status)
        elif current.status is None or current.ranges is None:
            chunk = _Chunk(time, volts, status, setpoint=float(current.values[chosen[0]]))
        else:
            measured = current.values[chosen], current.ranges[chosen]
            chunk = _Chunk(time, volts, status | current.status[chosen], measured=measured)
        if self._pending and (self._pending[0].measured is None) != (chunk.measured is None):
            self.deliver()  # a current that was set, then one that is measured
        self._pending.append(chunk)
        self._rows += len(chosen)
        if self._rows > WINDOW:
            self.deliver()

    def put_point(self, time: Second, columns: Columns) -> None:
        """Record one point of a spectrum."""
        found = [columns[name] for name in ("f", "r", "z")]
        values = quantise(np.array([time, *(float(each.values[0]) for each in found)])).tolist()
        self.last_time = values[0]
        status, ranges = ([0 if each is None else int(each[0]) for each in these] for these in (
            [each.status for each in found[1:]], [each.ranges for each in found[1:]]
        ))  # fmt: skip
        self.measured.append(
            Impedance(
                step_time=values[0],
                frequency=values[1],
                real=values[2],
                imaginary=values[3],
                current_range=ranges[0],
                voltage_range=ranges[1],
                status=status[0] | status[1],
            )
        )

    def deliver(self) -> None:
        """Hand on what was recorded and not yet handed on, as one block."""
        pending, self._pending, self._rows = self._pending, [], 0
        if not pending:
            return
        status = _joined([each.status for each in pending])
        measured = [each.measured for each in pending if each.measured is not None]
        rows, program = len(status), self._program
        amperes = [each for each, _ in measured] or [np.array([pending[0].setpoint])]
        wide = quantise(
            np.concatenate([*(each.time for each in pending), *(each.voltage for each in pending), *amperes])
        )
        step_time = tell_apart(wide[:rows], self.last_time if self.measured else -1.0)
        if measured:
            current, ranges = wide[2 * rows :], _joined([each for _, each in measured])
        else:
            current, ranges = np.full(rows, wide[-1]), np.full(rows, program.current_range, np.uint8)
        self.last_time = float(step_time[-1])
        self.last_voltage, self.last_current = float(wide[2 * rows - 1]), float(current[-1])
        self.measured.append(
            Samples(
                {
                    "step_time": step_time,
                    "voltage": wide[rows : 2 * rows],
                    "current": current,
                    "range": ranges,
                    "status": status,
                }
            )
        )


def _joined(parts: list[Bytes]) -> Bytes:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
