"""The overpotential of every cycle, with its definition on the axis: without it the number says nothing."""

from __future__ import annotations

from textwrap import fill
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hilcycler.report.content import Content
from hilcycler.report.style import COLUMN, INK, blank, caption

_SHOWN: Final = {"V": ("mV", 1e3)}
_WIDEST: Final = 42  # characters along the axis
_FEW: Final = 60  # so few points are drawn as marks, more as a line


def figure(content: Content) -> Figure | None:
    """The figure; None while no cycle is complete."""
    found = content.per_cycle
    if found is None:
        return None
    unit, scale = _SHOWN.get(found.unit, (found.unit, 1.0))
    drawn = blank(COLUMN, 2.7)
    caption(drawn, content)
    axes = drawn.add_subplot()
    marks = {"marker": "o", "markersize": 2.4, "linewidth": 0.0} if len(found.cycles) <= _FEW else {}
    axes.plot(found.cycles, scale * found.values, color=INK, **marks)  # type: ignore[arg-type]
    axes.set_xlabel("Cycle")
    name = found.name[:1].upper() + found.name[1:]
    said = [f"{name} ({unit})", fill(found.definition, _WIDEST), fill(found.circumstances, _WIDEST)]
    axes.set_ylabel("\n".join(line for line in said if line), fontsize=6.5, parse_math=False)
    low, high = scale * float(found.values.min()), scale * float(found.values.max())
    axes.set_ylim(min(0.0, 1.08 * low), max(1.08 * high, 1e-9))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return drawn
