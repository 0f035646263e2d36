"""Whole runs for the journal's tests to write, and a way to look at what is left of them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hilcycler.clock import Stamp
from hilcycler.errors import JournalError
from hilcycler.journal import Journal, Settings, open_run
from hilcycler.journal.bench import example_header, example_samples, example_step
from hilcycler.records import ImpedancePoint, OffState, Outcome, Record, RunEnded, SampleBlock, StepEnded
from hilcycler.steps import StepResult

RUN = "20260101-testtest"


def count(name: str, few: int) -> int:
    """`few`, unless the environment variable `name` asks for more."""
    return int(os.environ.get(name, few))


def story(steps: int = 3, rows: int = 700, chunk: int = 90) -> list[Record]:
    """The records of a whole run: `steps` steps of `rows` samples, a spectrum after each."""
    records: list[Record] = [example_header(RUN)]
    sequence = 0
    for number in range(1, steps + 1):
        time = float(sequence)
        records.append(example_step(number, time))
        stop = sequence + rows
        while sequence < stop:
            made = example_samples(sequence, min(chunk, stop - sequence))
            records.append(SampleBlock(sequence, number, 1 + number % 2, number // 2, made.columns))
            sequence += len(made)
        records.append(ImpedancePoint(number, float(sequence), 10.0**number, 12.5, -0.5))
        result = StepResult(0, float(rows), -0.7, 0.02, -1e-3)
        records.append(StepEnded(number, result, float(sequence), Stamp(float(sequence), float(sequence))))
    stamp = Stamp(float(sequence), float(sequence))
    records.append(RunEnded(Outcome.COMPLETED, "protocol complete", OffState.OFF, stamp))
    return records


def tell(folder: Path, records: list[Record], settings: Settings | None = None) -> Path:
    """Write `records` into a new run file and leave it."""

    async def write() -> Path:
        async with Journal.create(folder, RUN, settings or Settings(inline=True)) as journal:
            for record in records:
                journal.put(record)
        return journal.path

    return asyncio.run(write())


def cut_short(folder: Path, records: list[Record], settings: Settings) -> Path:
    """The run of `records` as a killed writer leaves it: the first half folded in, the rest in its log."""
    left = folder / "left"
    left.mkdir(parents=True)

    async def write() -> Path:
        async with Journal.create(folder, RUN, settings) as journal:
            for at, record in enumerate(records):
                journal.put(record)
                if at == len(records) // 2:
                    journal._store._writing().fold()
            await journal.commit()
            for path in folder.glob(f"{journal.path.name}*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, left)
        return left / journal.path.name

    return asyncio.run(write())


class Content:
    """Everything a run file gives away when it is read in full."""

    def __init__(self, path: Path) -> None:
        run = open_run(path)
        self.columns = run.columns()
        self.events = [(link.number, link.rows, link.kind, link.record) for link in run.links()]
        self.rows = run.rows

    def begins(self, other: Content) -> bool:
        """Whether this is a beginning of `other`, to the last bit."""
        if len(self.events) > len(other.events) or self.events != other.events[: len(self.events)]:
            return False
        return all(_same(column, other.columns[name][: len(column)]) for name, column in self.columns.items())

    def equals(self, other: Content) -> bool:
        return self.begins(other) and other.begins(self)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def refusal(work: Callable[[], object]) -> JournalError:
    """The JournalError that `work` raises."""
    with pytest.raises(JournalError) as caught:
        work()
    return caught.value


def written_columns(records: list[Record]) -> dict[str, NDArray[Any]]:
    """What reading the samples of `records` must give."""
    parts = [record for record in records if isinstance(record, SampleBlock)]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    for name in ("step_count", "step_index", "cycle"):
        columns[name] = np.concatenate([np.full(len(part), getattr(part, name), np.int32) for part in parts])
    return columns
