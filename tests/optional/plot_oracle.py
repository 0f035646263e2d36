"""Our plot widget beside textual-plot, on the same data, in the same process.

textual-plot is a judge here and never a dependency, so it lives in an environment of its own:

    python3 -m venv /tmp/plots && /tmp/plots/bin/pip install textual-plot==0.10.1 numpy
    PYTHONPATH=cycler /tmp/plots/bin/python tests/optional/plot_oracle.py

Prints processor time a frame, the data rolled and drawn anew in each, both in braille.
"""

from __future__ import annotations

import asyncio

from textual_plot import HiResMode, PlotWidget  # type: ignore[import-not-found]

from hilcycler.tui.benchmark import POINTS, SIZE, Frames, bare, ours, rolling
from hilcycler.tui.picture import Plan

FRAMES = 60


def main() -> None:
    plans = rolling(POINTS)
    for attempt in range(1, 4):
        floor, own, others = bare(FRAMES), ours(plans, FRAMES), theirs(plans)
        print(
            f"{attempt}: {POINTS} points at {SIZE[0]}x{SIZE[1]}, CPU ms a frame: bare screen {floor:.2f}, "
            f"ours {own:.2f}, textual-plot {others:.2f}; ratio {others / own:.1f}"
        )


def theirs(plans: list[Plan]) -> float:
    """Milliseconds of processor time a frame of textual-plot."""
    widget = PlotWidget()

    def change(frame: int) -> None:
        series = plans[frame % len(plans)].series[0]
        widget.clear()
        widget.plot(series.x, series.y, hires_mode=HiResMode.BRAILLE)

    return asyncio.run(Frames(widget, change, FRAMES).measured())


if __name__ == "__main__":
    main()
