"""A reading for a display that stands still while its digits change."""

from __future__ import annotations

import math
from typing import Final

_PREFIXES: Final = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def reading(value: float, unit: str) -> str:
    """Four significant digits with an SI prefix, always 11 characters or more, so that digits stand still."""
    if not math.isfinite(value):
        return f"{'—':>8} {unit:<2}"
    exponent = -12 if value == 0.0 else 3 * math.floor(math.log10(abs(value)) / 3)
    exponent = max(-12, min(9, exponent))
    scaled = value / 10.0**exponent
    if abs(scaled) >= 999.95 and exponent < 9:
        exponent, scaled = exponent + 3, scaled / 1000.0
    if value == 0.0:
        exponent = 0
    decimals = 3 - (abs(scaled) >= 9.9995) - (abs(scaled) >= 99.995)
    return f"{scaled:>8.{decimals}f} {_PREFIXES[exponent] + unit:<2}".replace("-", "−")
