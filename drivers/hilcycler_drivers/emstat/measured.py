"""Data packages to what the engine takes, in columns; whatever does not fit the script is refused."""

from __future__ import annotations

import numpy as np

from hilcycler.channel import Impedance, Samples
from hilcycler.errors import WireError
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler_drivers.emstat.program import VOLTAGE, Program
from hilcycler_drivers.emstat.wire import Packages


class Stream:
    """The measured data of one running step, in the order of its own timer."""

    def __init__(self, program: Program) -> None:
        self._columns = program.columns
        self._current_range = program.current_range
        self.last_time: Second = 0.0
        self.last_voltage: Volt = float("nan")
        self.last_current: Ampere = float("nan")

    def take(self, packages: Packages) -> list[Samples] | list[Impedance]:
        """WireError if the packages are not those of this program, or their time runs backwards."""
        self._check(packages)
        time = packages.values[:, 0]
        self.last_time = float(time[-1])
        return [self._samples(packages)] if self._columns[1] == VOLTAGE else _spectrum(packages)

    def _check(self, packages: Packages) -> None:
        fits = len(packages.vartypes) == len(self._columns) and all(
            vartype in allowed for vartype, allowed in zip(packages.vartypes, self._columns, strict=True)
        )
        if not fits:
            raise WireError(f"a data package of {', '.join(packages.vartypes)} does not belong to this step")
        time = packages.values[:, 0]
        # Written so that NaN is refused.
        if not (time[0] >= self.last_time and bool((np.diff(time) >= 0.0).all())):
            raise WireError(
                f"the instrument's time does not run forward: {time[0]:g} s after {self.last_time:g} s"
            )

    def _samples(self, packages: Packages) -> Samples:
        n, k = packages.values.shape
        voltage = packages.values[:, 1].copy()
        current, ranges = np.zeros(n), np.zeros(n, np.uint8)
        if k > 2:
            current = packages.values[:, 2].copy()
            if packages.measured[2]:
                ranges = packages.ranges[:, 2].copy()
            else:  # a set current: in the range that was set
                ranges[:] = self._current_range
        self.last_voltage, self.last_current = float(voltage[-1]), float(current[-1])
        return Samples(
            {
                "step_time": packages.values[:, 0].copy(),
                "voltage": voltage,
                "current": current,
                "range": ranges,
                "status": np.bitwise_or.reduce(packages.status, axis=1),
            }
        )


def _spectrum(packages: Packages) -> list[Impedance]:
    """One point a package; the real part carries the current's range, the imaginary the voltage's."""
    return [
        Impedance(
            step_time=float(values[0]),
            frequency=float(values[1]),
            real=float(values[2]),
            imaginary=float(values[3]),
            current_range=int(ranges[2]),
            voltage_range=int(ranges[3]),
            status=int(status[2] | status[3]),
        )
        for values, ranges, status in zip(packages.values, packages.ranges, packages.status, strict=True)
    ]
