"""Points to braille: a terminal cell holds two by four dots, which makes the dots about square.

A line is drawn as vertical spans, one or two for each column of dots that it crosses. All points
of a column fall together into the span from their lowest to their highest, so nothing that a
column saw is lost, however many points it saw; and the cost of a frame is one pass over the points.
Coordinates here are in dots, as floats: x to the right, y *down*, the origin at the top left.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

CELL: Final = (2, 4)
"""Dots across and down in one terminal cell."""

Floats: TypeAlias = NDArray[np.float64]
Dots: TypeAlias = NDArray[np.bool_]

_BREAK: Final = (np.array([np.nan]), np.array([np.nan]))
_FAR: Final = 1e6  # dots; further out nothing is drawn, and arithmetic must not overflow
_ORDER: Final = (0, 1, 2, 6, 3, 4, 5, 7)  # the braille bit of each dot: down the left column, then the right
_PATTERN: Final = np.array(
    [sum((n >> at & 1) << bit for at, bit in enumerate(_ORDER)) for n in range(256)], dtype=np.uint8
)
_BRAILLE: Final = 0x2800
_SPACE: Final = 0x20


def thinned(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """At most four points between any two `edges`: the first, the lowest, the highest and the last.

    Drawn on columns with these edges they cover what all points would. Where x turns back, as in a
    cyclic voltammogram, points are left as they are.
    """
    broken = (
        ()
        if _within(x, math.inf) and _within(y, math.inf)
        else np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    )
    starts, ends = [0, *(at + 1 for at in broken)], [*broken, len(x)]
    parts: list[tuple[Floats, Floats]] = []
    for start, end in zip(starts, ends, strict=True):
        parts += [_thinned(x[start:end], y[start:end], edges), _BREAK]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _thinned(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats]:
    if len(x) < 4 * len(edges) or not bool(np.all(x[1:] >= x[:-1])):
        return x, y
    first = np.unique(np.concatenate(([0], np.searchsorted(x, edges))))
    first = first[first < len(x)]
    last = np.append(first[1:], len(x)) - 1
    lowest, highest = np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)
    kept = np.stack([y[first], lowest, highest, y[last]], axis=1).ravel()
    return np.repeat(np.stack([x[first], x[last]], axis=1), 2, axis=1).ravel(), kept


def line(x: Floats, y: Floats, width: int, height: int) -> Dots:
    """The dots of the line through the points, as an array of `height` by `width`.

    A point that is not finite breaks the line; a point with no neighbour is one dot.
    """
    x, y, stretch = _finite(x, y)
    if not len(x):
        return np.zeros((height, width), dtype=np.bool_)
    column = np.floor(x).astype(np.int64)
    turns: Dots = column[1:] != column[:-1]
    if stretch[-1] != stretch[0]:
        turns |= stretch[1:] != stretch[:-1]
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
    packed = np.packbits(tiles.transpose(0, 2, 3, 1), bitorder="little")
    return _PATTERN[packed].reshape(height // down, width // across)


def text(pattern: NDArray[np.uint8]) -> list[str]:
    """One string a row; an empty cell is a plain space, so that a copied screen stays readable."""
    codes = np.where(pattern == 0, _SPACE, _BRAILLE + pattern.astype(np.uint16)).astype("<u2")
    return [row.tobytes().decode("utf-16-le") for row in codes]


def _finite(x: Floats, y: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The finite points, near enough to compute with, and which unbroken stretch each belongs to."""
    if _within(x, _FAR) and _within(y, _FAR):
        return x, y, np.zeros(len(x), dtype=np.int64)
    finite: Dots = np.isfinite(x) & np.isfinite(y)
    stretch = np.cumsum(~finite, dtype=np.int64)[finite]
    return np.clip(x[finite], -_FAR, _FAR), np.clip(y[finite], -_FAR, _FAR), stretch


def _within(values: Floats, bound: float) -> bool:
    """Whether all lie between -`bound` and `bound`, neither included; NaN makes both extremes NaN."""
    return not len(values) or bool(values.min() > -bound and values.max() < bound)


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
    edges = np.zeros((height + 1) * width, dtype=np.int32)
    np.add.at(edges, begin, 1)
    np.subtract.at(edges, end, 1)
    filled: Dots = np.cumsum(edges.reshape(height + 1, width)[:height], axis=0, dtype=np.int32) > 0
    return filled
