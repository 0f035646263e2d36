"""Where an axis has its ticks and what stands beside them: round numbers and SI prefixes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_PREFIXES: Final = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_TIME_UNITS: Final = ((3 * _DAY, "d", _DAY), (2 * _HOUR, "h", _HOUR), (3 * _MINUTE, "min", _MINUTE))
_TIME_STEPS: Final = (
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    *(_MINUTE * minutes for minutes in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0)),
    *(_HOUR * hours for hours in (1.0, 2.0, 3.0, 6.0, 12.0)),
)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Positions on the axis, in the data's own (SI) unit, their labels, and the labels' unit."""

    positions: tuple[float, ...]
    labels: tuple[str, ...]
    unit: str


def ticks(low: float, high: float, most: int, unit: str = "") -> Ticks:
    """About `most` ticks (never more) at round numbers within [low, high], labelled in one prefix of `unit`.

    Without a unit they count something: whole numbers, no prefix. Seconds ("s") become minutes,
    hours or days where these are easier to read.
    """
    if unit == "s":
        return _time_ticks(low, high, most)
    step = round_step(high - low, most)
    if not unit:
        step = max(step, 1.0)
        return Ticks(*_labelled(low, high, step, 1.0), "")
    exponent = _exponent(max(abs(low), abs(high)))
    return Ticks(*_labelled(low, high, step, 10.0**exponent), _PREFIXES[exponent] + unit)


def widened(low: float, high: float, most: int) -> tuple[float, float]:
    """The range [low, high] widened to round numbers, so that it stands still while data move within.

    A range of no width, or of nothing finite, becomes one that can be drawn.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return -1.0, 1.0
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.1 * abs(low) or 1.0
        low, high = low - margin, high + margin
    step = round_step(high - low, most)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def round_step(width: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that divides `width` at most `most` times."""
    if not (math.isfinite(width) and width > 0.0):
        return 1.0
    raw = width / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next((m * power for m in (1.0, 2.0, 5.0) if m * power >= raw * (1 - 1e-9)), 10.0 * power)


def _time_ticks(low: float, high: float, most: int) -> Ticks:
    width = high - low
    name, scale = next(((n, s) for least, n, s in _TIME_UNITS if width >= least), ("s", 1.0))
    step = round_step(width, most)
    if _TIME_STEPS[0] < step:
        step = next((s for s in _TIME_STEPS if s * most >= width), 0.0) or _DAY * max(
            1.0, round_step(width / _DAY, most)
        )
    return Ticks(*_labelled(low, high, step, scale), name)


def _labelled(
    low: float, high: float, step: float, scale: float
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if not last - first <= 1000:  # a range so far from zero that steps vanish in it
        return (), ()
    positions = tuple(n * step for n in range(first, last + 1))
    return positions, _labels(positions, step, scale)


def _labels(positions: Sequence[float], step: float, scale: float) -> tuple[str, ...]:
    """With as many decimals as tell the step, the same on every tick."""
    decimals = 0
    while decimals < 12 and abs(round(step / scale, decimals) - step / scale) > 1e-6 * step / scale:
        decimals += 1
    return tuple(f"{position / scale + 0.0:.{decimals}f}".replace("-", "−") for position in positions)


def _exponent(magnitude: float) -> int:
    if not (math.isfinite(magnitude) and magnitude > 0.0):
        return 0
    return max(-12, min(9, 3 * math.floor(math.log10(magnitude) / 3 + 1e-9)))
