"""A host that goes silent while the instrument works on: the next host takes over, in virtual time.

The first host is frozen, as a stopped process is, and its run file is taken as a crash leaves it;
the second host goes on from that copy, on the same instrument.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spine import make_twin, order

from hilcycler.clock import TWIN_EPOCH, Stamp, loop_time
from hilcycler.errors import LinkLost
from hilcycler.journal import Run, Settings, open_run
from hilcycler.links import Link
from hilcycler.records import Gap, Outcome, Resumed, StepEnded, StepStarted
from hilcycler.service.foreground import Order, go_on, perform
from hilcycler.twin import Twin
from hilcycler_simulators.virtual_time import run

INLINE = Settings(inline=True, inline_rows=1)
PROTOCOL = """
protocol: two half-cycles
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 10 s}
steps:
  - plate: {current: 1 mA, until: {charge: 1 mAh}}
  - strip: {current: 1 mA, until: {charge: 1 mAh}}
"""


class WorldClock:
    """UTC in a simulated world: the loop's own time."""

    def stamp(self, test_time: float) -> Stamp:
        return Stamp(TWIN_EPOCH + loop_time(), loop_time())


class Frozen:
    """A host's connection that can be frozen: from then on nothing passes, and nothing fails."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._link: Link | None = None
        self.frozen = False

    async def connect(self) -> Frozen:
        if self.frozen:
            raise LinkLost("frozen")
        self._link = await self._twin.connect()
        return self

    @property
    def name(self) -> str:
        return "frozen"

    async def send(self, data: bytes) -> None:
        assert self._link is not None
        if not self.frozen:
            await self._link.send(data)

    async def receive(self, deadline: float) -> bytes:
        assert self._link is not None
        while not self.frozen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    return await self._link.receive(deadline)
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None:
        if self._link is not None and not self.frozen:
            await self._link.aclose()


@asynccontextmanager
async def silent_host(wanted: Order, host: Frozen, seconds: float, copy: Path) -> AsyncIterator[Path]:
    """A host that runs for `seconds` and freezes; yields its run file as a crash would leave it."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(perform(wanted, settings=INLINE))
        await asyncio.sleep(seconds)
        host.frozen = True
        await asyncio.sleep(2.0)
        for path in wanted.folder.glob("*.run.sqlite*"):
            shutil.copy(path, copy)
        (taken,) = copy.glob("*.run.sqlite")
        yield taken
        task.cancel()


def resumed(tmp_path: Path, *, until: float, blind: float) -> Run:
    async def world() -> Path:
        twin = make_twin(pace=1.0)
        host = Frozen(twin)
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir()
        second.mkdir()
        wanted = replace(order(twin, host.connect, first, PROTOCOL), clock=WorldClock())
        async with silent_host(wanted, host, until, second) as path:
            await asyncio.sleep(blind)
            after = replace(wanted, connect=twin.connect, folder=second)
            performed = await go_on(path, after, settings=INLINE)
            assert performed.ended.outcome is Outcome.COMPLETED, performed.ended.reason
        return path

    return open_run(run(world()))


@pytest.fixture
def undisturbed(tmp_path: Path) -> Run:
    async def world() -> Path:
        twin = make_twin(pace=1.0)
        (tmp_path / "whole").mkdir()
        wanted = replace(order(twin, twin.connect, tmp_path / "whole", PROTOCOL), clock=WorldClock())
        return (await perform(wanted, settings=INLINE)).path

    return open_run(run(world()))


def results(found: Run) -> list[StepEnded]:
    return [each for each in found.events() if isinstance(each, StepEnded)]


def test_a_running_script_is_adopted_and_the_gap_declared(tmp_path: Path, undisturbed: Run) -> None:
    found = resumed(tmp_path, until=1800.0, blind=600.0)
    events = found.events()
    assert [each.adopted for each in events if isinstance(each, Resumed)] == [True]
    assert len([each for each in events if isinstance(each, StepStarted)]) == 2
    (gap,) = [each for each in events if isinstance(each, Gap)]
    assert gap.until - gap.since == pytest.approx(602.0, abs=15.0)
    assert gap.charge_bound == pytest.approx(1e-3 * (gap.until - gap.since))
    plate, strip = results(found)
    assert plate.result.partial
    assert not strip.result.partial
    whole = undisturbed.columns()
    rows = found.columns()
    kept = np.isin(np.round(whole["test_time"], 3), np.round(rows["test_time"], 3))
    missing = whole["test_time"][~kept]
    assert len(missing) == pytest.approx(60, abs=3), "only what the gap declares is missing"
    assert ((missing > gap.since) & (missing < gap.until + 15.0)).all()
    assert (whole["voltage"][kept] == rows["voltage"]).all()
    assert [each.result.elapsed for each in results(found)] == [
        e.result.elapsed for e in results(undisturbed)
    ]


def test_a_step_that_ended_by_itself_meanwhile_is_not_run_again(tmp_path: Path, undisturbed: Run) -> None:
    found = resumed(tmp_path, until=1800.0, blind=4000.0)
    events = found.events()
    assert [each.adopted for each in events if isinstance(each, Resumed)] == [False]
    started = [each for each in events if isinstance(each, StepStarted)]
    assert [each.step_index for each in started] == [1, 2]
    plate, strip = results(found)
    assert plate.result.partial
    assert abs(plate.result.charge) == pytest.approx(1.8, rel=0.02)
    assert strip.result.charge == results(undisturbed)[1].result.charge
