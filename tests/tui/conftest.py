"""A person in front of the view of an imagined run."""

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

    def look(self) -> Look:
        return Look((), recording=True)


class Viewer:
    """A person in front of the view."""

    def __init__(self, app: ViewApp, screen: RunScreen, pilot: Pilot[None]) -> None:
        self.app, self.screen, self.pilot = app, screen, pilot

    async def sees(self, *records: Record, recording: bool = True) -> None:
        self.screen.take(Look(records, recording))
        await self.pilot.pause()

    async def presses(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

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
    screen = RunScreen(Silence(), MeanMagnitude())
    app = ViewApp(screen)
    async with app.run_test(size=size) as pilot:
        yield Viewer(app, screen, pilot)


@pytest.fixture
def viewing() -> Callable[[tuple[int, int]], AbstractAsyncContextManager[Viewer]]:
    return _viewing
