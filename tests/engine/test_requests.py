"""What people ask of a run acts where the output is off, is written down, and is replayed after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from spine import make_twin, order

from hilcycler.clock import loop_time
from hilcycler.engine import ASIDE, Boundary, By, Doing, Execution, LeftRunning
from hilcycler.errors import RequestError
from hilcycler.journal import Run, Settings, Verdict, open_run, verify
from hilcycler.protocol import Envelope
from hilcycler.records import Gap, OperatorAction, Outcome, RunEnded, StepEnded, StepStarted, Tripped
from hilcycler.service.running import Terms, begun, taken_up
from hilcycler.twin import Twin
from hilcycler_simulators.virtual_time import run

PROTOCOL = """
protocol: three cycles and a spectrum
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 10 s}
steps:
  - rest: {for: 5 min}
  - repeat: 3
    steps:
      - plate: {current: 1 mA, for: 20 min}
      - strip: {current: 1 mA, for: 20 min}
  - peis: {amplitude: 5 mV rms, from: 10 kHz, to: 100 Hz}
"""
ADA = By("ada", "to look at it", "key-of-ada-1")
INLINE = Terms(settings=Settings(inline=True, inline_rows=1))

Meanwhile = Callable[[Execution], Coroutine[Any, Any, None]]


async def step(execution: Execution, count: int) -> None:
    """Wait until step `count` is well under way."""
    while execution.step_count < count:  # noqa: ASYNC110  (virtual time: nobody waits)
        await asyncio.sleep(10.0)
    await asyncio.sleep(300.0)


async def life(twin: Twin, folder: Path, meanwhile: Meanwhile, path: Path | None = None) -> RunEnded | None:
    """One process's part of a run: begun, or taken up; None if it was left as it was."""
    wanted = order(twin, twin.connect, folder, PROTOCOL)
    opened = begun(wanted, INLINE) if path is None else taken_up(path, wanted, INLINE)
    async with opened as ready, ready.journal, asyncio.TaskGroup() as tasks:
        tasks.create_task(meanwhile(ready.execution))
        try:
            return await ready.execution.run()
        except LeftRunning:
            return None


def told(folder: Path, *lives: Meanwhile) -> Run:
    """The run that these lives make, one after the other."""

    async def world() -> None:
        twin = make_twin(pace=1.0)
        for meanwhile in lives:
            await life(twin, folder, meanwhile, next(iter(folder.glob("*.run.sqlite")), None))

    run(world())
    (path,) = folder.glob("*.run.sqlite")
    return open_run(path)


def steps(found: Run) -> list[tuple[int, str]]:
    return [(each.step_index, each.step.kind) for each in found.events() if isinstance(each, StepStarted)]


def actions(found: Run) -> list[str]:
    return [each.verb for each in found.events() if isinstance(each, OperatorAction)]


async def nothing(execution: Execution) -> None:
    pass


PLAIN = [(1, "rest"), *[(2, "constant-current"), (3, "constant-current")] * 3, (4, "peis")]
AGAIN = [(ASIDE, "rest"), (ASIDE, "peis")]


def test_a_pause_in_a_step_parks_it_and_its_remainder_is_run(tmp_path: Path) -> None:
    async def paused(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA)
        await execution.until(Doing.PARKED)
        await asyncio.sleep(50_000.0)
        execution.resume(ADA)

    found = told(tmp_path, paused)
    assert found.ended is not None
    assert found.ended.outcome is Outcome.COMPLETED
    assert steps(found) == [*PLAIN[:2], *AGAIN, *PLAIN[1:]]
    assert actions(found) == ["parked", "resume"]
    (gap,) = [each for each in found.events() if isinstance(each, Gap)]
    ended = [each for each in found.events() if isinstance(each, StepEnded)]
    plate = next(each for each in ended if each.result.partial)
    assert plate.result.elapsed == pytest.approx(1200.0, abs=gap.until - gap.since + 1.0)
    assert abs(plate.result.charge) <= 1.2 + 1e-6, "never more than was asked for"
    assert [each.result.partial for each in ended].count(True) == 1
    whole = 300.0 + 6 * 1200.0 + 60.0 + 200.0
    assert found.last_test_time < whole, "parked time is not cycling time"
    assert verify(found.path).verdict is Verdict.WHOLE


def test_a_pause_after_strip_leaves_no_half_cycle_in_pieces(tmp_path: Path) -> None:
    async def paused(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA, Boundary.STRIP)
        await execution.until(Doing.PARKED)
        assert execution.step_count == 3
        execution.resume(ADA)

    found = told(tmp_path, paused)
    assert steps(found) == [*PLAIN[:3], *AGAIN, *PLAIN[3:]]
    assert actions(found) == ["pause", "parked", "resume"]
    assert not any(each.result.partial for each in found.events() if isinstance(each, StepEnded))
    assert not any(isinstance(each, Gap) for each in found.events())


