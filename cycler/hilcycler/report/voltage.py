"""The voltage profile: the whole run, and its first and last cycles side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hilcycler.report.content import Content
from hilcycler.report.style import FAINT, INK, blank, caption, panel_title
from hilcycler.tui.raster import thinned

ZOOM: Final = 3
"""Cycles in each of the two closer looks."""

_COLUMNS: Final = 1500  # more points than dots across: nothing is lost that could be seen
_UNITS: Final = ((2.0 * 3600.0, "h", 3600.0), (120.0, "min", 60.0), (0.0, "s", 1.0))


def figure(content: Content) -> Figure | None:
    """The figure; None for a run without samples."""
    if not len(content.time):
        return None
    span = float(np.nanmax(content.time) - np.nanmin(content.time))
    unit, scale = next((name, scale) for least, name, scale in _UNITS if span >= least)
    volts, volt = (1e3, "mV") if float(np.nanmax(np.abs(content.voltage))) < 0.5 else (1.0, "V")
    looks = _looks(content)
    drawn = blank(7.2, 3.9 if looks else 2.4)
    caption(drawn, content)
    grid = drawn.add_gridspec(
        2 if looks else 1, max(len(looks), 1), height_ratios=[1.15, 1.0][: 1 + bool(looks)]
    )
    whole = drawn.add_subplot(grid[0, :])
    everything = (float(np.nanmin(content.time)), float(np.nanmax(content.time)))
    panels = {whole: everything}
    for at, (low, high, words) in enumerate(looks):
        whole.axvspan(low / scale, high / scale, color=FAINT, linewidth=0.0, zorder=0)
        closer = drawn.add_subplot(grid[1, at])
        panel_title(closer, words)
        panels[closer] = (low, high)
    for axes, (low, high) in panels.items():
        x, y = _between(content, low, high)
        axes.plot(x / scale, y * volts, color=INK, linewidth=0.5 if axes is whole else 0.9)
        axes.set_xlim(low / scale, high / scale if high > low else low / scale + 1.0)
        axes.set_xlabel(f"Test time ({unit})")
        axes.set_ylabel(f"Voltage {content.header.cell.voltage_label} ({volt})")
    _one_scale([axes for axes in panels if axes is not whole])
    return drawn


def _between(content: Content, low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The samples from `low` to `high` and the breaks among them, thinned to what can be seen."""
    inside = ~((content.time < low) | (content.time > high))
    return thinned(content.time[inside], content.voltage[inside], np.linspace(low, high, _COLUMNS))


def _one_scale(panels: Sequence[Axes]) -> None:
    """What stands side by side is compared by eye."""
    limits = [axes.get_ylim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def _looks(content: Content) -> list[tuple[float, float, str]]:
    """Where to look closer: from, to (s), and what it is."""
    numbers = np.unique(content.cycle[np.isfinite(content.cycle)])
    numbers = numbers[numbers > 0]
    if len(numbers) <= 2 * ZOOM:
        return []
    found = []
    for cycles in (numbers[:ZOOM], numbers[-ZOOM:]):
        inside = (content.cycle >= cycles[0]) & (content.cycle <= cycles[-1])
        time = content.time[inside]
        found.append((float(time.min()), float(time.max()), f"cycles {cycles[0]:.0f} to {cycles[-1]:.0f}"))
    return found
