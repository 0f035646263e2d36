"""One number of every cycle, with its definition on the axis: without it the number says nothing."""

from __future__ import annotations

from textwrap import fill
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hilcycler.report.content import Content, PerCycle
from hilcycler.report.style import COLUMN, FAINT, INK, blank, caption

_WIDEST: Final = 42  # characters along the axis
_FEW: Final = 60  # so few points are drawn as marks, more as a line


def figure(content: Content, evaluation: str = "overpotential") -> Figure | None:
    """The figure of what `evaluation` says; None while no cycle is complete. Grey: 95 % intervals."""
    found = content.per_cycle.get(evaluation)
    if found is None:
        return None
    drawn = blank(COLUMN, 2.7)
    caption(drawn, content)
    axes = drawn.add_subplot()
    marks = {"marker": "o", "markersize": 2.4, "linewidth": 0.0} if len(found.cycles) <= _FEW else {}
    axes.plot(found.cycles, found.values, color=INK, **marks)  # type: ignore[arg-type]
    if np.isfinite(found.low).any():
        axes.fill_between(found.cycles, found.low, found.high, color=FAINT, linewidth=0.0, zorder=0)
    axes.set_xlabel("Cycle")
    name = found.name[:1].upper() + found.name[1:]
    said = [f"{name} ({found.unit})", fill(found.definition, _WIDEST), fill(found.circumstances, _WIDEST)]
    axes.set_ylabel("\n".join(line for line in said if line), fontsize=6.5, parse_math=False)
    _scale(axes, found)
    axes.set_xlim(0.0, 1.02 * max(float(np.max(found.cycles)), 1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return drawn


def _scale(axes: Axes, found: PerCycle) -> None:
    """From zero, but for efficiencies: what matters of them is how little is missing."""
    low, high = float(found.values.min()), float(found.values.max())
    if found.unit == "%":
        least, most = (
            min(low, float(np.nanmin([low, *found.low]))),
            max(high, float(np.nanmax([high, *found.high]))),
        )
        room = max(0.08 * (most - least), 0.05)
        axes.set_ylim(least - room, most + room)
    else:
        axes.set_ylim(min(0.0, 1.08 * low), max(1.08 * high, 1e-9))
