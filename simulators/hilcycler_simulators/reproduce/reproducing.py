"""Rows done: numbers measured and judged, protocols executed, reasons given; several at a time."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np

from hilcycler.errors import CyclerError, RequestError
from hilcycler.journal import Run
from hilcycler_simulators.cells import targets
from hilcycler_simulators.cells.catalogue import catalogue
from hilcycler_simulators.cells.runs import Runs
from hilcycler_simulators.reproduce.bench import SEED, Bench
from hilcycler_simulators.reproduce.findings import Number, Outcome, Status, judged
from hilcycler_simulators.reproduce.measuring import measure, tolerance
from hilcycler_simulators.reproduce.rows import PAPERS, Executed, Numbers, Row
from hilcycler_simulators.virtual_time import Deadlock

Task = tuple[str, int, bool]
"""Paper, row, whether whole lives go through the wire."""


class Reproduction:
    """What the entry point `hilcycler.reproductions` names: the papers' tables on the twin."""

    def papers(self) -> Sequence[str]:
        return tuple(PAPERS)

    def rows(self, paper: str) -> Sequence[int]:
        """The numbers of the rows of a paper; RequestError if there is no such paper."""
        if paper not in PAPERS:
            raise RequestError(f"no paper {paper!r}; there are {', '.join(PAPERS)}")
        return tuple(PAPERS[paper])

    def run(self, tasks: Sequence[Task], jobs: int = 2) -> Iterator[Outcome]:
        """Every task, in this order, as they are done; `jobs` processes, or this one if 1."""
        for paper, row, _ in tasks:
            if row not in self.rows(paper):
                raise RequestError(f"{paper} has no row {row}; it has 1 to {max(PAPERS[paper])}")
        if jobs <= 1 or len(tasks) <= 1:
            yield from map(reproduce, tasks)
            return
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=spawning) as pool:
            yield from pool.map(reproduce, tasks)


reproduction = Reproduction()


def reproduce(task: Task) -> Outcome:
    """One row."""
    paper, number, whole = task
    row = PAPERS[paper][number]
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        status, reason, numbers = _done(paper, row, Path(folder), whole=whole)
    return Outcome(paper, number, row.what, status, reason, numbers)


def _done(paper: str, row: Row, folder: Path, *, whole: bool) -> tuple[Status, str, tuple[Number, ...]]:
    if row.executed is not None:
        return _executed(paper, row.executed, folder)
    if not row.numbers:
        return Status.NOT_DONE, row.reason, ()
    found: list[Number] = []
    reasons: list[str] = []
    truths: dict[str, Runs] = {}
    for cell, target in _wanted(row.numbers, reasons):
        runs = truths.setdefault(cell, Runs(partial(catalogue.make, cell, seed=SEED)))
        bench = Bench(cell, folder / f"{len(found)}-{len(reasons)}", whole=whole)
        try:
            found += _measured(target, bench, runs)
        except CyclerError as error:
            reasons.append(f"{cell}, {target.quantity}: {error}")  # type: ignore[attr-defined]
    failed = any(each.status is Status.FAILED for each in found)
    if not found:
        return Status.NOT_DONE, "; ".join(reasons) or "the simulated cells state no such number yet", ()
    if failed or any(":" in reason for reason in reasons):
        return Status.FAILED, "; ".join(reasons), tuple(found)
    return Status.PASSED, "; ".join(reasons), tuple(found)


def _wanted(numbers: Sequence[Numbers], missing: list[str]) -> Iterator[tuple[str, targets.Target]]:
    known = catalogue.names()
    for wanted in numbers:
        for cell in wanted.cells:
            if cell not in known:
                missing.append(f"no simulated cell {cell} yet")
                continue
            for target in catalogue.profile(cell).target:
                if target.quantity in wanted.kinds and _matches(target, wanted):
                    yield cell, target


def _matches(target: targets.Target, wanted: Numbers) -> bool:
    for name, value in wanted.where.items():
        has = getattr(target, name, None)
        if not isinstance(has, float) or not isinstance(value, int | float):
            return False
        if abs(has - value) > 1e-9 * abs(value):
            return False
    return True


def _measured(target: targets.Target, bench: Bench, runs: Runs) -> list[Number]:
    """The twin through the wire, and beside it the same cell without noise or instrument."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    measured = list(measure(target, bench))
    truths = list(target.compare(runs))
    step = tolerance(target)
    return [judged(one, truth, bench.profile, step) for one, truth in zip(measured, truths, strict=True)]


def _executed(paper: str, row: Executed, folder: Path) -> tuple[Status, str, tuple[Number, ...]]:
    if row.cell not in catalogue.names():
        return Status.NOT_DONE, f"no simulated cell {row.cell} yet", ()
    library = files("hilcycler_protocols") / "library" / paper / f"{row.file}.yaml"
    text = library.read_text(encoding="utf-8").replace("from: 1 MHz", "from: 200 kHz")
    for word, shorter in row.replaced.items():
        text = text.replace(word, shorter)
    try:
        run = Bench(row.cell, folder).run(text)
    except Deadlock:
        return Status.NOT_DONE, "the protocol pauses for a person, and here is none", ()
    except CyclerError as error:
        return Status.NOT_DONE, str(error), ()
    shortened = ", ".join(" ".join(new.split()) for new in row.replaced.values() if new)
    told = (
        f"{row.file} on {row.cell}: {run.rows} samples{_interval(run)}, no number in the text to compare with"
    )
    return Status.EXECUTED, f"{told}{'; shortened: ' + shortened if shortened else ''}", ()


def _interval(run: Run) -> str:
    """The usual distance between two samples."""
    times = run.columns(("test_time",))["test_time"]
    return f", usually every {np.median(np.diff(times)):.3g} s" if len(times) > 1 else ""
