"""A drawn plot as rows of text with roles: series, axes, ticks, legend. Pure; the widget adds colour.

From top to bottom: a title with its unit and the legend; braille rows, their ticks to the left; the
line of the x axis, left out where the plot is low; its labels, ending with what it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size

from hilcycler.tui import raster
from hilcycler.tui.ticks import Ticks, ticks, widened

COLOURS: Final = 4
"""Series beyond this many share colours."""

AXIS: Final = "axis"
LABEL: Final = "label"
TITLE: Final = "title"
Values = TypeVar("Values", float, NDArray[np.float64])
Run: TypeAlias = tuple[str, str]
"""A piece of text and its role: one of the three above, or `series-N`."""

_LOW: Final = 8  # a plot no higher than this has no line for its x axis, only the labels
_GUTTER: Final = 6  # cells left of the area, at least, so that plots above each other align
_ROWS_PER_TICK: Final = 2
_MOST_TICKS: Final = 8  # on the y axis: more is clutter
_COLUMNS_PER_TICK: Final = 9


class Mark(StrEnum):
    """How the points of a series are drawn."""

    LINE = "─"
    POINTS = "▪"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Points in SI units, in the order in which a line joins them; NaN breaks the line."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str = ""
    mark: Mark = Mark.LINE
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """What is on an axis, in which SI unit ("s" is shown as h or d), and a value it includes anyway."""

    label: str
    unit: str = ""
    includes: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw. `square`: a unit is as long on x as on y. `empty` is said when there are no points."""

    x: Axis
    y: Axis
    square: bool = False
    empty: str = "no data yet"
    series: tuple[Series, ...] = field(default=())


