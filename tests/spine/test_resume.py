"""A host that is killed in the middle of a run, and goes on: over a pty, in real time.

The instrument is a process of its own and keeps to its script meanwhile, as a real one does.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from dying import on_port
from spine import make_twin

from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.links.loop import run
from hilcycler.records import Gap, Resumed, StepEnded, StepStarted

BENCHES = int(os.environ.get("HILCYCLER_RESUMES", "4"))
SHORT = """
protocol: short steps, in real time
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 50 ms, decide every: 50 ms}
steps:
  - rest: {for: 300 ms}
  - repeat: 2
    steps:
      - plate: {current: 1 mA, for: 1500 ms}
      - strip: {current: 1 mA, for: 1500 ms}
"""


class Host:
    """The process that runs, is killed, and runs again."""

    def __init__(self, address: str, folder: Path) -> None:
        self._arguments = (address, str(folder), SHORT)
        self.promised: tuple[int, int] | None = None
        self.outcome: str | None = None

    async def live(self, seconds: float) -> bool:
        """Run for at most `seconds`, then be killed; True if it came to its end before."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["dying"])
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=on_port, args=(*self._arguments, there))
        process.start()
        there.close()
        if not await over(process.sentinel, seconds):
            process.kill()
        process.join()
        self._hear(here)
        assert process.exitcode in {0, -9}, f"the host failed by itself: {process.exitcode}"
        return process.exitcode == 0

    def _hear(self, here: Connection) -> None:
        try:
            while here.poll(0):
                match here.recv():
                    case str(outcome):
                        self.outcome = outcome
                    case promised:
                        self.promised = promised
        except EOFError:
            pass


async def over(sentinel: int, seconds: float) -> bool:
    """Whether the process behind `sentinel` ends within `seconds`.

    Asked on the loop: two threads that ask for children at once may rob each other of the answer.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sentinel, ended.set)
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return False
    else:
        return True
    finally:
        loop.remove_reader(sentinel)


async def bench(seed: int, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir)
    chance = random.Random(seed)
    twin = make_twin(seed=seed, pace=1.0)
    kills = 0
    async with twin.listen("pty") as address:
        host = Host(address, folder)
        while not await host.live(chance.uniform(0.8, 3.0) if kills < 3 else 60.0):
            kills += 1
            interrupted(folder, host.promised)
            await asyncio.sleep(chance.choice([0.0, 0.5, 1.5]))
    assert host.outcome == "completed"
    check(folder, kills)


def interrupted(folder: Path, promised: tuple[int, int] | None) -> None:
    for path in folder.glob("*.run.sqlite"):
        found = open_run(path)
        assert found.state is State.INTERRUPTED
        assert promised is None or found.rows >= promised[0]


def check(folder: Path, kills: int) -> None:
    (path,) = folder.glob("*.run.sqlite")
    assert verify(path).verdict is Verdict.WHOLE
    whole = open_run(path)
    events = whole.events()
    steps = [each for each in events if isinstance(each, StepStarted) and each.continues is None]
    ended = [each for each in events if isinstance(each, StepEnded)]
    assert [each.step_index for each in steps] == [1, 2, 3, 2, 3]
    assert len(ended) == 5, "each step ended once, whatever happened in between"
    gaps = [each for each in events if isinstance(each, Gap)]
    assert len([each for each in events if isinstance(each, Resumed)]) == len(gaps) <= kills
    partial = [each.result.partial for each in ended]
    assert sum(partial) <= len(gaps)
    for each in ended[1:]:
        assert abs(each.result.charge) <= 1.53e-3, "no half-cycle passes more than was asked for"
        if not each.result.partial:
            assert abs(each.result.charge) == pytest.approx(1.5e-3, rel=0.02)
    times = whole.columns(["test_time"])["test_time"]
    assert (np.diff(times) > 0).all(), "no row twice, no row out of order"


@pytest.mark.timeout(120)
def test_killed_hosts_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as benches:
            for seed in range(BENCHES):
                benches.create_task(bench(seed, tmp_path / str(seed)))

    run(main())
