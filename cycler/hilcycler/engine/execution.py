"""One run: a plan, a channel, an envelope, a sink.

The order of things is the safety of the cell:

- *energise = write ahead*: StepStarted is durable before the instrument is told to start;
- *de-energise = command first*: the output is off, and read back, before anything is written;
- every sample meets the envelope before anything else is done with it;
- whatever goes wrong ends in a named state: the output OFF or OFF UNCONFIRMED, and a record of why.

What people ask (`requests`) acts where the output is off: at once, or after the end of a step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import replace
from typing import Final, NoReturn

from hilcycler.channel import Channel
from hilcycler.clock import Clock
from hilcycler.engine.asked import PARKED, Boundary, Doing
from hilcycler.engine.looking import ASIDE
from hilcycler.engine.pieces import CutOff, Piece
from hilcycler.engine.remainder import at_open_circuit, remainder, used_up
from hilcycler.engine.switching_off import Ending, uninterrupted
from hilcycler.engine.watching import Position, Watching
from hilcycler.errors import CyclerError, JournalError, StepRefused, WrongInstrument
from hilcycler.language.course import outside
from hilcycler.protocol import Envelope, Extensions, Plan, Planned, ends_of
from hilcycler.quantities import Second
from hilcycler.records import (
    Event,
    Failed,
    Note,
    OffState,
    OperatorAction,
    Outcome,
    Resumed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
)
from hilcycler.sink import Sink
from hilcycler.steps import STOP, OperatorPause, Step, StepResult

NOT_WATCHED = "this service was not running"
ON_REQUEST = "switched off on request"
HELD: Final[Second] = 0.25
"""How long the set-point of the step before may stand while the next one waits for the disk."""


class LeftRunning(Exception):
    """The run was left as it is: no end is written, and the instrument does what it does without a host."""


class _Interrupted(Exception):
    """Somebody asked while a step was under way; the output is off."""

    def __init__(self, piece: Piece | None, cut_off: CutOff | None = None) -> None:
        super().__init__()
        self.piece, self.cut_off = piece, cut_off


class Execution(Watching):
    """Drives one plan on one channel, once."""

    def __init__(
        self,
        plan: Plan,
        channel: Channel,
        *,
        envelope: Envelope,
        sink: Sink,
        clock: Clock,
        header: RunStarted,
        position: Position | None = None,
        first: Planned | None = None,
        opening: tuple[Event, ...] = (),
        extensions: Extensions | None = None,
        after_pause: tuple[Step, ...] = (),
        started_within: Envelope | None = None,
    ) -> None:
        """`position` and `first` are given when a run goes on: where it stands, and its next step.

        `opening` are events that a run begins with, after its header, or goes on with: what was agreed to.
        `extensions` are the plan's, `after_pause` what is measured again after a pause. `started_within`:
        the limits that the step which was cut off was started with, if they have been tightened since.
        """
        super().__init__(
            channel, envelope, sink, clock=clock, position=position or Position(), extensions=extensions
        )
        self._resumed = position is not None
        self._plan, self._header = plan, header
        self._first, self._opening, self._again = first, opening, after_pause
        self._started_within = started_within or envelope

    # --- the run ----------------------------------------------------------------------------

    async def run(self) -> RunEnded:
        """Run to the end, whatever end that is. Returns the last record of the run.

        Raises JournalError only if the file cannot even say that the run ended; the output is off,
        as far as that can be known, before anything is raised. LeftRunning if it was asked to `leave`.
        """
        self._task = asyncio.current_task()
        if self._stop is not None and self._task is not None:
            self._task.cancel()
        try:
            ending = await self._guarded()
        finally:
            self._plan.close()
            self._task = None
            self._set(Doing.OVER)
        off = ending.off or await uninterrupted(self.channel.safe)
        ended = RunEnded(ending.outcome, ending.reason, off, self._stamp())
        self._sink.put(ended)
        await self._sink.commit()
        return ended

    async def _guarded(self) -> Ending:
        """Everything up to the ending; exceptions become endings once the output is off."""
        try:
            await self._open()
            await self._steps()
        except Ending as ending:
            return ending
        except asyncio.CancelledError:
            if self._leaving:
                if self._task is not None:
                    self._task.uncancel()
                await self._sink.commit()
                raise LeftRunning from None
            off = await uninterrupted(self.channel.safe)
            if self._stop is None:
                self._sink.put(Note("the process was told to end", self._stamp()))
                self._sink.put(RunEnded(Outcome.STOPPED, "cancelled", off, self._stamp()))
                raise
            if self._task is not None:
                self._task.uncancel()
            return self._stopped(self._stop, off)
        except Exception as error:  # noqa: BLE001  (whatever broke ends in a named state; ours is raised again)
            return await self._failed(error)

    def _stopped(self, action: OperatorAction, off: OffState) -> Ending:
        self._sink.put(action)
        return Ending(Outcome.STOPPED, f"{action.actor}: {action.reason}", off)

    async def _failed(self, error: Exception) -> Ending:
        off = await uninterrupted(self.channel.safe)
        failure = f"{type(error).__name__}: {error}" if not isinstance(error, CyclerError) else str(error)
        if isinstance(error, JournalError):
            return Ending(Outcome.FAILED, failure, off)
        self._sink.put(Failed(self._at.step_count, type(error).__name__, str(error), off, self._stamp()))
        if not isinstance(error, CyclerError):
            self._sink.put(RunEnded(Outcome.FAILED, failure, off, self._stamp()))
            await self._sink.commit()
            raise error
        return Ending(Outcome.FAILED, failure, off)

    async def _open(self) -> None:
        told = self._opening if self._resumed else (self._header, *self._opening)
        if told:
            for each in told:
                self._sink.put(each)
            await self._sink.commit()
        self._set(Doing.RUNNING)

    async def _steps(self) -> NoReturn:
        planned = self._first or _advance(self._plan, None)
        await self._taken_up(planned)
        while planned is not None:
            result = await self._step(planned)
            if self._at_boundary is not None and self._boundary.after(planned.step):
                await self._halt(planned)
            ends = ends_of(planned.step)
            stopped_by = (
                ends[result.end] if result.end is not None and ends[result.end].then == STOP else None
            )
            before, planned = planned.cycle, _advance(self._plan, result)
            if stopped_by is not None and planned is None:
                raise Ending(Outcome.COMPLETED, f"ended as the protocol asks: {stopped_by.condition.kind}")
            if planned is not None and planned.cycle != before and self._boundary is Boundary.CYCLE:
                await self._halt(planned)
        raise Ending(Outcome.COMPLETED, "protocol complete")

    # --- pauses -----------------------------------------------------------------------------

    async def _taken_up(self, planned: Planned | None) -> None:
        """A run that goes on after its process ended may be parked, or was just going on after a pause."""
        if self._resumed and self._at.parked is None and self._at.cut_off is None:
            self._sink.put(Resumed(self._at.step_count, False, NOT_WATCHED, self._stamp()))
            if self._at.finished is not None and self.channel.capabilities.host_death.holds_for_ever:
                self._declare_gap(self._at.finished, NOT_WATCHED, self._started_within)
        if planned is None or not (self._at.parked or self._at.park or self._at.look_again):
            return
        off = await self._made_safe()
        if self._at.parked is not None:
            await self._park(self._at.parked, off, planned, told=True)
        elif self._at.park is not None:
            if self._at.cut_off is not None:
                self._at.cut_off = self._left_unseen(self._at.cut_off, NOT_WATCHED)
            await self._park(self._at.park, off, planned)
        else:
            await self._look_again(planned)

    async def _halt(self, planned: Planned) -> None:
        """A pause or a stop that was to wait for this boundary."""
        action, self._at_boundary = self._at_boundary, None
        assert action is not None
        off = await self._made_safe()
        if action.verb == "stop":
            raise Ending(Outcome.STOPPED, f"{action.actor}: {action.reason}", off)
        await self._park(action, off, planned)

    async def _made_safe(self) -> OffState:
        off = await uninterrupted(self.channel.safe)
        if self._task is not None and self._task.cancelling():  # asked to stop while it was switched off
            raise asyncio.CancelledError
        if off is not OffState.OFF:
            raise Ending(Outcome.FAILED, f"to be off here, but the output is {off.value}", off)
        return off

    async def _park(
        self, action: OperatorAction, off: OffState, planned: Planned, *, told: bool = False
    ) -> None:
        """The output is off: wait until somebody says to go on, then look at the cell again."""
        await self._stand(action, off, told=told)
        open_circuit = self._at.open_circuit
        await self._look_again(planned)
        self._at.open_circuit = open_circuit

    async def _stand(self, action: OperatorAction, off: OffState, *, told: bool = False) -> None:
        self._pausing = None
        if not told:
            detail = {**action.detail, "output": off.value}
            self._sink.put(OperatorAction(action.actor, PARKED, action.reason, self._stamp(), detail))
            await self._sink.commit()
        await self._wait(Doing.PARKED)

    async def _wait(self, how: Doing) -> None:
        self._set(how)
        await self._proceed.wait()
        self._proceed.clear()
        self._set(Doing.RUNNING)

    async def _look_again(self, planned: Planned) -> None:
        """Open circuit and impedance after a pause: beside the protocol, which is not told of them."""
        ahead = list(self._again)
        while ahead:
            try:
                await self._interruptible(Planned(ahead[0], ASIDE, planned.cycle), None)
            except StepRefused as refused:
                self._sink.put(Note(f"not measured again after the pause: {refused}", self._stamp()))
            except _Interrupted as interrupted:
                if self._pausing is not None:
                    await self._stand(self._pausing, OffState.OFF)
                    ahead = list(self._again)
                    continue
                self._skipped(interrupted.piece, None)
            ahead.pop(0)

    # --- a step -----------------------------------------------------------------------------

    async def _step(self, planned: Planned) -> StepResult:
        """One step of the plan, in as many pieces as people make of it."""
        cut_off, self._at.cut_off = self._at.cut_off, None
        while True:
            try:
                return await self._interruptible(planned, cut_off)
            except _Interrupted as interrupted:
                piece = interrupted.piece
                cut_off = interrupted.cut_off or cut_off
            if piece is not None:
                cut_off = self._left_unseen(piece.cut_off(self._stamp().monotonic), ON_REQUEST)
            elif cut_off is not None and not cut_off.off:
                cut_off = self._left_unseen(cut_off, ON_REQUEST)
            if self._skipping is not None:
                return self._skipped(piece, cut_off)
            if self._pausing is not None:
                await self._park(self._pausing, OffState.OFF, planned)

    async def _interruptible(self, planned: Planned, cut_off: CutOff | None) -> StepResult:
        self._piece = None
        if self._pausing is not None:  # asked for between two steps
            await self._made_safe()
            raise _Interrupted(None)
        self._may_interrupt = True
        try:
            return await self._pieced(planned, cut_off)
        except asyncio.CancelledError:
            if not self._to_be_interrupted:
                raise
            if self._task is not None:
                self._task.uncancel()
                if self._task.cancelling():  # the process is told to end as well
                    raise
            self._may_interrupt = False
            await self._made_safe()
            raise _Interrupted(self._piece) from None
        finally:
            self._may_interrupt = False

    def _skipped(self, piece: Piece | None, cut_off: CutOff | None) -> StepResult:
        action, self._skipping = self._skipping, None
        assert action is not None
        self._sink.put(action)
        if piece is not None:
            result = piece.result(None, piece.elapsed, partial=True)
        else:
            elapsed, charge = (0.0, 0.0) if cut_off is None else cut_off.observed
            result = StepResult(None, elapsed, charge, None, None, partial=True)
        self._sink.put(StepEnded(self._at.step_count, result, self._at.test_time, self._stamp()))
        return result

    async def _pieced(self, planned: Planned, cut_off: CutOff | None) -> StepResult:
        """The step, or what is left of it: adopted where it still runs, else begun."""
        step = at_open_circuit(planned.step, self._at.open_circuit)
        if cut_off is not None and not cut_off.off:
            if await self._adopted(cut_off):
                return await self._watch(planned)
            unseen = cut_off.most_unseen(self.channel.capabilities.host_death, self._started_within)
            cut_off = replace(cut_off, unseen=cut_off.unseen + unseen)
            if self._at.park_unless_adopted is not None:
                self._pausing, self._at.park_unless_adopted = self._at.park_unless_adopted, None
                await self._made_safe()
                raise _Interrupted(None, replace(cut_off, off=True))
        if cut_off is not None:
            end = used_up(step, *cut_off.passed)
            if end is not None:
                return self._ended_unseen(cut_off, end)
            step = remainder(step, *cut_off.passed)
        return await self._begin(planned, step, cut_off)

    async def _begin(self, planned: Planned, step: Step, cut_off: CutOff | None) -> StepResult:
        if not isinstance(step, OperatorPause):
            self.channel.check(step, self.envelope)
            why = outside(step, self.envelope)
            if why is not None:
                raise StepRefused(f"{step.kind}: {why}")
        self._at.step_count += 1
        started = StepStarted(
            step_count=self._at.step_count,
            step_index=planned.index,
            cycle=planned.cycle,
            step=step,
            test_time=self._at.test_time,
            stamp=self._stamp(),
            continues=None if cut_off is None else cut_off.started.step_count,
        )
        self._sink.put(started)
        self._piece = Piece(started, self._at.test_time, started.stamp.monotonic, cut_off)
        await self._announced()
        if isinstance(step, OperatorPause):
            await self._wait(Doing.WAITING)
            return self._end_step(self._piece.result(None, 0.0))
        await self.channel.start(step, self.envelope)
        return await self._watch(planned)

    async def _announced(self) -> None:
        """What was put is durable. An instrument that holds its set-point meanwhile does so for a moment only."""
        if not self.channel.capabilities.host_death.holds_for_ever:
            return await self._sink.commit()
        committing = asyncio.ensure_future(self._sink.commit())
        try:
            done, _ = await asyncio.wait({committing}, timeout=HELD)
            if not done:
                await self._made_safe()
                self._sink.put(
                    Note("the disk is slow: switched off until it has taken the step", self._stamp())
                )
            return await committing
        finally:
            committing.cancel()

    async def _adopted(self, cut_off: CutOff) -> bool:
        """Whether the instrument still runs it. What was not seen is declared either way."""
        adopted = await self.channel.adopt(cut_off.started.step, self._started_within)
        try:
            if not adopted:
                await self._ended_for_sure()
        finally:
            self._sink.put(Resumed(self._at.step_count, adopted, NOT_WATCHED, self._stamp()))
            self._declare_gap(cut_off, NOT_WATCHED, self._started_within)
        if adopted:
            base = cut_off.started.test_time
            self._piece = Piece(cut_off.started, base, self._stamp().monotonic, cut_off, adopted=True)
        return adopted

    async def _ended_for_sure(self) -> None:
        """Whatever is not adopted is ended, and read back as off, by the instrument that the run began on."""
        await self._made_safe()
        began_on = self._header.instrument
        answers = replace(self.channel.instrument, simulated=began_on.simulated)
        if answers.serial and answers != began_on:
            raise WrongInstrument(f"the run was made on {began_on}; {answers} answers now")


def _advance(plan: Generator[Planned, StepResult, None], result: StepResult | None) -> Planned | None:
    try:
        return next(plan) if result is None else plan.send(result)
    except StopIteration:
        return None
