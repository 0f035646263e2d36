"""What is known of a run from its records so far: the one model behind every widget of the view.

A fold: records in, in their order; frozen values out. It reads no clock. How long something took
and how long the rest may take come from the records' own times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from hilcycler.protocol import ends_of
from hilcycler.quantities import Second
from hilcycler.records import (
    Failed,
    Gap,
    ImpedancePoint,
    Note,
    OffState,
    OperatorAction,
    Outcome,
    Record,
    Resumed,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.steps import OperatorPause, TimeReached
from hilcycler.tui.happenings import Happening, happening
from hilcycler.tui.spectra import Spectra
from hilcycler.tui.trace import Trace

MOST_HAPPENINGS = 500
"""Lines kept; the file has them all."""


class Phase(StrEnum):
    """Where a run stands."""

    WAITING = "waiting for the run"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "INTERRUPTED"
    TRIPPED = "TRIPPED"
    FAILED = "FAILED"
    STOPPED = "stopped"
    COMPLETED = "completed"


_AFTER = {
    Outcome.COMPLETED: Phase.COMPLETED,
    Outcome.STOPPED: Phase.STOPPED,
    Outcome.TRIPPED: Phase.TRIPPED,
    Outcome.FAILED: Phase.FAILED,
}


@dataclass(frozen=True, slots=True)
class Now:
    """The latest of everything. `off` is None while nobody has switched the output off."""

    phase: Phase = Phase.WAITING
    off: OffState | None = None
    reason: str = ""
    step: StepStarted | None = None
    voltage: float = math.nan
    current: float = math.nan
    test_time: Second = 0.0
    cycle: int = 0


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a run has come. `planned` is None where the protocol decides as it goes.

    `done` counts ended steps; `left` is what is expected of test time from the pace so far, None
    before the first step has ended; `ends_at` the same as UTC, None for a simulated calendar.
    """

    done: float = 0.0
    planned: int | None = None
    left: Second | None = None
    ends_at: Second | None = None

    @property
    def fraction(self) -> float | None:
        return None if not self.planned else min(1.0, self.done / self.planned)


class PerCycle(Protocol):
    """One number a cycle, computed while the run goes on: an evaluation of the live kind."""

    @property
    def label(self) -> str:
        """What is plotted, with its definition."""
        ...

    @property
    def unit(self) -> str:
        """SI."""
        ...

    @property
    def broken(self) -> str:
        """Why there will be no more numbers; empty while there may."""
        ...

    def put(self, record: Record) -> None:
        """Take one record."""
        ...

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cycles and values so far."""
        ...


@dataclass(slots=True)
class Live:
    """A run as far as its records have come. `put` them in order; read the rest."""

    per_cycle: PerCycle | None = None
    started: RunStarted | None = None
    now: Now = field(default_factory=Now)
    trace: Trace = field(default_factory=Trace)
    spectra: Spectra = field(default_factory=Spectra)
    happenings: tuple[Happening, ...] = ()
    _sequence: int = 0
    _ended_steps: int = 0
    _first_step_at: Second = 0.0
    _last_step_at: Second = 0.0
    _in_spectrum: int = 0

    def put(self, record: Record) -> None:
        """Take the next record; samples that came before are passed over."""
        if isinstance(record, SampleBlock):
            block = _rest_of(record, self._sequence)
            if block is None:
                return
            self._sequence = block.sequence + len(block)
            record = block
        if self.per_cycle is not None:
            self.per_cycle.put(record)
        self._fold(record)
        if (line := happening(record, self.now.test_time)) is not None:
            self.happenings = (line, *self.happenings)[:MOST_HAPPENINGS]

    @property
    def advance(self) -> Advance:
        """How far, and how long still."""
        planned = None if self.started is None else self.started.planned_steps
        if planned is None or not self._ended_steps or self.now.off is not None:
            return Advance(self._ended_steps + self._part(), planned)
        done = self._ended_steps + self._part()
        pace = (self._last_step_at - self._first_step_at) / self._ended_steps
        left = max(0.0, planned - done) * pace
        ends_at = None
        if self.started is not None and not self.started.instrument.simulated and self.now.step is not None:
            began = self.now.step
            ends_at = began.stamp.utc + (self.now.test_time - began.test_time) + left
        return Advance(done, planned, left, ends_at)

    def _fold(self, record: Record) -> None:
        match record:
            case SampleBlock():
                self.trace.add(record)
                self._follow(
                    test_time=float(record.columns["test_time"][-1]),
                    voltage=float(record.columns["voltage"][-1]),
                    current=float(record.columns["current"][-1]),
                    cycle=record.cycle,
                )
            case RunStarted():
                self.started = record
                self._follow(phase=Phase.RUNNING)
            case StepStarted():
                if not self._ended_steps and self.now.step is None:
                    self._first_step_at = record.test_time
                paused = isinstance(record.step, OperatorPause)
                phase = Phase.PAUSED if paused else Phase.RUNNING
                self._follow(phase=phase, step=record, cycle=record.cycle, test_time=record.test_time)
            case ImpedancePoint():
                if self._in_spectrum != record.step_count:
                    self._in_spectrum = record.step_count
                    self.trace.cut()
                self.spectra.add(record, self.now.cycle)
                self._follow(test_time=record.test_time)
            case StepEnded():
                self._ended_steps += 1
                self._last_step_at = record.test_time
                self._follow(test_time=record.test_time)
            case Tripped():
                self._follow(phase=Phase.TRIPPED, off=record.off, reason=str(record.violation))
            case Failed():
                self._follow(phase=Phase.FAILED, off=record.off, reason=record.message)
            case Gap():
                self.trace.cut(after=record.since)
            case Resumed():
                self._follow(phase=Phase.RUNNING, off=None, reason="")
            case RunEnded():
                self._follow(phase=_AFTER[record.outcome], off=record.off, reason=record.reason)
            case OperatorAction() | Note():
                pass
            case _:
                assert_never(record)

    def _follow(self, **changes: object) -> None:
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]  # each change is typed at its place

    def _part(self) -> float:
        """How much of the running step is over, by its longest time; 0 where it has none."""
        step = self.now.step
        if step is None or self.now.phase is not Phase.RUNNING:
            return 0.0
        spans = [end.condition.after for end in ends_of(step.step) if isinstance(end.condition, TimeReached)]
        if not spans or self._last_step_at > step.test_time or not max(spans) > 0.0:
            return 0.0
        return min(1.0, max(0.0, (self.now.test_time - step.test_time) / max(spans)))


def _rest_of(block: SampleBlock, sequence: int) -> SampleBlock | None:
    """The part of `block` from number `sequence` on."""
    known = sequence - block.sequence
    if known <= 0:
        return block if len(block) else None
    if known >= len(block):
        return None
    columns = {name: column[known:] for name, column in block.columns.items()}
    return replace(block, sequence=sequence, columns=columns)
