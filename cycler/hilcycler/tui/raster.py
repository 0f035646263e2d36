"""Points to braille: a terminal cell holds two by four dots, which makes the dots about square.

A line is drawn as vertical spans, one or two for each column of dots that it crosses. All points
of a column fall together into the span from their lowest to their highest, so nothing that a
column saw is lost, however many points it saw; and the cost of a frame is one pass over the points.
Coordinates here are in dots, as floats: x to the right, y *down*, the origin at the top left.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

CELL: Final = (2, 4)
"""Dots across and down in one terminal cell."""

Floats: TypeAlias = NDArray[np.float64]
Dots: TypeAlias = NDArray[np.bool_]

_FAR: Final = 1e6  # dots; further out nothing is drawn, and arithmetic must not overflow
_BIT: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_BRAILLE: Final = 0x2800
_SPACE: Final = 0x20


def line(x: Floats, y: Floats, width: int, height: int) -> Dots:
    """The dots of the line through the points, as an array of `height` by `width`.

    A point that is not finite breaks the line; a point with no neighbour is one dot.
    """
    x, y, stretch = _finite(x, y)
    if not len(x):
        return np.zeros((height, width), dtype=np.bool_)
    column = np.floor(x).astype(np.int64)
    turns: Dots = (column[1:] != column[:-1]) | (stretch[1:] != stretch[:-1])
    first = np.concatenate(([0], np.flatnonzero(turns) + 1))
    last = np.concatenate((first[1:] - 1, [len(x) - 1]))
    spans = [(column[first], np.minimum.reduceat(y, first), np.maximum.reduceat(y, first))]
    leave, enter = last[:-1], first[1:]
    joined = stretch[leave] == stretch[enter]
    leave, enter = leave[joined], enter[joined]
    if len(leave):
        spans.append(_crossings(x[leave], y[leave], x[enter], y[enter], width))
    return _fill(spans, width, height)


def points(x: Floats, y: Floats, width: int, height: int) -> Dots:
    """The dots of unconnected marks: two by two where there is room for them, else single."""
    x, y, _ = _finite(x, y)
    dots = np.zeros((height, width), dtype=np.bool_)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    size = 2 if len(x) <= width else 1
    for right in range(size):
        for down in range(size):
            c, r = column + right, row + down
            inside = (c >= 0) & (c < width) & (r >= 0) & (r < height)
            dots[r[inside], c[inside]] = True
    return dots


def cells(dots: Dots) -> NDArray[np.uint8]:
    """The dots by terminal cell: bit n of each byte is dot n + 1 of the braille pattern."""
    height, width = dots.shape
    across, down = CELL
    tiles = dots.reshape(height // down, down, width // across, across)
    pattern: NDArray[np.uint8] = np.einsum("adbc,dc->ab", tiles.astype(np.uint8), _BIT)
    return pattern


def text(pattern: NDArray[np.uint8]) -> list[str]:
    """One string a row; an empty cell is a plain space, so that a copied screen stays readable."""
    codes = np.where(pattern == 0, _SPACE, _BRAILLE + pattern.astype(np.uint16)).astype("<u2")
    return [row.tobytes().decode("utf-16-le") for row in codes]


def _finite(x: Floats, y: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The finite points, near enough to compute with, and which unbroken stretch each belongs to."""
    finite: Dots = np.isfinite(x) & np.isfinite(y)
    if finite.all():
        stretch: NDArray[np.int64] = np.zeros(len(x), dtype=np.int64)
    else:
        stretch = np.cumsum(~finite, dtype=np.int64)[finite]
        x, y = x[finite], y[finite]
    return np.clip(x, -_FAR, _FAR), np.clip(y, -_FAR, _FAR), stretch


def _crossings(
    x0: Floats, y0: Floats, x1: Floats, y1: Floats, width: int
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The spans of segments that cross from one column of dots into others."""
    back = x0 > x1
    x0, x1 = np.where(back, x1, x0), np.where(back, x0, x1)
    y0, y1 = np.where(back, y1, y0), np.where(back, y0, y1)
    left = np.clip(np.floor(x0).astype(np.int64), 0, width)
    right = np.clip(np.floor(x1).astype(np.int64), -1, width - 1)
    count = np.maximum(right - left + 1, 0)
    of = np.repeat(np.arange(len(x0)), count)
    column = left[of] + np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    slope = (y1 - y0) / (x1 - x0)
    enter = y0[of] + slope[of] * (np.maximum(x0[of], column) - x0[of])
    leave = y0[of] + slope[of] * (np.minimum(x1[of], column + 1.0) - x0[of])
    return column, np.minimum(enter, leave), np.maximum(enter, leave)


def _fill(spans: list[tuple[NDArray[np.int64], Floats, Floats]], width: int, height: int) -> Dots:
    """Every dot that lies in a span: +1 where one begins, -1 below its end, summed downwards."""
    column = np.concatenate([span[0] for span in spans])
    top = np.floor(np.concatenate([span[1] for span in spans]))
    bottom = np.floor(np.concatenate([span[2] for span in spans]))
    seen = (column >= 0) & (column < width) & (bottom >= 0) & (top < height)
    column = column[seen]
    begin = np.maximum(top[seen], 0).astype(np.int64) * width + column
    end = (np.minimum(bottom[seen], height - 1).astype(np.int64) + 1) * width + column
    size = (height + 1) * width
    edges = np.bincount(begin, minlength=size) - np.bincount(end, minlength=size)
    filled: Dots = np.cumsum(edges.reshape(height + 1, width)[:height], axis=0) > 0
    return filled
