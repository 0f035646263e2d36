"""Voltage and current against time, as they will look: bars from least to greatest, few however long it takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilcycler.errors import RequestError

Floats = NDArray[np.float64]

MOST: Final = 4096
"""Bars, before two and two become one."""
_TERMINAL: Final = 72
_LEVELS: Final = " ▁▂▃▄▅▆▇█"


class Bars(NamedTuple):
    """What was seen up to each `time` (s) since the bar before."""

    time: Floats
    lowest_voltage: Floats
    highest_voltage: Floats
    lowest_current: Floats
    highest_current: Floats


class Profile:
    """Grows by blocks of samples."""

    def __init__(self) -> None:
        self._kept: list[Floats] = []
        self._count = 0
        self._stride = 1

    def add(self, time: Floats, voltage: Floats, current: Floats) -> None:
        """Some more samples, in the order of time."""
        starts = np.arange(0, len(time), self._stride)
        self._kept.append(
            np.stack(
                (
                    time[np.minimum(starts + self._stride, len(time)) - 1],
                    np.minimum.reduceat(voltage, starts),
                    np.maximum.reduceat(voltage, starts),
                    np.minimum.reduceat(current, starts),
                    np.maximum.reduceat(current, starts),
                )
            )
        )
        self._count += len(starts)
        while self._count > MOST:
            self._halve()

    @property
    def bars(self) -> Bars:
        """All of it."""
        return Bars(*(np.concatenate(self._kept, axis=1) if self._kept else np.empty((5, 0))))

    def _halve(self) -> None:
        whole = np.concatenate(self._kept, axis=1)
        starts = np.arange(0, whole.shape[1], 2)
        last = np.minimum(starts + 1, whole.shape[1] - 1)
        halved = [whole[0][last]]
        for at, smaller in ((1, True), (2, False), (3, True), (4, False)):
            merge = np.minimum if smaller else np.maximum
            halved.append(merge(whole[at][starts], whole[at][last]))
        self._kept, self._count = [np.stack(halved)], len(starts)
        self._stride *= 2


def in_a_line(time: Floats, lowest: Floats, highest: Floats) -> str:
    """A quantity over time for a terminal: one character a part of the time, its middle as a height."""
    if not len(time):
        return ""
    places = np.linspace(0.0, time[-1], _TERMINAL)
    values = np.interp(places, time, 0.5 * (lowest + highest))
    low, span = float(values.min()), float(np.ptp(values))
    if not (math.isfinite(span) and span > 0.0):
        return _LEVELS[4] * _TERMINAL
    return "".join(_LEVELS[1 + min(int((value - low) / span * 8), 7)] for value in values)


def draw(bars: Bars, title: str, target: Path) -> Path:
    """The figure at `target`, whose ending says what it becomes (svg, png, pdf). Needs the extra `report`."""
    if target.suffix not in {".svg", ".png", ".pdf"}:
        raise RequestError(f"{target.name}: expected a name that ends in .svg, .png or .pdf")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RequestError("a figure needs the extra `report`: pip install 'hilcycler[report]'") from None
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    length = float(bars.time[-1]) if len(bars.time) else 0.0
    unit, name = (3600.0, "h") if length >= 7200.0 else (60.0, "min") if length >= 120.0 else (1.0, "s")
    for axes, low, high, factor, label in (
        (above, bars.lowest_voltage, bars.highest_voltage, 1.0, "voltage / V"),
        (below, bars.lowest_current, bars.highest_current, 1e3, "current / mA"),
    ):
        time = bars.time / unit
        axes.fill_between(time, low * factor, high * factor, step="pre", color="#1b3a5c", linewidth=0.6)
        axes.set_ylabel(label)
        axes.margins(x=0.01)
    below.set_xlabel(f"time / {name}")
    above.set_title(f"{title}: rehearsed on a simulated cell", fontsize=8.0)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
    return target
