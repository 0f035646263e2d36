"""A person in front of the view of an imagined run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import numpy as np
import pytest
from imagined_run import ImaginedRun
from textual.pilot import Pilot

from hilcycler.records import Record, SampleBlock
from hilcycler.tui.app import ViewApp
from hilcycler.tui.feed import Look
from hilcycler.tui.run_screen import RunScreen


@pytest.fixture
def imagined() -> ImaginedRun:
    return ImaginedRun()


class MeanMagnitude:
    """An evaluation of the live kind, for the screen's tests: mean |V| of a cycle."""

    label = "Overpotential, mean |V|"
    unit = "V"
    broken = ""

    def __init__(self) -> None:
        self._volts: dict[int, list[float]] = {}

    def put(self, record: Record) -> None:
        if isinstance(record, SampleBlock):
            self._volts.setdefault(record.cycle, []).extend(np.abs(record.columns["voltage"]))

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        cycles = np.array(sorted(self._volts), dtype=np.float64)
        return cycles, np.array([np.mean(self._volts[int(cycle)]) for cycle in cycles])


class Silence:
    """A feed that never brings anything: the tests hand records to the screen themselves."""

    recording = True

    def look(self) -> Look:
        return Look((), self.recording)


class Viewer:
    """A person in front of the view."""

    def __init__(self, app: ViewApp, screen: RunScreen, pilot: Pilot[None], feed: Silence) -> None:
        self.app, self.screen, self.pilot, self._feed = app, screen, pilot, feed

    async def sees(self, *records: Record, recording: bool = True) -> None:
        self._feed.recording = recording
        self.screen.take(Look(records, recording))
        await self._settled()

    async def presses(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self._settled()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30.0):
            while not condition():
                await self.pilot.pause(0.01)

    async def _settled(self) -> None:
        """Until every message is handled and nothing on the screen changes any more.

        The library's own pause waits for an idle processor, which a busy machine looks like.
        """
        for _ in range(4):
            await self.pilot.pause(0)
        shown = ""
        while self.app.is_running and shown != self.text:
            shown = self.text
            await self.pilot.pause(0)

    @property
    def lines(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def svg(self) -> str:
        return self.app.export_screenshot(title="cycler", simplify=True)


@asynccontextmanager
async def _viewing(size: tuple[int, int]) -> AsyncIterator[Viewer]:
    feed = Silence()
    screen = RunScreen(feed, MeanMagnitude())
    app = ViewApp(screen)
    async with app.run_test(size=size) as pilot:
        yield Viewer(app, screen, pilot, feed)


@pytest.fixture
def viewing() -> Callable[[tuple[int, int]], AbstractAsyncContextManager[Viewer]]:
    return _viewing