def test_a_stop_after_the_cycle_ends_there(tmp_path: Path) -> None:
    async def stopped(execution: Execution) -> None:
        await step(execution, 2)
        execution.stop("ada", "enough", Boundary.CYCLE)

    found = told(tmp_path, stopped)
    assert steps(found) == PLAIN[:3]
    assert found.ended is not None
    assert (found.ended.outcome, found.ended.reason) == (Outcome.STOPPED, "ada: enough")


def test_a_skipped_step_is_partial_and_the_next_one_runs(tmp_path: Path) -> None:
    async def skipped(execution: Execution) -> None:
        await step(execution, 2)
        execution.skip(ADA, 2)
        with pytest.raises(RequestError, match=r"ended already|not running"):
            execution.skip(By("bob"), 2)

    found = told(tmp_path, skipped)
    assert steps(found) == PLAIN
    assert actions(found) == ["skip-step"]
    results = [each.result for each in found.events() if isinstance(each, StepEnded)]
    assert [each.partial for each in results].count(True) == 1
    assert results[1].partial
    assert results[1].elapsed < 1200.0


def test_an_extended_repeat_runs_on_and_a_restart_knows_it(tmp_path: Path) -> None:
    async def extended(execution: Execution) -> None:
        with pytest.raises(RequestError, match="no repeat is running"):
            execution.extend(ADA, 2)
        await step(execution, 3)
        execution.extend(ADA, 2)
        await step(execution, 5)
        execution.leave()

    found = told(tmp_path, extended, nothing)
    assert found.ended is not None
    assert found.ended.outcome is Outcome.COMPLETED
    executed = [index for index, _ in steps(found)]
    assert executed.count(2) + executed.count(3) == 10, "three cycles and two more, one of them adopted"
    assert found.cycle == 5


def test_tighter_limits_judge_at_once_and_nothing_widens_them(tmp_path: Path) -> None:
    async def tightened(execution: Execution) -> None:
        await step(execution, 2)
        execution.tighten(ADA, Envelope(voltage=(-5.0, 5.0)))
        assert execution.envelope.voltage == (-1.0, 1.0)
        execution.tighten(ADA, Envelope(voltage=(-0.5, 0.001), charge=1.0))

    found = told(tmp_path, tightened)
    assert found.ended is not None
    assert found.ended.outcome is Outcome.TRIPPED
    (tripped,) = [each for each in found.events() if isinstance(each, Tripped)]
    assert tripped.seen_by == "host"


def test_what_was_parked_stays_parked_over_a_restart(tmp_path: Path) -> None:
    async def parked(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA)
        await execution.until(Doing.PARKED)
        execution.leave()

    async def waits(execution: Execution) -> None:
        assert await execution.until(Doing.PARKED) is Doing.PARKED
        began = loop_time()
        await asyncio.sleep(1e6)
        assert execution.doing is Doing.PARKED
        assert loop_time() - began >= 1e6
        execution.resume(ADA)

    found = told(tmp_path, parked, waits)
    assert found.ended is not None
    assert found.ended.outcome is Outcome.COMPLETED
    assert steps(found) == [*PLAIN[:2], *AGAIN, *PLAIN[1:]]
    assert len([each for each in found.events() if isinstance(each, Gap)]) == 1, "none for the time parked"


def test_a_pause_that_waits_for_its_boundary_survives_a_restart(tmp_path: Path) -> None:
    async def asked(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA, Boundary.STRIP)
        execution.leave()

    async def comes(execution: Execution) -> None:
        assert await execution.until(Doing.PARKED) is Doing.PARKED
        assert execution.step_count == 3
        execution.resume(ADA)

    found = told(tmp_path, asked, comes)
    assert steps(found) == [*PLAIN[:3], *AGAIN, *PLAIN[3:]]


def test_a_pause_while_looking_again_looks_again_from_the_start(tmp_path: Path) -> None:
    async def twice(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA)
        await execution.until(Doing.PARKED)
        execution.resume(ADA)
        await asyncio.sleep(30.0)
        execution.pause(By("bob", "wait"))
        await execution.until(Doing.PARKED)
        execution.resume(ADA)

    found = told(tmp_path, twice)
    assert found.ended is not None
    assert found.ended.outcome is Outcome.COMPLETED
    assert steps(found) == [*PLAIN[:2], AGAIN[0], *AGAIN, *PLAIN[1:]]


def test_a_stop_of_a_parked_run_ends_it(tmp_path: Path) -> None:
    async def stopped(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA)
        await execution.until(Doing.PARKED)
        execution.stop("ada", "broken")

    found = told(tmp_path, stopped)
    assert found.ended is not None
    assert (found.ended.outcome, found.ended.reason) == (Outcome.STOPPED, "ada: broken")


def test_a_stop_that_comes_while_a_pause_switches_off_is_not_lost(tmp_path: Path) -> None:
    async def both(execution: Execution) -> None:
        await step(execution, 2)
        execution.pause(ADA)
        await asyncio.sleep(0.0)
        execution.stop("bob", "at once")
        assert await execution.until(Doing.PARKED) is Doing.OVER

    found = told(tmp_path, both)
    assert found.ended is not None
    assert (found.ended.outcome, found.ended.reason) == (Outcome.STOPPED, "bob: at once")