def draw(plan: Plan, width: int, height: int) -> list[list[Run]]:
    """`height` rows, each of exactly `width` terminal cells."""
    ruled = height > _LOW
    rows = height - (3 if ruled else 2)
    if rows < 1 or width < 16:
        return [[(" " * width, AXIS)] for _ in range(height)]
    most = min(_MOST_TICKS, max(3, rows // _ROWS_PER_TICK))
    y_low, y_high = _limits(plan.y, [s.y for s in plan.series], 2 * most)
    x_low, x_high = _limits(plan.x, [s.x for s in plan.series], 0)
    y_ticks = ticks(y_low, y_high, most, plan.y.unit)
    gutter = max(_GUTTER, max(map(len, y_ticks.labels), default=0) + 2)
    area = _Area(width - gutter, rows, x_low, x_high, y_low, y_high)
    if plan.square:
        area = area.squared()
        y_ticks = ticks(area.y_low, area.y_high, most, plan.y.unit)
    x_ticks = ticks(area.x_low, area.x_high, max(2, area.columns // _COLUMNS_PER_TICK), plan.x.unit)
    if _any_points(plan.series):
        inside = _curves(plan.series, area)
    else:
        inside = _said(plan.empty, area)
        y_ticks, x_ticks = Ticks((), (), plan.y.unit), Ticks((), (), plan.x.unit)
    drawn = [[_title(plan.y, y_ticks, width), *_legend(plan.series)]]
    beside = _beside(y_ticks, area, gutter)
    drawn += [[*left, *runs] for left, runs in zip(beside, inside, strict=True)]
    drawn += _below(plan.x, x_ticks, area, gutter)[0 if ruled else 1 :]
    drawn[0] = _spread(drawn[0], width)
    return drawn


@dataclass(frozen=True, slots=True)
class _Area:
    """The rectangle inside the axes: its size in cells and what it spans in the data's units."""

    columns: int
    rows: int
    x_low: float
    x_high: float
    y_low: float
    y_high: float

    @property
    def across(self) -> int:
        return self.columns * raster.CELL[0]

    @property
    def down(self) -> int:
        return self.rows * raster.CELL[1]

    @property
    def edges(self) -> NDArray[np.float64]:
        """Where on x each column of dots begins: what `to_x` takes to a whole number."""
        unit = (self.x_high - self.x_low) / (self.across - 1)
        return self.x_low + unit * (np.arange(self.across + 1, dtype=np.float64) - 0.5)

    def to_x(self, x: Values) -> Values:
        return (x - self.x_low) * ((self.across - 1) / (self.x_high - self.x_low)) + 0.5

    def to_y(self, y: Values) -> Values:
        return (self.y_high - y) * ((self.down - 1) / (self.y_high - self.y_low)) + 0.5

    def squared(self) -> _Area:
        """The same with one scale for both axes: the lower ends stay, the shorter axis grows."""
        scale = max(
            (self.x_high - self.x_low) / (self.across - 1), (self.y_high - self.y_low) / (self.down - 1)
        )
        return _Area(
            self.columns,
            self.rows,
            self.x_low,
            self.x_low + scale * (self.across - 1),
            self.y_low,
            self.y_low + scale * (self.down - 1),
        )


def _limits(axis: Axis, values: Sequence[NDArray[np.float64]], most: int) -> tuple[float, float]:
    """The data's range: widened to about `most` round steps, or as it is for 0."""
    low, high = math.inf, -math.inf
    if axis.includes is not None:
        low = high = axis.includes
    for array in values:
        lowest, highest = _extremes(array)
        low, high = min(low, lowest), max(high, highest)
    if most or not low < high or not math.isfinite(high - low):
        return widened(low, high, max(2, most))
    return low, high


def _extremes(values: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and highest finite value; (inf, -inf) if there is none."""
    if len(values):
        low, high = float(values.min()), float(values.max())
        if math.isfinite(low) and math.isfinite(high):
            return low, high
        values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else (math.inf, -math.inf)


def _any_points(series: Sequence[Series]) -> bool:
    return any(bool(np.any(np.isfinite(s.x) & np.isfinite(s.y))) for s in series)


def _curves(series: Sequence[Series], area: _Area) -> list[list[Run]]:
    pattern = np.zeros((area.rows, area.columns), dtype=np.uint8)
    owner = np.full((area.rows, area.columns), -1, dtype=np.int8)
    for one in series:
        if one.mark is Mark.LINE:
            x, y = raster.thinned(one.x, one.y, area.edges)
            dots = raster.line(area.to_x(x), area.to_y(y), area.across, area.down)
        else:
            dots = raster.points(area.to_x(one.x), area.to_y(one.y), area.across, area.down)
        cells = raster.cells(dots)
        pattern |= cells
        owner[cells != 0] = one.colour % COLOURS
    rows, colours = raster.text(pattern), {one.colour % COLOURS for one in series}
    if len(colours) == 1:
        role = f"series-{colours.pop()}"
        return [[(row, role)] for row in rows]
    return [_runs(row, of) for row, of in zip(rows, owner, strict=True)]


def _runs(text: str, owner: NDArray[np.int8]) -> list[Run]:
    """Neighbours of one colour as one run; an empty cell goes with what stands before it."""
    drawn = np.flatnonzero(owner >= 0)
    if not len(drawn):
        return [(text, AXIS)]
    colour = owner[drawn]
    change = np.flatnonzero(colour[1:] != colour[:-1]) + 1
    starts = [0, *drawn[change].tolist(), len(text)]
    colours = [int(colour[0]), *colour[change].tolist()]
    return [(text[a:b], f"series-{c}") for a, b, c in zip(starts, starts[1:], colours, strict=False)]


def _said(text: str, area: _Area) -> list[list[Run]]:
    """The area without curves, with `text` in its middle."""
    blank = " " * area.columns
    rows: list[list[Run]] = [[(blank, AXIS)] for _ in range(area.rows)]
    rows[(area.rows - 1) // 2] = [(_fit(text, area.columns).center(area.columns), LABEL)]
    return rows


def _title(axis: Axis, scale: Ticks, width: int) -> Run:
    unit = f" ({scale.unit})" if scale.unit else ""
    return _fit(axis.label, width - cell_len(unit)) + unit, TITLE


def _legend(series: Sequence[Series]) -> list[Run]:
    return [(f"{s.mark} {s.label}", f"series-{s.colour % COLOURS}") for s in series if s.label]


def _spread(runs: list[Run], width: int) -> list[Run]:
    """The title left, the legend right, as much of it as there is room for."""
    title, *legend = runs
    left = width - min(cell_len(title[0]), width)
    kept: list[Run] = []
    for text, role in legend:
        if cell_len(text) + 2 > left:
            break
        kept += [("  ", TITLE), (text, role)]
        left -= cell_len(text) + 2
    return [(_fit(title[0], width), title[1]), (" " * left, TITLE), *kept]


def _beside(scale: Ticks, area: _Area, gutter: int) -> list[list[Run]]:
    """What stands to the left of each row."""
    beside: list[list[Run]] = [[(f"{'│':>{gutter}}", AXIS)] for _ in range(area.rows)]
    for position, label in zip(scale.positions, scale.labels, strict=True):
        row = int(area.to_y(position)) // raster.CELL[1]
        if 0 <= row < area.rows:
            beside[row] = [(f"{label:>{gutter - 2}} ", LABEL), ("┤", AXIS)]
    return beside


def _below(axis: Axis, scale: Ticks, area: _Area, gutter: int) -> list[list[Run]]:
    """The axis line and, under it, the labels of its ticks and of the axis."""
    name = f" {axis.label} ({scale.unit})" if scale.unit else f" {axis.label}"
    width = gutter + area.columns
    rule, under = ["─"] * area.columns, [" "] * (width - min(cell_len(name), width))
    free = 0
    for position, label in zip(scale.positions, scale.labels, strict=True):
        column = int(area.to_x(position)) // raster.CELL[0]
        if not 0 <= column < area.columns:
            continue
        rule[column] = "┬"
        start = gutter + column - len(label) // 2
        if start >= free and start + len(label) <= len(under):
            under[start : start + len(label)] = label
            free = start + len(label) + 1
    line = " " * (gutter - 1) + "└" + "".join(rule)
    return [[(line, AXIS)], [("".join(under), LABEL), (_fit(name, width - len(under)), LABEL)]]


def _fit(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
