"""Data packages to what the engine takes, in columns; whatever does not fit the script is refused."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.channel import Impedance, Samples
from hilcycler.errors import WireError
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler_drivers.emstat.program import NUMBER, VOLTAGE, Program
from hilcycler_drivers.emstat.wire import Packages

_LATE: Final = 1.5
"""How much later than planned a sample may be. A package that was lost doubles a distance in time."""

_MEASURED: Final = frozenset({"ba", "cc", "cd"})
"""Variables that never come without status and range in what is known of the family's output."""

_SAME: Final = 0.01
"""How near a set current is to the one that was asked for, relative: much more than a converter's step."""

_COARSE: Final[Second] = 134_217.0
"""Beyond this the instrument writes whole seconds, and several samples may bear one time."""

_APART: Final[Second] = 1e-3
"""By which such samples are told apart, in their order."""


class Stream:
    """The measured data of one running step, by its own timer and numbers. Nothing may be missing or doubled.

    A number at the end of each package and a time at its beginning: what is spliced from two of them is
    recognised, and nothing of it is used. `adopted`: the stream began before we listened. `rows`: the
    number of the last package.
    """

    def __init__(self, program: Program, *, adopted: bool = False) -> None:
        self._program = program
        self.rows = 0
        self._sent = program.rows
        self._adopted = adopted
        self._measured: dict[tuple[str, ...], tuple[bool, ...]] = {}
        self.last_time: Second = 0.0
        self.last_voltage: Volt = math.nan
        self.last_current: Ampere = math.nan

    def take(self, packages: Packages) -> list[Samples] | list[Impedance]:
        """WireError if the packages are not those of this program, or some are lost or doubled."""
        if packages.vartypes == (NUMBER,) and self._sent is None and len(packages) == 1:
            self.sent(float(packages.values[0, 0]))
            return []
        self._check_columns(packages)
        if self._sent is not None and self._program.rows is None:
            raise WireError("data packages come after the number of them")
        self._check_numbers(packages.values[:, -1])
        times = packages.values[:, 0]
        self._check_times(times)
        self.rows = int(packages.values[-1, -1])
        if self._program.columns[1] != VOLTAGE:
            self.last_time = float(times[-1])
            return _spectrum(packages)
        apart = tell_apart(times, self.last_time if self.rows > len(times) else -1.0)
        self.last_time = float(apart[-1])
        return [self._samples(packages, apart)]

    def sent(self, rows: float) -> None:
        """The script says that it has sent `rows` packages. Written so that NaN is refused."""
        if not rows == self.rows:
            raise WireError(f"{self.rows} data packages came instead of {rows:g}")
        self._sent = self.rows

    def finish(self, elapsed: Second | None) -> Second:
        """How long the step lasted, `elapsed` if known; WireError if packages are missing."""
        program = self._program
        if self._sent is None:
            raise WireError("the script ended without saying how many data packages it sent")
        if self.rows != self._sent:
            raise WireError(f"{self.rows} data packages came instead of {self._sent}")
        if elapsed is None:
            return self.last_time
        if program.interval is not None and not abs(elapsed - self.last_time) <= _LATE * program.interval:
            raise WireError(f"the data end at {self.last_time:g} s, the step at {elapsed:g} s")
        return elapsed

    def _check_columns(self, packages: Packages) -> None:
        expected = (*self._program.columns, {NUMBER})
        fits = len(packages.vartypes) == len(expected) and all(
            vartype in allowed for vartype, allowed in zip(packages.vartypes, expected, strict=True)
        )
        if not fits:
            raise WireError(f"a data package of {', '.join(packages.vartypes)} does not belong to this step")
        measured = self._measured.setdefault(packages.vartypes, packages.measured)
        bare = [v for v, told in zip(packages.vartypes, packages.measured, strict=True) if not told]
        if packages.measured != measured or not _MEASURED.isdisjoint(bare):
            # A line that was cut short between its metadata is a package all the same.
            raise WireError(f"status or range of {', '.join(bare)} is missing from a data package")

    def _check_numbers(self, numbers: NDArray[np.float64]) -> None:
        """Written so that NaN is refused."""
        first = self.rows + 1
        if self._adopted and not self.rows and numbers[0] >= 1.0:
            first = int(numbers[0])
        expected = np.arange(first, first + len(numbers))
        if not (numbers == expected).all():
            at = int(np.argmin(numbers == expected))
            raise WireError(
                f"data packages are lost or out of order: number {numbers[at]:g} where {expected[at]} was to come"
            )

    def _check_times(self, times: NDArray[np.float64]) -> None:
        """Written so that NaN is refused."""
        before = np.concatenate(([self.last_time], times[:-1]))
        fits = (times > before) | (times >= _COARSE) & (times > before - 1.0)
        fits &= times - before <= _LATE * self._program.silence
        if self.rows == 0:
            # The first sample is always sent, and may be taken at once.
            interval = self._program.interval or self._program.silence
            fits[0] = times[0] >= 0.0 and (self._adopted or times[0] <= _LATE * interval)
        if not fits.all():
            at = int(np.argmin(fits))
            raise WireError(
                f"data packages are lost or out of order: {times[at]:g} s follows upon {before[at]:g} s"
            )

    def _check_set(self, current: NDArray[np.float64]) -> None:
        """That a current which was set is the one that was asked for. Written so that NaN is refused."""
        asked = getattr(self._program.step, "current", 0.0)
        fits = np.abs(current - asked) <= _SAME * abs(asked)
        if not fits.all():
            at = int(np.argmin(fits))
            raise WireError(f"the instrument says that it was set to {current[at]:g} A; it was {asked:g} A")

    def _samples(self, packages: Packages, times: NDArray[np.float64]) -> Samples:
        n, k = len(packages), len(self._program.columns)
        voltage = packages.values[:, 1].copy()
        current, ranges = np.zeros(n), np.zeros(n, np.uint8)
        if k > 2:
            current = packages.values[:, 2].copy()
            if packages.measured[2]:
                ranges = packages.ranges[:, 2].copy()
            else:  # a set current: in the range that was set
                self._check_set(current)
                ranges[:] = self._program.current_range
        self.last_voltage, self.last_current = float(voltage[-1]), float(current[-1])
        return Samples(
            {
                "step_time": times,
                "voltage": voltage,
                "current": current,
                "range": ranges,
                "status": np.bitwise_or.reduce(packages.status, axis=1),
            }
        )


def tell_apart(times: NDArray[np.float64], last: Second) -> NDArray[np.float64]:
    """Strictly increasing, where whole seconds were written for less; `last` is the time before them."""
    if times[-1] < _COARSE:
        return times.copy()
    apart = times.tolist()
    for row, time in enumerate(apart):
        last = apart[row] = max(time, last + _APART)
    return np.array(apart)


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
