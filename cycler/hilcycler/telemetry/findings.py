"""What the evaluations find in a run that has ended, worked out in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hilcycler import registry
from hilcycler.errors import CyclerError
from hilcycler.evaluation import evaluate
from hilcycler.journal import State, open_run
from hilcycler.quantities import Second
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.messages import Result

log = logging.getLogger("hilcycler.telemetry")

AGAIN = 5.0
"""Seconds after which findings that nobody confirmed are sent once more, and twice as long each time."""


class Findings:
    """The findings of one run; `acked` of them are stored."""

    def __init__(self, feed: RunFeed, acked: int, acks: bool) -> None:  # noqa: FBT001
        self._feed, self._acks, self.acked = feed, acks, acked
        self._results: list[Result] | None = None
        self._work: asyncio.Task[list[Result]] | None = None
        self._next: Second = 0.0
        self._wait: Second = AGAIN

    @property
    def done(self) -> bool:
        return self._results is not None and self.acked >= len(self._results)

    async def look(self, now: Second) -> list[Result]:
        """What is to be sent now."""
        if self._results is None:
            return await self._evaluated()
        if self.done or now < self._next:
            return []
        self._next, self._wait = now + self._wait, 2.0 * self._wait
        if not self._acks:
            self.acked = len(self._results)
        return self._results

    async def _evaluated(self) -> list[Result]:
        if self._feed.state not in {State.ENDED, State.SEALED}:
            return []
        if self._work is None:
            self._work = asyncio.ensure_future(_elsewhere(self._feed.path, self._feed.run))
        if self._work.done():
            self._results = self._work.result()
        return []


async def _elsewhere(path: Path, run: str) -> list[Result]:
    """In a process that ends afterwards: evaluations take memory and time that are not ours to spend."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            found = await asyncio.get_running_loop().run_in_executor(pool, findings, path)
        except BrokenProcessPool as error:
            log.warning("run %s: not evaluated: %s", run, error)
            found = []
    return [
        Result(run=run, evaluation=name, number=number, of=len(found), finding=finding)
        for number, (name, finding) in enumerate(found)
    ]


def findings(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What each installed evaluation finds in the run at `path`, and its summary; some can say nothing."""
    found = []
    for name in registry.names("evaluations"):
        try:
            accumulator, each = evaluate(open_run(path), registry.evaluation(name))
            every = [*each, *accumulator.summary()]
        except CyclerError as error:
            log.info("%s of %s: %s", name, path.name, error)
            continue
        except Exception:  # whoever wrote it: telemetry goes on without it
            log.exception("the evaluation %s failed on %s", name, path.name)
            continue
        found += [(name, finding.as_dict()) for finding in every]
    return found
