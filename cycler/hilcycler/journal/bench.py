"""What the journal costs, measured: behind `cycler bench journal`, and the runs that tests write."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from hilcycler import disk
from hilcycler.cell import Cell, Electrode
from hilcycler.clock import Stamp, loop_time, process_time
from hilcycler.journal import blocks, chain
from hilcycler.journal.file import RunFile, Text
from hilcycler.journal.journal import Journal, Settings, Written
from hilcycler.journal.names import new_run_id, run_path
from hilcycler.journal.proof import Segment
from hilcycler.journal.reading import open_run
from hilcycler.protocol import Envelope
from hilcycler.quantities import Hertz, Second
from hilcycler.records import Instrument, RunStarted, SampleBlock, StepStarted, to_json
from hilcycler.steps import ConstantCurrent, End, TimeReached

T = TypeVar("T")

STEP_ROWS: Final = 3600
"""Samples of one step of an example run."""

_NOISE: Final = np.random.default_rng(1).standard_normal(1 << 16)


def example_header(run: str) -> RunStarted:
    """The first record of an example run."""
    return RunStarted(
        run=run,
        protocol_name="example",
        protocol_text="",
        protocol_sha256="",
        cell=Cell("example", Electrode("Li"), Electrode("Li")),
        instrument=Instrument("example", "none", "0", "0", simulated=True),
        envelope=Envelope(),
        versions={},
        stamp=Stamp(0.0, 0.0),
    )


def example_step(count: int, test_time: Second) -> StepStarted:
    """The beginning of a step of an example run: half an hour of plating or stripping."""
    current = -1e-3 if count % 2 else 1e-3
    step = ConstantCurrent(current, (End(TimeReached(1800.0)),))
    return StepStarted(count, 1 + count % 2, count // 2, step, test_time, Stamp(test_time, test_time))


def example_samples(sequence: int, rows: int, period: Second = 1.0) -> SampleBlock:
    """Samples that follow from their numbers: 1 uV and 1 nA of resolution, noise of the device class."""
    number = np.arange(sequence, sequence + rows)
    noise = _NOISE[number & 0xFFFF]
    count = 1 + sequence // STEP_ROWS
    columns = {
        "test_time": number * period,
        "voltage": np.round((0.02 + 2e-5 * noise) * 1e6) * 1e-6,
        "current": np.round((-1e-3 + 2e-8 * noise[::-1]) * 1e9) * 1e-9,
        "range": np.full(rows, 3, np.uint8),
        "status": np.zeros(rows, np.uint8),
    }
    return SampleBlock(sequence, count, 1 + count % 2, count // 2, columns)


def make_run(folder: Path, rows: int, rows_a_commit: int, period: Second = 1.0) -> Path:
    """A run of so many samples, written with so many a commit, as by an instrument of that rate.

    The run has not ended, and its writer is gone.
    """
    run = new_run_id()
    path = run_path(folder, run)
    folder.mkdir(parents=True, exist_ok=True)
    disk.create(path)
    file = RunFile.create(path, Segment(run, 1, 0, 0, chain.START))
    file.write([Text("run-started", to_json(example_header(run)))])
    for at, sequence in enumerate(range(0, rows, rows_a_commit)):
        samples = example_samples(sequence, min(rows_a_commit, rows - sequence), period)
        file.write([blocks.checked(samples)])
        if at % 256 == 0:
            file.fold()
    file.close()
    return path


# --- writing ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What so many runs at so many samples a second cost. `cpu` is of one core; times in seconds."""

    runs: int
    rate: Hertz
    duration: Second
    rows: int
    lost: int
    cpu: float
    cpu_writers: float
    commits: int
    commit_p50: Second
    commit_p99: Second
    commit_max: Second
    durable_p99: Second
    durable_p999: Second
    durable_max: Second
    bytes_a_row: float
    machine: str


