"""What the journal's tests do in processes of their own, so that they can be killed or misled.

`python journal_children.py FOLDER SEED RECORDS` writes the beginning of the endless run of that seed and,
after each commit, notes in a file beside it how much was acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
import struct
import sys
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

from hilcycler.clock import Stamp
from hilcycler.journal import Journal, Settings, store
from hilcycler.journal.bench import example_header, example_samples, example_step
from hilcycler.records import Note, OffState, Outcome, Record, RunEnded, SampleBlock, StepEnded
from hilcycler.steps import StepResult

RUN = "20260101-childchd"
ACKNOWLEDGED = struct.Struct("<qq")


def hold(path: str, held: Event, done: Event) -> None:
    """Reopen a run, say so, and keep it until told otherwise."""

    async def keep() -> None:
        async with Journal.reopen(Path(path)):
            held.set()
            done.wait(30)

    asyncio.run(keep())


def endless(seed: int) -> Iterator[Record]:
    """A run without end that follows from its seed: steps of any length, samples in chunks of any size."""
    chance = random.Random(seed)
    yield example_header(RUN)
    sequence = 0
    for number in range(1, 1 << 30):
        yield example_step(number, float(sequence))
        for _ in range(chance.randint(0, 12)):
            rows = chance.choice((1, 2, 7, 40, 300))
            columns = example_samples(sequence, rows).columns
            yield SampleBlock(sequence, number, 1 + number % 2, number // 2, columns)
            sequence += rows
            if chance.random() < 0.1:
                yield Note(f"after {sequence}", Stamp(float(sequence), float(sequence)))
        result = StepResult(0, 1.0, 0.0, None, None)
        yield StepEnded(number, result, float(sequence), Stamp(float(sequence), float(sequence)))


def the_end(rows: int) -> RunEnded:
    """The record that ends a run cut short."""
    return RunEnded(Outcome.STOPPED, f"after {rows}", OffState.OFF, Stamp(0.0, 0.0))


def acknowledged_path(folder: Path) -> Path:
    """Where the child notes what was acknowledged; by its name one of the run's files."""
    return folder / f"{RUN}.run.sqlite-acknowledged"


def write(folder: Path, seed: int, records: int) -> None:
    """Write so many records of the endless run, committing now and then, and end it."""
    asyncio.run(_write(folder, seed, records))


async def _write(folder: Path, seed: int, records: int) -> None:
    store.FOLD_EVERY = 5  # type: ignore[misc]  # much folding, so that much can go wrong in it
    chance = random.Random(seed + 1)
    notes = os.open(acknowledged_path(folder), os.O_WRONLY | os.O_CREAT, 0o644)
    events = 0
    async with Journal.create(folder, RUN, Settings(period=0.01)) as journal:
        for record, _ in zip(endless(seed), range(records), strict=False):
            journal.put(record)
            events += not isinstance(record, SampleBlock)
            if chance.random() < 0.3:
                await journal.commit()
                os.pwrite(notes, ACKNOWLEDGED.pack(journal.rows, events), 0)
            elif chance.random() < 0.3:
                await asyncio.sleep(0.002)
        journal.put(the_end(journal.rows))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
