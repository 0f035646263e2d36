"""The spectra of a run as they arrive: the first, the one before, and the one that is coming in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilcycler.records import ImpedancePoint

KEPT = 3


@dataclass(slots=True)
class Spectrum:
    """Impedance, in the order in which it was measured."""

    step_count: int
    cycle: int
    points: list[complex] = field(default_factory=list)

    @property
    def impedance(self) -> NDArray[np.complex128]:
        return np.array(self.points, dtype=np.complex128)


class Spectra:
    """The first spectrum stays for comparison; of the others the last two are kept."""

    def __init__(self) -> None:
        self._kept: list[Spectrum] = []

    def add(self, point: ImpedancePoint, cycle: int) -> None:
        if not self._kept or self._kept[-1].step_count != point.step_count:
            self._kept.append(Spectrum(point.step_count, cycle))
            if len(self._kept) > KEPT:
                del self._kept[1]
        self._kept[-1].points.append(complex(point.real, point.imaginary))

    def kept(self) -> Sequence[Spectrum]:
        """Oldest first."""
        return tuple(self._kept)
