"""A protocol run to its end on a direct channel by the real engine, and what came of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hilcycler.cell import Cell
from hilcycler.channel import Channel
from hilcycler.clock import TWIN_EPOCH, TwinClock
from hilcycler.engine import Execution
from hilcycler.preflight.profile import Profile
from hilcycler.protocol import Envelope, Plan
from hilcycler.quantities import Coulomb, Second
from hilcycler.records import (
    ImpedancePoint,
    Outcome,
    Record,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.steps import OperatorPause, Step

MOST_STEPS: Final = 100_000
"""Rehearsed before a protocol is taken as too long to be rehearsed to its end."""

_ROW_BYTES: Final = 26  # three floats, range, status: packed columns; the file compresses them
_STEP_BYTES: Final = 900  # two events and their stamps
_POINT_BYTES: Final = 160


@dataclass(slots=True)
class Span:
    """The least and the greatest of what was seen."""

    lowest: float = math.inf
    highest: float = -math.inf

    def see(self, lowest: float, highest: float) -> None:
        self.lowest, self.highest = min(self.lowest, lowest), max(self.highest, highest)

    @property
    def seen(self) -> bool:
        return self.lowest <= self.highest


@dataclass(slots=True)
class Seen:
    """What one step, as written, did in all its passes. `ends` counts which of its ends was met."""

    step: Step
    passes: int = 0
    rows: int = 0
    ends: Counter[int | None] = field(default_factory=Counter)
    elapsed: Span = field(default_factory=Span)
    charge: Span = field(default_factory=Span)
    voltage: Span = field(default_factory=Span)
    current: Span = field(default_factory=Span)
    fewest_rows: int = 1 << 62


class Rehearsed:
    """A sink that keeps no record, only what they come to."""

    def __init__(self) -> None:
        self.steps: dict[int, Seen] = {}
        self.rows = 0
        self.points = 0
        self.executed = 0
        self.cycles = 0
        self.duration: Second = 0.0
        self.charged: Coulomb = 0.0
        self.discharged: Coulomb = 0.0
        self.energy = 0.0
        self.voltage, self.current = Span(), Span()
        self.temperature, self.charge = Span(), Span()
        self.pauses = 0
        self.tripped: Tripped | None = None
        self.ended: RunEnded | None = None
        self.truncated = False
        self.profile = Profile()
        self.execution: Execution | None = None
        self._now: Seen | None = None
        self._rows_before = 0

    @property
    def bytes_at_most(self) -> int:
        """Of the run file, before its columns are compressed."""
        return self.rows * _ROW_BYTES + self.executed * _STEP_BYTES + self.points * _POINT_BYTES + 65_536

    @property
    def outcome(self) -> Outcome:
        assert self.ended is not None, "not rehearsed"
        return self.ended.outcome

    @property
    def ends_at(self) -> Second:
        """UTC, were it started at the beginning of the twin's calendar."""
        return TWIN_EPOCH + self.duration

    # --- as a sink

    def put(self, record: Record) -> None:
        """See Sink."""
        match record:
            case SampleBlock():
                self._block(record)
            case ImpedancePoint():
                self.points += 1
                self.duration = record.test_time
            case StepStarted():
                self._begin(record)
            case StepEnded():
                self._end(record)
            case Tripped():
                self.tripped = record
            case RunEnded():
                self.ended = record
            case _:
                pass

    async def commit(self) -> None:
        """See Sink: nothing is kept."""

    def _begin(self, started: StepStarted) -> None:
        self.executed += 1
        self.cycles = max(self.cycles, started.cycle)
        self._now = self.steps.setdefault(started.step_index, Seen(started.step))
        self._now.passes += 1
        self._rows_before = self.rows
        assert self.execution is not None
        if isinstance(started.step, OperatorPause):
            self.pauses += 1
            self.execution.proceed("preflight")
        if self.executed > MOST_STEPS:
            self.truncated = True
            self.execution.stop("preflight", f"rehearsed up to {MOST_STEPS} steps")

    def _block(self, block: SampleBlock) -> None:
        self.rows += len(block)
        voltage, current = block.columns["voltage"], block.columns["current"]
        low, high = float(voltage.min()), float(voltage.max())
        least, most = float(current.min()), float(current.max())
        self.voltage.see(low, high)
        self.current.see(least, most)
        if "temperature" in block.columns:
            column = block.columns["temperature"]
            self.temperature.see(float(column.min()), float(column.max()))
        now = self._now
        if now is not None:
            now.voltage.see(low, high)
            now.current.see(least, most)
        time = block.columns["test_time"]
        if len(time) > 1 and (least != 0.0 or most != 0.0):
            self.energy += float(np.trapezoid(np.abs(voltage * current), time))
        self.profile.add(time, voltage, current)

    def _end(self, ended: StepEnded) -> None:
        now, result = self._now, ended.result
        assert now is not None, "a step ends that never began"
        rows = self.rows - self._rows_before
        now.rows += rows
        now.fewest_rows = min(now.fewest_rows, rows)
        now.ends[result.end] += 1
        now.elapsed.see(result.elapsed, result.elapsed)
        now.charge.see(result.charge, result.charge)
        self.charge.see(result.charge, result.charge)
        self.charged += max(result.charge, 0.0)
        self.discharged += max(-result.charge, 0.0)
        self.duration = ended.test_time


async def rehearse(plan: Plan, channel: Channel, envelope: Envelope, cell: Cell) -> Rehearsed:
    """Run `plan` to its end on `channel`, within `envelope`; operator pauses are passed at once."""
    clock = TwinClock()
    tally = Rehearsed()
    header = RunStarted(
        run="preflight",
        protocol_name="",
        protocol_text="",
        protocol_sha256="",
        cell=cell,
        instrument=channel.instrument,
        envelope=envelope,
        versions={},
        stamp=clock.stamp(0.0),
    )
    execution = Execution(plan, channel, envelope=envelope, sink=tally, clock=clock, header=header)
    tally.execution = execution
    await execution.run()
    return tally
