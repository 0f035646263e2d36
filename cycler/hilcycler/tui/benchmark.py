"""`cycler bench plot`: what a frame of the plot widget costs in processor time."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Sequence
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
    rows = [_row("bare screen", 0, frames, bare(frames), 0.0)]
    for points in (2_000, POINTS, 2_000_000):
        count = frames if points <= POINTS else max(frames // 20, 10)
        plans = rolling(points)
        before = _cpu()
        for frame in range(count):
            draw(plans[frame % len(plans)], *SIZE)
        alone = (_cpu() - before) / count * 1e3
        rows.append(_row("plot", points, count, ours(plans, count), alone))
    return rows


def bare(frames: int) -> float:
    """Milliseconds of processor time a frame of an empty screen: what is not the plot's."""
    widget = Static("x")
    return asyncio.run(Frames(widget, lambda _: widget.refresh(), frames).measured())


def ours(plans: Sequence[Plan], frames: int) -> float:
    """Milliseconds of processor time a frame of the plot, composited, everything included."""
    widget = Plot(plans[0])

    def change(frame: int) -> None:
        widget.plan = plans[frame % len(plans)]

    return asyncio.run(Frames(widget, change, frames).measured())


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


def _row(what: str, points: int, frames: int, whole: float, drawing: float) -> dict[str, Any]:
    return {
        "screen": what,
        "points": points,
        "frames": frames,
        "CPU ms a frame": round(whole, 2),
        "of which drawing": round(drawing, 2),
        "limit": LIMIT if points == POINTS else None,
    }


class Frames(App[None]):
    """A screen full of one widget; `change` makes it draw frame after frame anew, `count` times."""

    CSS = "Screen > * { width: 100%; height: 100%; }"

    def __init__(self, widget: Widget, change: Callable[[int], object], count: int) -> None:
        super().__init__()
        self._widget, self._change, self._count = widget, change, count
        self._shown = 0
        self._done = asyncio.Event()

    def compose(self) -> ComposeResult:
        """See App."""
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
        if self._shown == self._count:
            self._done.set()
            return
        self._change(self._shown)
        self._shown += 1
        self._widget.call_after_refresh(self._next)


def _cpu() -> float:
    """Seconds of processor time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
