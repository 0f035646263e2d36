"""Columns of numbers as text: shortest digits that read back as the same number, always a decimal point.

Readers that guess a column's type from its first rows take `0` for a whole number and fail on the
`2.778e-06` that follows; so a float is never written without a point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def floats(column: NDArray[np.float64]) -> list[str]:
    """Each number; nothing for NaN."""
    if np.isnan(column).all():
        return [""] * len(column)
    texts = [*map(repr, column.tolist())]
    magnitude = np.abs(column)
    scientific = (magnitude != 0.0) & ((magnitude < 1e-4) | (magnitude >= 1e16))
    for at in np.flatnonzero(scientific | ~np.isfinite(column)):
        texts[at] = _pointed(texts[at])
    return texts


def _pointed(text: str) -> str:
    if text == "nan":
        return ""
    mantissa, exponent, power = text.partition("e")
    return text if "." in mantissa or not exponent else f"{mantissa}.0e{power}"


def integers(column: NDArray[Any]) -> list[str]:
    """Each whole number; there are few different ones."""
    texts = {value: str(value) for value in np.unique(column).tolist()}
    return [texts[value] for value in column.tolist()]


def quoted(text: str) -> str:
    """One text as a CSV field."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text
