"""What is done with everything that a running step measures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NoReturn, assert_never

import numpy as np

from hilcycler.channel import Channel, ConditionMet, EnvelopeCrossed, Impedance, Remark, Samples
from hilcycler.clock import Clock, Stamp
from hilcycler.engine.judging import Judge
from hilcycler.engine.pieces import CutOff, Piece
from hilcycler.engine.requests import Requests
from hilcycler.engine.switching_off import Ending, uninterrupted
from hilcycler.errors import CyclerError
from hilcycler.protocol import Envelope, Extensions, Planned, Violation
from hilcycler.quantities import Coulomb, Second, Volt
from hilcycler.records import (
    Gap,
    ImpedancePoint,
    Note,
    OffState,
    OperatorAction,
    Outcome,
    SampleBlock,
    StepEnded,
    Tripped,
)
from hilcycler.sink import Sink
from hilcycler.steps import Rest, StepResult


@dataclass(slots=True)
class Position:
    """How far a run has come: what a resumed run starts from.

    `finished`: the last step, if it had ended and no other had started. `parked`: nothing goes on until
    somebody says so; `park`: it is to be parked before anything else, and by whom; `park_unless_adopted`:
    if the instrument no longer runs the step. `at_boundary`: a pause or stop that was asked for and has
    not acted. `look_again`: what is measured after a pause was cut off.
    """

    step_count: int = 0
    sequence: int = 0
    test_time: Second = 0.0
    open_circuit: Volt | None = None
    cut_off: CutOff | None = None
    finished: CutOff | None = None
    parked: OperatorAction | None = None
    park: OperatorAction | None = None
    park_unless_adopted: OperatorAction | None = None
    at_boundary: OperatorAction | None = None
    look_again: bool = False
    requests: int = 0


class Watching(Requests):
    """A channel, and where the run on it stands."""

    def __init__(
        self,
        channel: Channel,
        envelope: Envelope,
        sink: Sink,
        *,
        clock: Clock,
        position: Position,
        extensions: Extensions | None,
    ) -> None:
        super().__init__(envelope, sink, extensions, position.at_boundary, position.requests)
        self.channel = channel
        self.violation: Violation | None = None
        self._clock, self._at = clock, position
        self._judge = Judge()
        self._piece: Piece | None = None

    @property
    def step_count(self) -> int:
        """Of the step that is under way, or was last."""
        return self._at.step_count

    async def _watch(self, planned: Planned) -> StepResult:
        """Take what the running step measures until it ends."""
        piece = self._piece
        assert piece is not None
        async for measured in self.channel.records():
            match measured:
                case Samples():
                    violation = self._judge.first(measured, self.envelope)
                    piece.add(measured, self._stamp().monotonic)
                    if violation is None and not abs(piece.charge.total) <= self.envelope.charge:
                        limit = self.envelope.charge
                        violation = Violation("charge", piece.charge.total, -limit, limit)
                    if violation is not None:
                        off = await uninterrupted(self.channel.safe)
                        self._take(measured, planned, piece.base)
                        self._trip(violation, "host", off)
                    self._take(measured, planned, piece.base)
                    self._at.test_time = piece.base + piece.elapsed
                case Impedance():
                    self._at.test_time = piece.base + measured.step_time
                    piece.add_point(measured, self._stamp().monotonic)
                    self._sink.put(_point(measured, self._at.step_count, piece.base))
                case Remark(text):
                    self._sink.put(Note(text, self._stamp()))
                case ConditionMet(end, elapsed):
                    if isinstance(planned.step, Rest):
                        self._at.open_circuit = piece.last_voltage
                    self._at.test_time = piece.base + elapsed + self.channel.capabilities.turnaround
                    return self._end_step(piece.result(end, elapsed))
                case EnvelopeCrossed(violation, elapsed):
                    off = await uninterrupted(self.channel.safe)
                    self._at.test_time = piece.base + elapsed
                    self._trip(violation, "instrument", off)
                case _:
                    assert_never(measured)
        raise CyclerError("the instrument's records ended without saying how the step ended")

    def _end_step(self, result: StepResult) -> StepResult:
        self._sink.put(StepEnded(self._at.step_count, result, self._at.test_time, self._stamp()))
        return result

    def _ended_unseen(self, cut_off: CutOff, end: int) -> StepResult:
        """The instrument has run the step to its own end while nobody watched."""
        return self._end_step(StepResult(end, *cut_off.observed, cut_off.last_voltage, None, partial=True))

    def _take(self, samples: Samples, planned: Planned, base: Second) -> None:
        columns = {name: column for name, column in samples.columns.items() if name != "step_time"}
        columns["test_time"] = np.asarray(samples.columns["step_time"], dtype=np.float64) + base
        self._sink.put(
            SampleBlock(self._at.sequence, self._at.step_count, planned.index, planned.cycle, columns)
        )
        self._at.sequence += len(samples)

    def _trip(self, violation: Violation, seen_by: Literal["instrument", "host"], off: OffState) -> NoReturn:
        self.violation = violation
        self._sink.put(Tripped(self._at.step_count, violation, seen_by, off, self._stamp()))
        raise Ending(Outcome.TRIPPED, f"safety limit: {violation}", off)

    def _left_unseen(self, cut_off: CutOff, why: str) -> CutOff:
        """The piece, now that its output is off, with what may have passed after its last sample declared."""
        unseen = 0.0
        if cut_off.blind > 0.0:
            unseen = self._declare_gap(cut_off, why, self.envelope)
            self._at.test_time = max(self._at.test_time, cut_off.until + cut_off.blind)
        return replace(cut_off, unseen=cut_off.unseen + unseen, off=True)

    def _declare_gap(self, cut_off: CutOff, why: str, envelope: Envelope) -> Coulomb:
        """Say what was not seen; returns the most charge that can have passed unseen."""
        unseen = cut_off.most_unseen(self.channel.capabilities.host_death, envelope)
        until = cut_off.until + cut_off.blind
        self._sink.put(Gap(cut_off.started.step_count, cut_off.until, until, unseen, why, self._stamp()))
        return unseen

    def _stamp(self) -> Stamp:
        return self._clock.stamp(self._at.test_time)


def _point(measured: Impedance, step_count: int, base: Second) -> ImpedancePoint:
    return ImpedancePoint(
        step_count=step_count,
        test_time=base + measured.step_time,
        frequency=measured.frequency,
        real=measured.real,
        imaginary=measured.imaginary,
        current_range=measured.current_range,
        voltage_range=measured.voltage_range,
        status=measured.status,
    )
