"""`cycler bench plot`: what a frame of the plot widget costs in processor time."""

from __future__ import annotations

import asyncio
import resource
from typing import Any, Final

import numpy as np
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from hilcycler.tui.picture import Axis, Plan, Series, draw
from hilcycler.tui.plot import Plot

SIZE: Final = (120, 40)
POINTS: Final = 20_000
LIMIT: Final = 5.0
"""Milliseconds of processor time a frame that we promise at POINTS and SIZE."""


def plot(*, full: bool) -> list[dict[str, Any]]:
    """Processor time per frame of the terminal plot, 20 000 points at 120x40."""
    frames = 1000 if full else 200
    rows = []
    for points in (2_000, POINTS, 2_000_000):
        count = frames if points <= POINTS else max(frames // 20, 10)
        plans = rolling(points)
        whole = asyncio.run(_Frames(Plot(plans[0]), plans, count).measured())
        before = _cpu()
        for frame in range(count):
            draw(plans[frame % len(plans)], *SIZE)
        alone = (_cpu() - before) / count * 1e3
        rows.append(
            {
                "points": points,
                "frames": count,
                "frame, CPU ms": round(whole, 2),
                "of which drawing": round(alone, 2),
                "limit": LIMIT if points == POINTS else None,
            }
        )
    bare = asyncio.run(_Frames(Static("x"), [], frames).measured())
    none = {
        "points": 0,
        "frames": frames,
        "frame, CPU ms": round(bare, 2),
        "of which drawing": 0.0,
        "limit": None,
    }
    return [none, *rows]


def rolling(points: int) -> list[Plan]:
    """A noisy square wave of so many points that moves on from frame to frame."""
    time = np.linspace(0.0, 6 * 3600.0, points)
    volts = 0.02 * np.sign(np.sin(2 * np.pi * time / 7200.0)) + np.random.default_rng(1).normal(
        0, 2e-4, points
    )
    axes = Axis("test time", "s"), Axis("Voltage", "V")
    step = max(points // 50, 1)
    return [
        Plan(*axes, series=(Series(time, np.roll(volts, frame * step), "measured"),)) for frame in range(8)
    ]


class _Frames(App[float]):
    """A screen full of one widget that is made to draw itself anew so many times."""

    CSS = "Plot, Static { width: 100%; height: 100%; }"

    def __init__(self, widget: Widget, plans: list[Plan], count: int) -> None:
        super().__init__()
        self._widget, self._plans, self._count = widget, plans, count
        self._left = count
        self._done = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield self._widget

    async def measured(self) -> float:
        """Milliseconds of processor time a frame."""
        async with self.run_test(size=SIZE) as pilot:
            await pilot.pause()
            before = _cpu()
            self._next()
            await self._done.wait()
            return (_cpu() - before) / self._count * 1e3

    def _next(self) -> None:
        if not self._left:
            self._done.set()
            return
        self._left -= 1
        if isinstance(self._widget, Plot):
            self._widget.plan = self._plans[self._left % len(self._plans)]
        else:
            self._widget.refresh()
        self._widget.call_after_refresh(self._next)


def _cpu() -> float:
    """Seconds of processor time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