def load(folder: Path, *, runs: int = 64, rate: Hertz = 1000.0, duration: Second = 60.0) -> LoadFigures:
    """Write `runs` files at `rate` samples a second each for so long, and read back what is there.

    Samples come in blocks of a twentieth of a second, ready made. `cpu` is that of the whole process:
    taking the samples, packing and writing them; `cpu_writers` of the writer threads alone.
    """
    return asyncio.run(_load(folder, runs, rate, duration))


async def _load(folder: Path, runs: int, rate: Hertz, duration: Second) -> LoadFigures:
    chunk = max(1, round(rate / 20))
    rows = int(duration * rate) // chunk * chunk
    seen: list[Written] = []
    feed = _Feed(
        rows=rows,
        chunk=chunk,
        rate=rate,
        ready=[example_samples(at, chunk, 1 / rate) for at in range(0, STEP_ROWS * 2, chunk)],
        settings=Settings(observe=seen.append),
    )
    before = _cpu()
    began = process_time()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(feed.run(folder, at / runs / 20)) for at in range(runs)]
    took = process_time() - began
    whole, own = (now - then for now, then in zip(_cpu(), before, strict=True))
    paths = [task.result() for task in tasks]
    commit = np.array([each.took for each in seen])
    waited = np.array([each.waited for each in seen])
    return LoadFigures(
        runs=runs,
        rate=rate,
        duration=took,
        rows=rows * runs,
        lost=rows * runs - sum(open_run(path).rows for path in paths),
        cpu=whole / took,
        cpu_writers=(whole - own) / took,
        commits=len(seen),
        commit_p50=float(np.quantile(commit, 0.5)),
        commit_p99=float(np.quantile(commit, 0.99)),
        commit_max=float(commit.max()),
        durable_p99=float(np.quantile(waited, 0.99)),
        durable_p999=float(np.quantile(waited, 0.999)),
        durable_max=float(waited.max()),
        bytes_a_row=sum(path.stat().st_size for path in paths) / (rows * runs),
        machine=machine(),
    )


