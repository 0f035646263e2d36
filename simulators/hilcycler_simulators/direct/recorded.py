"""What is recorded, as it would read after the wire, in blocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hilcycler.channel import Measured
from hilcycler_drivers.emstat.measured import Stream
from hilcycler_drivers.emstat.program import NUMBER, Program
from hilcycler_drivers.emstat.wire import Packages
from hilcycler_drivers.emstat.wire.packages import quantise
from hilcycler_simulators.instruments.emstat.body import Column
from hilcycler_simulators.instruments.emstat.converter import Floats
from hilcycler_simulators.instruments.emstat.runner import WINDOW

Columns = Mapping[str, Column]
Rows = NDArray[np.intp]


class Recorded:
    """The data of one step. `measured` grows by what `stream` makes of it."""

    def __init__(self, program: Program) -> None:
        self.stream = Stream(program)
        self.measured: list[Measured] = []
        fields = len(program.columns)
        self._names = ("f", "r", "z") if fields == 4 else ("u", "i")[: fields - 1]
        self._last: tuple[Floats, Columns, int] | None = None
        self._pending: list[Packages] = []
        self._rows = self._so_far = 0

    def remember(self, timer: Floats, columns: Columns, row: int) -> None:
        """The last sample, which is recorded at the end if it was not."""
        self._last = timer, columns, row

    @property
    def time(self) -> float:
        """Of the last sample."""
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
        taken = [columns[name] for name in self._names]
        shape = len(chosen), len(taken) + 2
        values = np.empty(shape)
        status, ranges = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        values[:, 0] = timer[chosen]
        values[:, -1] = np.arange(self._so_far + 1, self._so_far + len(chosen) + 1)
        self._so_far += len(chosen)
        for at, column in enumerate(taken, start=1):
            values[:, at] = column.values[chosen]
            if column.status is not None and column.ranges is not None:
                status[:, at], ranges[:, at] = column.status[chosen], column.ranges[chosen]
        vartypes = ("eb", *(column.vartype for column in taken), NUMBER)
        measured = (False, *(column.measured for column in taken), False)
        if self._pending and self._pending[0].measured != measured:
            self.deliver()  # a current that was set, then one that is measured
        self._pending.append(Packages(vartypes, measured, values, status, ranges))
        self._rows += len(chosen)
        if self._rows > WINDOW:
            self.deliver()

    def deliver(self) -> None:
        """Hand on what was recorded and not yet handed on, as one block."""
        pending, self._pending, self._rows = self._pending, [], 0
        if not pending:
            return
        first = pending[0]
        values, status, ranges = first.values, first.status, first.ranges
        if len(pending) > 1:
            values = np.concatenate([each.values for each in pending])
            status = np.concatenate([each.status for each in pending])
            ranges = np.concatenate([each.ranges for each in pending])
        packages = Packages(first.vartypes, first.measured, quantise(values), status, ranges)
        self.measured += self.stream.take(packages)
