"""A run that goes on in real time while a trial does something else: ten rows at a time, spectra, events."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Self

import numpy as np

from hilcycler.clock import Stamp, loop_time, process_time, wall_clock
from hilcycler.journal import Journal, new_run_id, run_path
from hilcycler.journal.bench import example_header, example_samples, example_step
from hilcycler.records import ImpedancePoint, Note, OffState, Outcome, RunEnded, SampleBlock, StepEnded
from hilcycler.steps import StepResult

PERIOD = 0.05
ROWS = 10
STEP = 40
"""Blocks in a step."""


class LiveRun:
    """`with LiveRun(folder) as run`: leaving the block ends the run. `late`: how late each block was taken.

    `before`: rows that are there when it begins. `put`: when the rows from a sequence number on were put.
    """

    def __init__(self, folder: Path, *, before: int = 0, period: float = PERIOD, rows: int = ROWS) -> None:
        self.run = new_run_id()
        self.path = run_path(folder, self.run)
        self.late: list[float] = []
        self.rows = 0
        self.put: dict[int, float] = {}
        self._folder, self._before, self._period, self._size = folder, before, period, rows
        self.ready = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._go()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30.0)

    async def _go(self) -> None:
        async with Journal.create(self._folder, self.run) as journal:
            journal.put(example_header(self.run))
            step = await self._prelude(journal)
            began, block = loop_time(), 0
            self.ready.set()
            while not self._over.is_set():
                time = float(self.rows)
                if block % STEP == 0:
                    step += 1
                    journal.put(example_step(step, time))
                columns = example_samples(self.rows, self._size).columns
                self.put[self.rows] = process_time()
                journal.put(SampleBlock(self.rows, step, 1 + step % 2, step // 2, columns))
                self.rows += self._size
                block += 1
                if block % STEP == 0:
                    self._end_step(journal, step)
                due = began + block * self._period
                await asyncio.sleep(max(0.0, due - loop_time()))
                self.late.append(loop_time() - due)
            stamp = self._stamp()
            journal.put(RunEnded(Outcome.COMPLETED, "protocol complete", OffState.OFF, stamp))

    async def _prelude(self, journal: Journal) -> int:
        """What happened before anybody looked: steps of an hour."""
        step = 0
        while self.rows < self._before:
            step += 1
            journal.put(example_step(step, float(self.rows)))
            size = min(3600, self._before - self.rows)
            columns = example_samples(self.rows, size).columns
            journal.put(SampleBlock(self.rows, step, 1 + step % 2, step // 2, columns))
            self.rows += size
            self._end_step(journal, step)
            if step % 16 == 0:
                await journal.commit()
        await journal.commit()
        return step

    def _end_step(self, journal: Journal, step: int) -> None:
        for exponent in np.linspace(5.0, -1.0, 12):
            frequency = float(10.0**exponent)
            z = 10.0 + 50.0 / (1.0 + 1j * frequency / 100.0)
            journal.put(ImpedancePoint(step, float(self.rows), frequency, z.real, z.imag))
        journal.put(Note("nothing of note", self._stamp()))
        result = StepResult(0, float(STEP * ROWS), -0.7, 0.02, -1e-3)
        journal.put(StepEnded(step, result, float(self.rows), self._stamp()))

    def _stamp(self) -> Stamp:
        return Stamp(wall_clock(), float(self.rows))
