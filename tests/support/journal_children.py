"""What the journal's tests do in processes of their own, so that they can be killed or misled.

`write FOLDER SEED RECORDS` writes the beginning of the endless run of that seed and, after each commit,
notes in a file beside it how much was acknowledged. `obey SETTINGS` does what it is told, line by line.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from hilcycler.clock import Stamp
from hilcycler.errors import JournalError
from hilcycler.journal import DiskPolicy, Journal, Settings, open_run
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
    settings = Settings(period=0.01, disk=DiskPolicy(fold_every=5))  # much folding, much that can go wrong
    chance = random.Random(seed + 1)
    notes = os.open(acknowledged_path(folder), os.O_WRONLY | os.O_CREAT, 0o644)
    events = 0
    async with Journal.create(folder, RUN, settings) as journal:
        for record, _ in zip(endless(seed), range(records), strict=False):
            journal.put(record)
            events += not isinstance(record, SampleBlock)
            if chance.random() < 0.3:
                await journal.commit()
                os.pwrite(notes, ACKNOWLEDGED.pack(journal.rows, events), 0)
            elif chance.random() < 0.3:
                await asyncio.sleep(0.002)
        journal.put(the_end(journal.rows))


def follow_all(path: Path, end: Connection) -> None:
    """Follow the run at `path` to its end; tell how many looks it took and what was seen."""

    async def follow() -> tuple[int, dict[str, Any], list[str]]:
        looks = 0
        parts: dict[str, list[Any]] = {}
        kinds: list[str] = []
        async for news in open_run(path).follow(every=0.01):
            looks += 1
            kinds += [event.kind for event in news.events]
            for name, column in news.columns.items():
                parts.setdefault(name, []).append(column)
        return looks, {name: np.concatenate(columns) for name, columns in parts.items()}, kinds

    end.send("following")
    end.send(asyncio.run(follow()))


class Obedient:
    """A journal that a test tells what to do, in words; it answers each with a line of JSON."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._warnings: list[str] = []

    async def obey(self) -> None:
        told = self._told
        policy = DiskPolicy(
            reserve=told.get("reserve", 1 << 16),
            low=told.get("low", 0),
            fallback=Path(told["fallback"]) if "fallback" in told else None,
            fold_every=told.get("fold_every", 256),
            warn=self._warnings.append,
        )
        settings = Settings(
            period=3600.0, patience=told.get("patience", 60.0), ring=told.get("ring", 1 << 16), disk=policy
        )
        try:
            async with Journal.create(Path(told["folder"]), RUN, settings) as journal:
                self._answer("open")
                while (order := await asyncio.to_thread(sys.stdin.readline)) not in ("", "leave\n"):
                    await self._one(journal, order.split())
        except JournalError as error:
            self._answer(str(error))
        else:
            self._answer("left")

    async def _one(self, journal: Journal, order: list[str]) -> None:
        try:
            match order:
                case ["put", rows]:
                    journal.put(example_samples(journal.rows, int(rows)))
                case ["header"]:
                    journal.put(example_header(RUN))
                case ["note"]:
                    journal.put(Note("", Stamp(0.0, 0.0)))
                case ["end"]:
                    journal.put(the_end(journal.rows))
                case ["commit"]:
                    await journal.commit()
                case ["rescue", folder]:
                    await journal.rescue(Path(folder))
            self._answer("done")
        except JournalError as error:
            self._answer(str(error))

    def _answer(self, words: str) -> None:
        print(json.dumps([words, self._warnings]), flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, seed, records]:
            write(Path(folder), int(seed), int(records))
        case ["obey", told]:
            asyncio.run(Obedient(json.loads(told)).obey())
