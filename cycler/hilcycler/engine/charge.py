"""The charge that a step passes, integrated from its samples as they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Ampere, Coulomb, Second


class Charge:
    """Trapezoids over (step time, current); signed, in coulombs.

    Before the first sample the current is taken as that of the first sample, after the last one as
    that of the last: exact for constant current.
    """

    def __init__(self) -> None:
        self.total: Coulomb = 0.0
        self.last_current: Ampere | None = None
        self._last_time: Second = 0.0

    def add(self, time: NDArray[np.float64], current: NDArray[np.float64]) -> None:
        """Count the samples of one block, in the order of time."""
        if not len(time):
            return
        before = float(current[0]) if self.last_current is None else self.last_current
        self.total += 0.5 * (before + float(current[0])) * (float(time[0]) - self._last_time)
        self.total += float(np.trapezoid(current, time))
        self._last_time, self.last_current = float(time[-1]), float(current[-1])

    def resume(self, time: Second, total: Coulomb) -> None:
        """Go on from `total` at step time `time`; what follows it unseen is not counted."""
        self._last_time, self.total = time, total

    def finish(self, elapsed: Second) -> Coulomb:
        """The total when the step ended `elapsed` after its start."""
        if self.last_current is not None:
            self.total += self.last_current * (elapsed - self._last_time)
            self._last_time = elapsed
        return self.total
