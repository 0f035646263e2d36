"""Adaptive experiments on a host that is killed with -9 at any instant, and goes on: over a pty, in real time.

The instrument is in this process and keeps to its script meanwhile. However often the host died, the run
decided as a host that never died would have on the same results; and where the results leave no doubt, it
took the way of an undisturbed run. HILCYCLER_RESUMES says how many benches of each kind (2 by default;
each is killed up to four times).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
from pathlib import Path

import pytest
from dying import on_port
from spine import make_twin

from hilcycler.journal import Run, Verdict, open_run, verify
from hilcycler.language import loads
from hilcycler.links.loop import run
from hilcycler.protocol import resume, walk
from hilcycler.records import StepEnded, StepStarted

BENCHES = int(os.environ.get("HILCYCLER_RESUMES", "2"))
KILLS = 4
CELL = "cell: {working: Li, counter: Li, area: 1.131 cm2}\n"
# Every half-cycle ends below 150 % of the greatest before it: the second and third are suspect.
SHORT = CELL + (
    "experiment: symmetric-until-short\nrecord: {every: 50 ms, decide every: 50 ms}\n"
    "with: {capacity: 0.0004 mAh/cm2, share: 150 %, cycles: 9, rest before: 300 ms}\n"
)
# Spectra of 11 points, some 1.5 s each, of a cell that does not change.
ARC = CELL + (
    "experiment: impedance-until-steady\nrecord: {every: 50 ms, decide every: 50 ms}\n"
    "with: {from: 10 kHz, to: 100 Hz, points per decade: 5, tolerance: 20 %, interval: 300 ms,\n"
    "  settle at most: 300 ms, at most: 20}\n"
)
UNDISTURBED = {SHORT: [1, 2, 3, 2], ARC: [1, 2, 3, 1, 2, 3, 1, 2]}


def lived(address: str, folder: Path, text: str, seconds: float) -> bool:
    """A host process runs, or goes on, for at most `seconds`, then is killed; True if it came to its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying"])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=on_port, args=(address, str(folder), text, there))
    process.start()
    there.close()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
    here.close()
    assert process.exitcode in {0, -9}, f"the host failed by itself: {process.exitcode}"
    return process.exitcode == 0


async def bench(text: str, seed: int, folder: Path) -> None:
    chance, kills = random.Random(seed), 0
    async with make_twin(seed=seed, pace=1.0).listen("pty") as address:
        while True:
            seconds = chance.uniform(1.0, 5.0) if kills < KILLS else 60.0
            if await asyncio.to_thread(lived, address, folder, text, seconds):
                break
            kills += 1
            await asyncio.sleep(chance.choice([0.0, 0.4, 1.2]))
    (path,) = await asyncio.to_thread(lambda: list(folder.glob("*.run.sqlite")))
    assert verify(path).verdict is Verdict.WHOLE
    check(open_run(path), text)


def check(whole: Run, text: str) -> None:
    assert whole.ended is not None
    assert whole.ended.outcome.value == "completed"
    protocol = loads(whole.header.protocol_text).bind(whole.header.cell)
    steps = [each for each in whole.events() if isinstance(each, StepStarted) and each.continues is None]
    results = [each.result for each in whole.events() if isinstance(each, StepEnded)]
    taken = [(each.step_index, each.cycle) for each in steps]
    assert len(taken) == len(results), "each step began once and ended once, in however many pieces"
    for cut in range(len(results)):
        _, following = resume(lambda: walk(protocol), results[:cut], taken[:cut])
        assert following is not None
        assert (following.index, following.cycle) == taken[cut]
    assert resume(lambda: walk(protocol), results, taken)[1] is None, "it ended where the plan ends"
    indices = [index for index, _ in taken]
    if text is SHORT or all(
        result.spectrum for result, index in zip(results, indices, strict=True) if index == 2
    ):
        assert indices == UNDISTURBED[text]
    else:  # a spectrum that was not seen whole decides nothing: another is needed
        assert indices[: len(UNDISTURBED[text])] == UNDISTURBED[text]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("text", [SHORT, ARC], ids=["short", "arc"])
def test_a_killed_host_decides_as_one_that_never_died(text: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as benches:
            for seed in range(BENCHES):
                folder = tmp_path / str(seed)
                folder.mkdir()
                benches.create_task(bench(text, seed, folder))

    run(main())
