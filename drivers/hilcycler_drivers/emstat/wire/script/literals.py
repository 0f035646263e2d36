"""Numbers as MethodSCRIPT writes them: no decimal point, no exponent, an SI prefix."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from hilcycler.errors import WireError
from hilcycler_drivers.emstat.wire.packages import PREFIXES
from hilcycler_drivers.emstat.wire.script.tree import Literal

_LARGEST_MANTISSA: Final = 2**31


def number(value: float) -> Literal:
    """The shortest literal for `value`; exact to six significant digits at least, mostly to nine.

    The mantissa keeps within the 32 bits that a firmware's parser is sure to have. WireError for
    NaN, infinities and what is too large.
    """
    if not math.isfinite(value):
        raise WireError(f"{value} cannot be written in a script")
    exact = Decimal(repr(float(value)))
    for at in range(len(PREFIXES)):
        mantissa = int(exact.scaleb(18 - 3 * at).to_integral_value())
        if abs(mantissa) < _LARGEST_MANTISSA:
            return shortest(mantissa, at)
    raise WireError(f"{value} is too large for a script")


def shortest(mantissa: int, at: int) -> Literal:
    """`mantissa` times the prefix PREFIXES[at], without zeros that a larger prefix makes needless."""
    if mantissa == 0:
        return Literal(0)
    while mantissa % 1000 == 0 and at + 1 < len(PREFIXES):
        mantissa, at = mantissa // 1000, at + 1
    return Literal(mantissa, PREFIXES[at].strip())


def integer(value: int) -> Literal:
    """An integer literal: `3i`."""
    return Literal(value, "i")