@dataclass(frozen=True)
class _Feed:
    """What each run of a load is fed with: `rows` in all, `chunk` at a time, `rate` a second."""

    rows: int
    chunk: int
    rate: Hertz
    ready: list[SampleBlock]
    settings: Settings

    async def run(self, folder: Path, offset: Second) -> Path:
        run = new_run_id()
        async with Journal.create(folder, run, self.settings) as journal:
            journal.put(example_header(run))
            await journal.commit()
            start = loop_time() + offset
            for at, sequence in enumerate(range(0, self.rows, self.chunk)):
                journal.put(self._samples(at, sequence))
                due = start + (sequence + self.chunk) / self.rate
                await asyncio.sleep(max(0.0, due - loop_time()))
        return journal.path

    def _samples(self, at: int, sequence: int) -> SampleBlock:
        made = self.ready[at % len(self.ready)]
        lap = (sequence - made.sequence) / self.rate
        columns = {**made.columns, "test_time": made.columns["test_time"] + lap}
        count = 1 + sequence // STEP_ROWS
        return SampleBlock(sequence, count, made.step_index, count // 2, columns)


# --- reading ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadFigures:
    """How long reading takes, in seconds, the first time in a process and with the file in memory."""

    rows: int
    megabytes: float
    open: Second
    window: Second
    window_rows: int
    two_columns: Second
    frame: Second | None
    machine: str


def read(path: Path, *, whole: bool = True) -> ReadFigures:
    """Read the run at `path`: open it, a window of one per cent, two columns, everything to pandas."""
    import pandas as pd  # noqa: F401  (its own import is not the journal's cost)

    opened, run = _timed(lambda: open_run(path))
    end = run.last_test_time
    window, frame = _timed(lambda: run.samples(None, 0.500 * end, 0.510 * end))
    rows = len(frame)
    two, _ = _timed(lambda: run.columns(("test_time", "voltage"))) if whole else (float("nan"), None)
    every, _ = _timed(run.samples) if whole else (None, None)
    return ReadFigures(run.rows, path.stat().st_size / 1e6, opened, window, rows, two, every, machine())


@dataclass(frozen=True, slots=True)
class AppendFigures:
    """What one commit costs, in seconds, when so many rows are in the file already."""

    rows_before: int
    commit_p50: Second
    commit_p99: Second


def append(path: Path, commits: int = 500, rows_a_commit: int = 100) -> AppendFigures:
    """Append to the unfinished run at `path` and time it."""
    file, _ = RunFile.take_up(path)
    before = file.progress.rows
    times = []
    for _ in range(commits):
        samples = blocks.checked(example_samples(file.progress.rows, rows_a_commit))
        times.append(_timed(partial(file.write, [samples]))[0])
    file.close()
    return AppendFigures(before, float(np.quantile(times, 0.5)), float(np.quantile(times, 0.99)))


# --- the command ------------------------------------------------------------------------------


def journal(*, full: bool) -> list[dict[str, Any]]:
    """Writing 64 runs of 1000 samples a second, appending to long runs, reading them back.

    In the folder for temporary files: TMPDIR says on which disk that is.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*_writing(folder, full=full), *_appending(folder, full=full), *_reading(folder, full=full)]


def _writing(folder: Path, *, full: bool) -> Iterator[dict[str, Any]]:
    found = load(folder / "load", duration=600.0 if full else 10.0)
    what = f"64 runs x 1000/s, {found.duration:.0f} s"
    yield _row(f"{what}: packing and writing, % of a core", 100 * found.cpu_writers, 10)
    yield _row(f"{what}: the whole process, % of a core", 100 * found.cpu, None)
    yield _row(f"{what}: commit, median ms", 1e3 * found.commit_p50, None)
    yield _row(f"{what}: commit, 99 % within ms", 1e3 * found.commit_p99, 15)
    yield _row(f"{what}: oldest sample on disk, 99.9 % within s", found.durable_p999, 1.2)
    yield _row(f"{what}: samples lost", found.lost, 0)
    yield _row(f"{what}: bytes a sample", found.bytes_a_row, None)
    shutil.rmtree(folder / "load")


def _appending(folder: Path, *, full: bool) -> Iterator[dict[str, Any]]:
    for rows in (1000, 1_000_000, 100_000_000) if full else (1000, 100_000, 1_000_000):
        path = make_run(folder, rows, 2000)
        opened = read(path, whole=False)
        yield _row(f"{rows} samples: open, s", opened.open, 1)
        found = append(path)
        yield _row(f"{rows} samples: one more commit of 100, median ms", 1e3 * found.commit_p50, None)
        path.unlink()


def _reading(folder: Path, *, full: bool) -> Iterator[dict[str, Any]]:
    rows = 10_000_000 if full else 1_000_000
    for rate, rows_a_commit in (("1000/s", 1000), ("1/s", 64)):
        path = make_run(folder, rows, rows_a_commit)
        found = read(path)
        yield _row(f"{rows} samples at {rate}: all to pandas, s", found.frame or 0.0, 6 if full else None)
        yield _row(f"{rows} samples at {rate}: two columns, s", found.two_columns, None)
        yield _row(f"{rows} samples at {rate}: window of 1 %, s", found.window, 0.2)
        path.unlink()


def _row(what: str, value: float, promised: float | None) -> dict[str, Any]:
    return {"what": what, "measured": float(f"{value:.3g}"), "promised": promised}


def machine() -> str:
    """Where a figure was measured, and how busy it was."""
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, load {load_average:.1f}"
    )


def _timed(work: Callable[[], T]) -> tuple[Second, T]:
    began = process_time()
    outcome = work()
    return process_time() - began, outcome


def _cpu() -> tuple[Second, Second]:
    """Processor time of this process, and of this thread."""
    process, thread = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_THREAD)
    return process.ru_utime + process.ru_stime, thread.ru_utime + thread.ru_stime
