"""What a run file knows that an engine needs to go on after its process ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilcycler.errors import JournalError
from hilcycler.journal.chain import Link
from hilcycler.journal.damage import understanding
from hilcycler.journal.reading import Run, open_run
from hilcycler.quantities import Ampere, Coulomb, Second, Volt
from hilcycler.records import Failed, OperatorAction, RunStarted, StepEnded, StepStarted, Tripped, from_json
from hilcycler.steps import StepResult


@dataclass(frozen=True, slots=True)
class CutOff:
    """A step that started and did not end, as far as its samples tell.

    `elapsed` is the step time of the last sample; `charge` (signed) the trapezoids over the samples,
    with the first sample's current before it. `blind` and `unseen`: how long the gap lasted that was
    declared after it, and the most charge that may have passed in it.
    """

    started: StepStarted
    elapsed: Second = 0.0
    charge: Coulomb = 0.0
    last_voltage: Volt | None = None
    last_current: Ampere | None = None
    blind: Second = 0.0
    unseen: Coulomb = 0.0


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What an engine needs to go on with a run.

    `results`: of all finished steps, in order, for `protocol.resume`; `taken`: index and cycle of each.
    `cut_off`: the steps started since the last finished one, in order: usually one or none, more if remainders were cut off too.
    `open_circuit`: the last voltage at rest. `last_utc` and `last_monotonic`: when the last event was
    written. `tripped`: the trip since the run was last resumed, if there was one; `failed` likewise.
    `actions`: what people asked. `looking_again`: what is measured after a pause had begun, and its end,
    or that of the pause, is not to be seen in the protocol's steps. `finished`: the last step that has ended,
    if none has started since: an instrument may hold its set-point until the next.
    """

    header: RunStarted
    results: tuple[StepResult, ...]
    cut_off: tuple[CutOff, ...]
    open_circuit: Volt | None
    next_sequence: int
    next_step_count: int
    last_test_time: Second
    last_utc: Second
    last_monotonic: Second
    tripped: Tripped | None
    failed: Failed | None = None
    actions: tuple[OperatorAction, ...] = ()
    looking_again: bool = False
    taken: tuple[tuple[int, int], ...] = ()
    finished: CutOff | None = None


def resume_state(path: Path, fallback: Path | None = None) -> ResumeState:
    """Read back what a resuming engine needs. JournalError if the run has ended or cannot be trusted."""
    run = open_run(path, fallback)
    if run.ended is not None:
        raise JournalError(f"{path}: the run has ended ({run.ended.outcome}); it cannot go on")
    told = _Told()
    with understanding(path):
        for link in run.links():
            told.take(link)
    return ResumeState(
        header=run.header,
        results=tuple(told.results),
        cut_off=tuple(_cut_off(run, link, told.gaps) for link in told.unfinished),
        open_circuit=told.open_circuit,
        next_sequence=run.rows,
        next_step_count=told.step_count + 1,
        last_test_time=max(told.test_time, run.last_test_time),
        last_utc=told.stamp["utc"],
        last_monotonic=told.stamp["monotonic"],
        tripped=told.tripped,
        failed=told.failed,
        actions=tuple(told.actions),
        looking_again=told.looking_again,
        finished=told.finished,
        taken=tuple(told.taken),
    )


class _Told:
    """What the events tell, taken one after another."""

    def __init__(self) -> None:
        self.results: list[StepResult] = []
        self.taken: list[tuple[int, int]] = []
        self._place = (0, 0)
        self.unfinished: list[Link] = []
        self.open_circuit: Volt | None = None
        self.step_count = 0
        self.test_time: Second = 0.0
        self.stamp: dict[str, float] = {"utc": 0.0, "monotonic": 0.0}
        self.tripped: Tripped | None = None
        self.failed: Failed | None = None
        self.actions: list[OperatorAction] = []
        self.looking_again = False
        self.finished: CutOff | None = None
        self.gaps: dict[int, tuple[Second, Coulomb]] = {}  # after pieces, by their step count
        self._resting = self._aside = self._adopted = False

    def take(self, link: Link) -> None:
        record = json.loads(link.record)
        self.stamp = record.get("stamp", self.stamp)
        self.test_time = max(self.test_time, float(record.get("test_time", 0.0)))
        match link.kind:
            case "step-started":
                self.step_count = max(self.step_count, record["step_count"])
                self._aside = record["step_index"] == 0
                self._adopted = False
                if not self._aside:
                    self._place = (record["step_index"], record["cycle"])
                    self.unfinished.append(link)
                    self.finished = None
                    self.looking_again = False
                    self._resting = record["step"]["kind"] == "rest"
            case "step-ended" if self._aside:
                pass
            case "step-ended":
                ended = from_json(link.record)
                assert isinstance(ended, StepEnded)
                self.results.append(ended.result)
                self.taken.append(self._place)
                self.finished = _finished(self.unfinished[-1], ended) if self.unfinished else None
                self.unfinished.clear()
                if self._resting and ended.result.last_voltage is not None:
                    self.open_circuit = ended.result.last_voltage
            case "tripped":
                tripped = from_json(link.record)
                self.tripped = tripped if isinstance(tripped, Tripped) else None
            case "failed":
                failed = from_json(link.record)
                self.failed = failed if isinstance(failed, Failed) else None
            case "resumed":
                self.tripped = self.failed = None
                self._adopted = record["adopted"]
            case "gap" if not self._adopted and not self._aside:
                blind, unseen = self.gaps.get(record["step_count"], (0.0, 0.0))
                blind += float(record["until"]) - float(record["since"])
                self.gaps[record["step_count"]] = (blind, unseen + float(record["charge_bound"]))
            case "operator-action":
                action = from_json(link.record)
                assert isinstance(action, OperatorAction)
                self.actions.append(action)
                self.looking_again = action.verb == "resume" or (
                    self.looking_again and action.verb != "parked"
                )
            case _:
                pass


def _finished(link: Link, ended: StepEnded) -> CutOff:
    started = from_json(link.record)
    assert isinstance(started, StepStarted)
    result = ended.result
    return CutOff(started, ended.test_time - started.test_time, result.charge, result.last_voltage)


def _cut_off(run: Run, link: Link, gaps: dict[int, tuple[Second, Coulomb]]) -> CutOff:
    started = from_json(link.record)
    assert isinstance(started, StepStarted)
    blind, unseen = gaps.get(started.step_count, (0.0, 0.0))
    columns = run.columns(("test_time", "voltage", "current", "step_count"), t0=started.test_time)
    mine = columns["step_count"] == started.step_count
    if not mine.any():
        return CutOff(started, blind=blind, unseen=unseen)
    time = columns["test_time"][mine] - started.test_time
    current = columns["current"][mine]
    return CutOff(
        started,
        elapsed=float(time[-1]),
        charge=float(np.trapezoid(current, time) + current[0] * time[0]),
        last_voltage=float(columns["voltage"][mine][-1]),
        last_current=float(current[-1]),
        blind=blind,
        unseen=unseen,
    )
