"""The latest samples of a run as growing columns: what the plots against time are drawn from."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Second
from hilcycler.records import SampleBlock

CAPACITY: Final = 500_000
"""Samples kept; about 12 MB. Beyond, the oldest quarter is forgotten: the file has it."""

_COLUMNS: Final = ("test_time", "voltage", "current")


class Trace:
    """Test time, voltage and current, oldest first, and where each cycle begins."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._rows = np.empty((len(_COLUMNS), 1024))
        self._capacity = capacity
        self._length = 0
        self._forgotten = 0
        self._cycles: list[tuple[int, int]] = []  # (cycle, first row, counted from the first ever)

    def __len__(self) -> int:
        return self._length

    def add(self, block: SampleBlock) -> None:
        count = len(block)
        if not self._cycles or self._cycles[-1][0] != block.cycle:
            self._cycles.append((block.cycle, self._forgotten + self._length))
        self._make_room(count)
        for row, name in enumerate(_COLUMNS):
            self._rows[row, self._length : self._length + count] = block.columns[name]
        self._length += count

    def cut(self, after: Second = math.inf) -> None:
        """Break the line after the last sample up to test time `after`: the next one is no continuation."""
        time = self._rows[0, : self._length]
        later = np.flatnonzero(time > after)
        at = int(later[0]) if len(later) else self._length
        if at and not np.isnan(self._rows[0, at - 1]):
            forgotten = self._forgotten
            self._make_room(1)
            at = max(at - (self._forgotten - forgotten), 0)
            self._rows[:, at + 1 : self._length + 1] = self._rows[:, at : self._length].copy()
            self._rows[:, at] = np.nan
            self._length += 1

    def last_cycles(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Test time, voltage and current since the beginning of the last `count` cycles."""
        begin = self._cycles[-count][1] if len(self._cycles) >= count else 0
        rows = self._rows[:, max(begin - self._forgotten, 0) : self._length].copy()
        return rows[0], rows[1], rows[2]

    def _make_room(self, count: int) -> None:
        if self._length + count <= self._rows.shape[1]:
            return
        if self._length + count > self._capacity:
            self._forget(max(self._length // 4, self._length + count - self._capacity))
        wanted = self._length + count
        if wanted > self._rows.shape[1]:
            grown = np.empty((len(_COLUMNS), max(wanted, min(2 * self._rows.shape[1], self._capacity))))
            grown[:, : self._length] = self._rows[:, : self._length]
            self._rows = grown

    def _forget(self, count: int) -> None:
        count = min(count, self._length)
        self._rows[:, : self._length - count] = self._rows[:, count : self._length].copy()
        self._length -= count
        self._forgotten += count
        first = max((at for at, (_, row) in enumerate(self._cycles) if row <= self._forgotten), default=0)
        del self._cycles[:first]
