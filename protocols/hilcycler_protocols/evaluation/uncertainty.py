"""Uncertainty: what a number may be off by, cause by cause, and the interval that follows.

Noise is normal (or Student's t where its size was estimated from few points). What a data sheet
promises ("within ±0.1 %") is rectangular: anywhere in the band with equal right. The distinction
matters for the 95 % interval: the usual factor of two would cover more than the whole band of a
rectangular cause. Terms as in JCGM 100:2008 (GUM), sections 4.3 and 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np

from hilcycler.quantities import Ampere, Ohm, Second, Volt

LEVEL: Final = 0.95
_GRID: Final = 2001
_NEGLIGIBLE: Final = 3e-3


class Shape(StrEnum):
    """How the possible errors of one cause are distributed."""

    NORMAL = "normal"
    RECTANGULAR = "rectangular"


@dataclass(frozen=True, slots=True)
class Component:
    """One cause: its standard uncertainty in the unit of the result, and its distribution.

    `degrees` of freedom: of the estimate of `standard` from scatter; infinite where it is known.
    """

    cause: str
    standard: float
    shape: Shape = Shape.NORMAL
    degrees: float = math.inf

    def scaled(self, factor: float) -> Component:
        return Component(self.cause, abs(factor) * self.standard, self.shape, self.degrees)


def scatter(cause: str, standard: float, degrees: float = math.inf) -> Component:
    """A cause that was seen to scatter with this standard deviation (of the mean, where averaged)."""
    return Component(cause, abs(standard), Shape.NORMAL, degrees)


def within(cause: str, half_width: float) -> Component:
    """A cause that is only known to lie within ± `half_width`."""
    return Component(cause, abs(half_width) / math.sqrt(3.0), Shape.RECTANGULAR)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What the instrument promises: each a half-width, the truth lies within ± of the reading.

    Gains are fractions of the reading. `time_gain` is that of the time base. `lead_resistance` is
    what remains of cables and contacts after correction. The default is a perfect instrument.
    """

    current_gain: float = 0.0
    current_offset: Ampere = 0.0
    voltage_gain: float = 0.0
    voltage_offset: Volt = 0.0
    time_gain: float = 0.0
    time_jitter: Second = 0.0
    lead_resistance: Ohm = 0.0


PERFECT: Final = Accuracy()


@dataclass(frozen=True, slots=True)
class Known:
    """An input that somebody states, and the band it lies within: `Known(25e-6, 1e-6)` is 25 ± 1 um."""

    value: float
    within: float = 0.0


Cause: TypeAlias = tuple[str, float, Sequence[Component]]
"""An input of a formula: its name, its value, what it may be off by."""


def propagated(formula: Callable[..., float], *inputs: Cause) -> list[Component]:
    """The causes behind each input as causes behind `formula(*values)`, each by its own slope.

    First order (JCGM 100, 5.1.2), slopes by central differences. Inputs must be independent: what
    several of them share has to be an input of its own.
    """
    values = [value for _, value, _ in inputs]
    found: list[Component] = []
    for at, (_, value, causes) in enumerate(inputs):
        size = combined(causes)
        if size == 0.0:
            continue
        step = 1e-3 * size
        above, below = list(values), list(values)
        above[at], below[at] = value + step, value - step
        slope = (formula(*above) - formula(*below)) / (2.0 * step)
        found += [cause.scaled(slope) for cause in causes]
    return found


def stated(name: str, known: Known) -> Cause:
    """A stated input as a cause."""
    return (name, known.value, [within(name, known.within)])


def combined(components: Iterable[Component]) -> float:
    """Standard uncertainty of the sum of independent causes."""
    return math.sqrt(sum(c.standard**2 for c in components))


def half_width(components: Sequence[Component], level: float = LEVEL) -> float:
    """Half-width of the symmetric interval that holds the sum of the errors with probability `level`.

    Exact for a normal or t and any number of rectangular causes, to the resolution of a grid of
    2001 points (some 1e-3); the freedom of several scattering causes after Welch and Satterthwaite.
    """
    total = combined(components)
    if total == 0.0:
        return 0.0
    bands = [math.sqrt(3.0) * c.standard for c in components if c.shape is Shape.RECTANGULAR]
    wide = sorted((b for b in bands if b > _NEGLIGIBLE * total), reverse=True)
    narrow = sum(b * b for b in bands if b <= _NEGLIGIBLE * total) / 3.0
    normals = [c for c in components if c.shape is Shape.NORMAL]
    spread = math.sqrt(sum(c.standard**2 for c in normals) + narrow)
    degrees = _effective_degrees(normals)
    upper = 0.5 + level / 2.0
    if not wide:
        return spread * _t_quantile(upper, degrees)
    if len(wide) == 1 and spread <= _NEGLIGIBLE * total:
        return wide[0] * level
    reach = sum(wide) + spread * _t_quantile(0.99999, degrees)
    x = np.linspace(-reach, reach, _GRID)
    if spread > _NEGLIGIBLE * total:
        distribution = _t_distribution(x / spread, degrees)
    else:
        band = wide.pop(0)
        distribution = np.clip((x + band) / (2.0 * band), 0.0, 1.0)
    for band in wide:
        step = x[1] - x[0]
        integral = np.concatenate(([0.0], np.cumsum((distribution[1:] + distribution[:-1]) * 0.5 * step)))
        above = np.interp(x + band, x, integral) + np.maximum(x + band - reach, 0.0)
        distribution = (above - np.interp(x - band, x, integral)) / (2.0 * band)
    return float(np.interp(upper, distribution, x))


def _effective_degrees(normals: Sequence[Component]) -> float:
    weights = sum(c.standard**4 / c.degrees for c in normals if c.standard > 0.0)
    return float("inf") if weights == 0.0 else sum(c.standard**2 for c in normals) ** 2 / weights


def _t_quantile(probability: float, degrees: float) -> float:
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees) or degrees > 1e6:
        return float(ndtri(probability))
    return float(stdtrit(degrees, probability))


def _t_distribution(
    x: np.ndarray[tuple[int], np.dtype[np.float64]], degrees: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    from scipy.special import ndtr, stdtr

    result: np.ndarray[tuple[int], np.dtype[np.float64]]
    result = ndtr(x) if math.isinf(degrees) or degrees > 1e6 else stdtr(degrees, x)
    return result


def t_factor(degrees: float, level: float = LEVEL) -> float:
    """Student's factor for a two-sided interval."""
    return _t_quantile(0.5 + level / 2.0, degrees)
