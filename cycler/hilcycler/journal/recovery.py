"""Going on after a process ended: what the file knows, and the file itself, taken up where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilcycler.errors import JournalError
from hilcycler.journal import proof
from hilcycler.journal.blocks import Keys, unpack
from hilcycler.journal.file import BLOCK_FULL, Progress, RunFile
from hilcycler.journal.reading import Run, open_run
from hilcycler.journal.schema import check_tables, check_version, speaking, write_to
from hilcycler.quantities import Ampere, Coulomb, Second, Volt
from hilcycler.records import Resumed, RunEnded, RunStarted, StepEnded, StepStarted, Tripped
from hilcycler.steps import Rest, StepResult


@dataclass(frozen=True, slots=True)
class CutOff:
    """A step that started and did not end, as far as its samples tell.

    `elapsed` is step time of the last sample; `charge` (signed) the trapezoids over the samples, with
    the first sample's current before it.
    """

    started: StepStarted
    elapsed: Second = 0.0
    charge: Coulomb = 0.0
    last_voltage: Volt | None = None
    last_current: Ampere | None = None


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What an engine needs to go on with a run.

    `results`: of all finished steps, in order, for `protocol.resume`. `cut_off`: the steps started
    since the last finished one, in order: usually one or none, more if their remainders were cut off
    too. `open_circuit`: the last voltage at rest. `ended`: the run is over and cannot go on.
    """

    header: RunStarted
    results: tuple[StepResult, ...]
    cut_off: tuple[CutOff, ...]
    open_circuit: Volt | None
    next_sequence: int
    next_step_count: int
    last_test_time: Second
    last_utc: Second
    tripped: Tripped | None
    ended: RunEnded | None


def resume_state(path: Path) -> ResumeState:
    """Read back from the run file what a resuming engine needs. JournalError if it cannot be trusted."""
    run = open_run(path)
    started: dict[int, StepStarted] = {}
    unfinished: dict[int, StepStarted] = {}
    results: list[StepResult] = []
    open_circuit: Volt | None = None
    tripped: Tripped | None = None
    ended: RunEnded | None = None
    test_time = utc = 0.0
    for event in run.events():
        match event:
            case StepStarted():
                started[event.step_count] = unfinished[event.step_count] = event
                test_time = max(test_time, event.test_time)
            case StepEnded(count, result):
                if isinstance(started[count].step, Rest) and result.last_voltage is not None:
                    open_circuit = result.last_voltage
                results.append(result)
                unfinished.clear()
                test_time = max(test_time, event.test_time)
            case Tripped():
                tripped = event
            case RunEnded():
                ended = event
            case Resumed():
                tripped = ended = None
            case _:
                pass
        utc = event.stamp.utc if hasattr(event, "stamp") else utc
    return ResumeState(
        header=run.header,
        results=tuple(results),
        cut_off=tuple(_cut_off(run, step) for step in unfinished.values()),
        open_circuit=open_circuit,
        next_sequence=run.rows,
        next_step_count=max(started, default=0) + 1,
        last_test_time=max(test_time, run.last_test_time),
        last_utc=utc,
        tripped=tripped,
        ended=ended,
    )


def take_up(path: Path) -> tuple[RunFile, str]:
    """The writing end of a run file that was left unfinished, and its run id.

    Only the end of the file is proved here: a file with a damaged middle still takes what comes.
    """
    with speaking(path, "opening for writing"):
        connection = write_to(path)
        try:
            check_version(connection, path)
            check_tables(connection, path)
            if connection.execute("SELECT count(*) FROM seal").fetchone()[0]:
                raise JournalError(f"{path}: sealed; a sealed run takes nothing more")
            place, promised = proof.segment(connection, path), proof.checkpoint(connection, path)
            progress = _progress(list(proof.last_blocks(connection, path)), promised, path)
        except BaseException:
            connection.close()
            raise
    return RunFile(path, connection, progress), place.run


def _progress(last: list[tuple[Keys, bytes]], promised: proof.Checkpoint, path: Path) -> Progress:
    """Where to go on, from the last two blocks: a last one that is not full is still being filled."""
    if not last:
        if promised.rows:
            raise JournalError(f"{path}: samples 0 to {promised.rows - 1} are missing")
        return Progress(0, promised.events, promised.head)
    keys, data = last[-1]
    if keys.sequence + keys.rows != promised.rows:
        raise JournalError(f"{path}: samples after {keys.sequence + keys.rows - 1} are missing")
    if keys.rows >= BLOCK_FULL:
        return Progress(promised.rows, promised.events, promised.head, keys.t1, keys.lag, keys.t1, keys.lag)
    before = last[-2][0] if len(last) > 1 else None
    return Progress(
        promised.rows,
        promised.events,
        promised.head,
        keys.t1,
        keys.lag,
        before.t1 if before else -np.inf,
        before.lag if before else 0.0,
        (unpack(data, keys.rows),),
    )


def _cut_off(run: Run, started: StepStarted) -> CutOff:
    columns = run.columns(("test_time", "voltage", "current", "step_count"), t0=started.test_time)
    mine = columns["step_count"] == started.step_count
    if not mine.any():
        return CutOff(started)
    time = columns["test_time"][mine] - started.test_time
    current = columns["current"][mine]
    return CutOff(
        started,
        elapsed=float(time[-1]),
        charge=float(np.trapezoid(current, time) + current[0] * time[0]),
        last_voltage=float(columns["voltage"][mine][-1]),
        last_current=float(current[-1]),
    )
