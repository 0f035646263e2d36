"""A17, differential capacity: dQ/dV of one half-cycle, smooth, with its area conserved.

Dividing differences of noisy samples makes noise. Here each sample interval's charge is laid evenly over the
voltages it spans, counted in bins of equal width (1 mV at least), and smoothed by Savitzky and Golay with
nothing outside: the area under the curve is the charge that passed, whatever the smoothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import Coulomb, Volt
from hilcycler_protocols.evaluation.results import EvaluationRefused, Flag, Refusal

Real = NDArray[np.float64]

SOURCE: Final = "Bloom et al., J. Power Sources 139 (2005) 295"
FINEST: Final[Volt] = 1e-3
_ORDER: Final = 3
_HOLD: Final = 0.2


@dataclass(frozen=True, slots=True)
class Peak:
    """A maximum of dQ/dV: its voltage, height (C/V) and how far it stands out."""

    voltage: Volt
    height: float
    prominence: float


@dataclass(frozen=True, slots=True, eq=False)
class DifferentialCapacity:
    """`capacity` (C/V, positive) at the middle of each bin of `voltage`; `step` and `smoothing` in volt."""

    voltage: Real
    capacity: Real
    step: Volt
    smoothing: Volt
    peaks: tuple[Peak, ...]
    flags: tuple[Flag, ...]

    @property
    def charge(self) -> Coulomb:
        """The area under the curve."""
        return float(self.capacity.sum() * self.step)


def differential_capacity(
    voltage: ArrayLike, passed: ArrayLike, *, step: Volt = 2e-3, smoothing: Volt = 20e-3
) -> DifferentialCapacity:
    """dQ/dV of one half-cycle: `passed` is the charge magnitude so far, in the order of time.

    Leave a constant-voltage part out: its charge has no width in voltage (flagged if it was left in).
    """
    v, q = np.asarray(voltage, dtype=np.float64), np.asarray(passed, dtype=np.float64)
    if v.shape != q.shape or len(v) < 10 or not (np.all(np.isfinite(v)) and np.all(np.isfinite(q))):
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, f"{len(v)} finite samples are no half-cycle")
    if np.any(np.diff(q) < 0.0):
        raise EvaluationRefused(
            Refusal.MISSING_INPUT, "the charge passed must not decrease within a half-cycle"
        )
    if not step >= FINEST:
        raise EvaluationRefused(Refusal.OUTSIDE_VALIDITY, f"bins of {step * 1e3:g} mV are finer than 1 mV")
    half = max(round(smoothing / step / 2.0), _ORDER // 2 + 1)
    edges = _edges(v, step, half)
    counted = np.diff(_cumulative(v, q, edges, step))
    smooth = _smoothed(counted, half) / step
    middle = 0.5 * (edges[1:] + edges[:-1])
    flags = []
    densest = float(np.convolve(counted, (1.0, 1.0)).max() / counted.sum())
    if densest > _HOLD:
        flags.append(Flag("hold", f"{densest:.0%} of the charge passed at one voltage"))
    return DifferentialCapacity(
        middle, smooth, step, (2 * half + 1) * step, _peaks(middle, smooth), tuple(flags)
    )


def _edges(v: Real, step: Volt, half: int) -> Real:
    """Bins over the data and half a smoothing window on either side, on multiples of `step`."""
    first = int(np.floor(v.min() / step)) - half - 1
    last = int(np.ceil(v.max() / step)) + half + 1
    return np.arange(first, last + 1, dtype=np.float64) * step


def _cumulative(v: Real, q: Real, edges: Real, step: Volt) -> Real:
    """Charge that lies below each edge: every interval a ramp from its lower to its upper voltage."""
    low, high = np.minimum(v[1:], v[:-1]), np.maximum(v[1:], v[:-1])
    narrow = high - low < 0.05 * step
    middle = 0.5 * (low + high)
    low, high = np.where(narrow, middle - 0.025 * step, low), np.where(narrow, middle + 0.025 * step, high)
    slope = np.diff(q) / (high - low)
    corners = np.concatenate((low, high))
    order = np.argsort(corners, kind="stable")
    corners = corners[order]
    density = np.cumsum(np.concatenate((slope, -slope))[order])
    charge = np.concatenate(([0.0], np.cumsum(density[:-1] * np.diff(corners))))
    return np.interp(edges, corners, charge)


def _smoothed(counted: Real, half: int) -> Real:
    from scipy.signal import savgol_filter

    return np.asarray(savgol_filter(counted, 2 * half + 1, _ORDER, mode="constant", cval=0.0))


def _peaks(voltage: Real, capacity: Real) -> tuple[Peak, ...]:
    from scipy.signal import find_peaks

    at, properties = find_peaks(capacity, prominence=0.05 * float(capacity.max()))
    return tuple(
        Peak(float(voltage[k]), float(capacity[k]), float(p))
        for k, p in zip(at, properties["prominences"], strict=True)
    )
