"""How often to sample, so that a measurement loop lasts exactly as long as it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hilcycler.errors import StepRefused
from hilcycler.quantities import Second
from hilcycler_drivers.emstat.wire.packages import PREFIXES
from hilcycler_drivers.emstat.wire.script import Literal, number, shortest

FOREVER: Final[Second] = 1e8
"""Three years: what a loop is given that only a condition may end."""

FASTEST: Final[Second] = 0.01
"""Faster than this a script's judgement of each sample may not keep up; not tried on hardware."""

HEARTBEAT: Final[Second] = 60.0
"""A sample is recorded at least so often, even where none was asked for: silence must mean trouble."""

_LARGEST: Final = 2**31
_UNITS: Final = (-6, -3, 0)  # microseconds, milliseconds, seconds
_CANDIDATES: Final = 5000
_CLOSE: Final = 5e-7  # of the duration: no instrument's clock is better


@dataclass(frozen=True, slots=True)
class Loop:
    """A measurement loop of `samples` samples, `interval` apart."""

    interval: Literal
    duration: Literal
    samples: int

    @property
    def seconds(self) -> Second:
        """The whole duration, exactly as the instrument will keep it."""
        return self.duration.value


def divide(duration: Second, period: Second) -> Loop:
    """A loop of `duration`, sampled at least every `period`, in whole samples.

    The interval is shortened, at most by half, until it divides the duration: to the microsecond in
    steps up to half an hour, to the millisecond in steps up to three weeks. In longer ones, which only
    a condition is to end, the interval is as given.
    """
    if not duration >= FASTEST:
        raise StepRefused(f"a step that ends after {duration:g} s is shorter than {FASTEST:g} s")
    exponent = next((e for e in _UNITS if duration / 10.0**e < _LARGEST), 0)
    total = max(1, round(duration / 10.0**exponent))
    longest = min(total, int(period / 10.0**exponent + 1e-6))
    if exponent == 0 or longest < 1:
        return Loop(number(period), number(duration), max(1, round(duration / period)))
    intervals = np.arange(longest, max(0, longest // 2 - 1, longest - _CANDIDATES), -1)
    counts = np.rint(total / intervals).astype(np.int64)
    misses = np.abs(counts * intervals - total)
    close = np.flatnonzero(misses <= _CLOSE * total)
    best = int(close[0]) if len(close) else int(np.argmin(misses))
    samples, interval = int(counts[best]), int(intervals[best])
    at = exponent // 3 + PREFIXES.index(" ")
    return Loop(shortest(interval, at), shortest(samples * interval, at), samples)


def every(recorded: Second | None, interval: Second) -> int:
    """How many samples make up a recording period; without one, HEARTBEAT."""
    return max(1, int(np.ceil((recorded or HEARTBEAT) / interval - 1e-6)))
