"""A spectrum: impedance against frequency, highest first, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal

_SAME: Final = 1e-3
"""Relative difference below which two frequencies are one: instruments round them."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """`impedance` in ohm with the physical sign (capacitive: negative imaginary part), at `frequency` in Hz.

    Frequencies descend and differ. `repeated` is the impedance at the first frequency measured
    once more after the sweep, where that was done: it shows whether the cell drifted meanwhile.
    Made by `measured`.
    """

    frequency: NDArray[np.float64]
    impedance: NDArray[np.complex128]
    repeated: complex | None = None

    def __len__(self) -> int:
        return len(self.frequency)

    @property
    def omega(self) -> NDArray[np.float64]:
        return 2.0 * np.pi * self.frequency

    @property
    def drift(self) -> float | None:
        """Relative change of the first point over the sweep."""
        if self.repeated is None:
            return None
        return float(abs(self.repeated - self.impedance[0]) / abs(self.impedance[0]))

    def between(self, lowest: float, highest: float) -> Spectrum:
        """The part between two frequencies, both included."""
        keep = (self.frequency >= lowest) & (self.frequency <= highest)
        return Spectrum(self.frequency[keep], self.impedance[keep])


def measured(frequency: ArrayLike, impedance: ArrayLike) -> Spectrum:
    """A spectrum from points in the order in which they were measured.

    A last point at the frequency of the first is taken as the drift check and not as data. Refuses
    what is not finite, frequencies that are not positive and frequencies that occur twice.
    """
    f = np.asarray(frequency, dtype=np.float64)
    z = np.asarray(impedance, dtype=np.complex128)
    if f.ndim != 1 or f.shape != z.shape:
        raise EvaluationRefused(
            Refusal.MISSING_INPUT, f"{f.shape} frequencies and {z.shape} impedances do not belong together"
        )
    bad = np.flatnonzero(~(np.isfinite(f) & np.isfinite(z) & (f > 0.0) & (np.abs(z) > 0.0)))
    if len(bad):
        at = int(bad[0])
        raise EvaluationRefused(Refusal.NOT_FINITE, f"point {at} of the spectrum: {f[at]} Hz, {z[at]} ohm")
    repeated: complex | None = None
    if len(f) > 2 and abs(f[-1] / f[0] - 1.0) < _SAME:
        repeated = complex(z[-1])
        f, z = f[:-1], z[:-1]
    order = np.argsort(-f, kind="stable")
    f, z = f[order], z[order]
    if np.any(f[:-1] <= f[1:] * (1.0 + 1e-9)):
        twice = f[np.flatnonzero(f[:-1] <= f[1:] * (1.0 + 1e-9))[0]]
        raise EvaluationRefused(Refusal.MISSING_INPUT, f"{twice:g} Hz occurs twice in one spectrum")
    return Spectrum(f, z, repeated)
