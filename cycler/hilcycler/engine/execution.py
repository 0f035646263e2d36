"""One run: a plan, a channel, an envelope, a sink.

The order of things is the safety of the cell:

- *energise = write ahead*: StepStarted is durable before the instrument is told to start;
- *de-energise = command first*: the output is off, and read back, before anything is written;
- every sample meets the envelope before anything else is done with it;
- whatever goes wrong ends in a named state: the output OFF or OFF UNCONFIRMED, and a record of why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import NoReturn, assert_never

import numpy as np

from hilcycler.channel import Channel, ConditionMet, EnvelopeCrossed, Impedance, Remark, Samples
from hilcycler.clock import Clock, Stamp
from hilcycler.engine.charge import Charge
from hilcycler.engine.remainder import at_open_circuit, held_charge, most_charge, remainder, used_up
from hilcycler.errors import CyclerError, JournalError
from hilcycler.protocol import Envelope, Plan, Planned, Violation, ends_of
from hilcycler.quantities import Coulomb, Second, Volt
from hilcycler.records import (
    Event,
    Failed,
    Gap,
    ImpedancePoint,
    Note,
    OffState,
    OperatorAction,
    Outcome,
    Resumed,
    RunEnded,
    RunStarted,
    SampleBlock,
    Status,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.sink import Sink
from hilcycler.steps import STOP, OperatorPause, Rest, StepResult

OVERLOADS_TOLERATED = 2
"""A reading beyond its range cannot be judged against a limit; this many in a row are put down to a
range change or a transient, one more trips."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The step during which an earlier process ended, as far as it was observed.

    `blind` is how long nobody watched after that; the instrument may have gone on meanwhile. If the
    step was itself a remainder, what its earlier pieces passed is `elapsed_before`, `charge_before`.
    """

    started: StepStarted
    elapsed: Second
    charge: Coulomb
    last_voltage: Volt | None
    blind: Second = 0.0
    elapsed_before: Second = 0.0
    charge_before: Coulomb = 0.0


@dataclass(slots=True)
class Position:
    """How far a run has come: what a resumed run starts from."""

    step_count: int = 0
    sequence: int = 0
    test_time: Second = 0.0
    open_circuit: Volt | None = None
    cut_off: CutOff | None = None


class _Ending(Exception):
    """The run is over: `outcome`, why, and what is known of the output if it was switched off."""

    def __init__(self, outcome: Outcome, reason: str, off: OffState | None = None) -> None:
        super().__init__(reason)
        self.outcome, self.reason, self.off = outcome, reason, off


class Execution:
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
    ) -> None:
        """`position` and `first` are given when a run goes on: where it stands, and its next step.

        `opening` are events that a new run begins with, after its header: what was consented to.
        """
        self._plan, self._channel, self._envelope = plan, channel, envelope
        self._sink, self._clock, self._header = sink, clock, header
        self._resumed = position is not None
        self._at = position or Position()
        self._first, self._opening = first, opening
        self._overloads = 0
        self.violation: Violation | None = None
        self._task: asyncio.Task[RunEnded] | None = None
        self._stop: OperatorAction | None = None
        self._proceed = asyncio.Event()

    # --- what people may ask while it runs --------------------------------------------------

    def stop(self, actor: str, reason: str) -> None:
        """End the run now: the output goes off, then the file says who asked and why."""
        if self._stop is None:
            self._stop = OperatorAction(actor, "stop", reason, self._stamp())
            if self._task is not None:
                self._task.cancel()

    def proceed(self, actor: str) -> None:
        """Go on from an operator pause."""
        self._sink.put(OperatorAction(actor, "proceed", "", self._stamp()))
        self._proceed.set()

    # --- the run ----------------------------------------------------------------------------

    async def run(self) -> RunEnded:
        """Run to the end, whatever end that is. Returns the last record of the run.

        Raises JournalError only if the file cannot even say that the run ended; the output is off,
        as far as that can be known, before anything is raised.
        """
        self._task = asyncio.current_task()
        if self._stop is not None and self._task is not None:
            self._task.cancel()
        try:
            ending = await self._guarded()
        finally:
            self._plan.close()
            self._task = None
        off = ending.off or await _uninterrupted(self._channel.safe)
        ended = RunEnded(ending.outcome, ending.reason, off, self._stamp())
        self._sink.put(ended)
        await self._sink.commit()
        return ended

    async def _guarded(self) -> _Ending:
        """Everything up to the ending; exceptions become endings once the output is off."""
        try:
            await self._open()
            await self._steps()
        except _Ending as ending:
            return ending
        except asyncio.CancelledError:
            off = await _uninterrupted(self._channel.safe)
            if self._stop is None:
                self._sink.put(Note("the process was told to end", self._stamp()))
                self._sink.put(RunEnded(Outcome.STOPPED, "cancelled", off, self._stamp()))
                raise
            if self._task is not None:
                self._task.uncancel()
            self._sink.put(self._stop)
            return _Ending(Outcome.STOPPED, f"{self._stop.actor}: {self._stop.reason}", off)
        except Exception as error:
            off = await _uninterrupted(self._channel.safe)
            failure = f"{type(error).__name__}: {error}" if not isinstance(error, CyclerError) else str(error)
            if isinstance(error, JournalError):
                return _Ending(Outcome.FAILED, failure, off)
            self._sink.put(Failed(self._at.step_count, type(error).__name__, str(error), off, self._stamp()))
            if not isinstance(error, CyclerError):
                self._sink.put(RunEnded(Outcome.FAILED, failure, off, self._stamp()))
                await self._sink.commit()
                raise
            return _Ending(Outcome.FAILED, failure, off)

    async def _open(self) -> None:
        if self._resumed:
            return
        for each in (self._header, *self._opening):
            self._sink.put(each)
        await self._sink.commit()

    async def _steps(self) -> NoReturn:
        planned = self._first or _advance(self._plan, None)
        while planned is not None:
            result = await self._step(planned)
            ends = ends_of(planned.step)
            stopped_by = (
                ends[result.end] if result.end is not None and ends[result.end].then == STOP else None
            )
            planned = _advance(self._plan, result)
            if stopped_by is not None and planned is None:
                raise _Ending(Outcome.COMPLETED, f"ended as the protocol asks: {stopped_by.condition.kind}")
        raise _Ending(Outcome.COMPLETED, "protocol complete")

    async def _step(self, planned: Planned) -> StepResult:
        cut_off, self._at.cut_off = self._at.cut_off, None
        step = at_open_circuit(planned.step, self._at.open_circuit)
        adopted = False
        if cut_off is not None:
            adopted = await self._channel.adopt(cut_off.started.step, self._envelope)
            unseen = self._declare_gap(cut_off, adopted=adopted)
            if not adopted:
                # Taken as passed in full: to plate a little less is better than too much.
                elapsed = cut_off.elapsed_before + cut_off.elapsed + cut_off.blind
                charge = abs(cut_off.charge_before + cut_off.charge) + unseen
                end = used_up(step, elapsed, charge)
                if end is not None:
                    return self._ended_unseen(cut_off, end)
                step = remainder(step, elapsed, charge)
        if not adopted and not isinstance(step, OperatorPause):
            self._channel.check(step, self._envelope)
        if not adopted:
            self._at.step_count += 1
            self._sink.put(
                StepStarted(
                    step_count=self._at.step_count,
                    step_index=planned.index,
                    cycle=planned.cycle,
                    step=step,
                    test_time=self._at.test_time,
                    stamp=self._stamp(),
                    continues=None if cut_off is None else cut_off.started.step_count,
                )
            )
            await self._sink.commit()
        if isinstance(step, OperatorPause):
            await self._proceed.wait()
            self._proceed.clear()
            result = StepResult(end=None, elapsed=0.0, charge=0.0, last_voltage=None, last_current=None)
        else:
            if not adopted:
                await self._channel.start(step, self._envelope)
            result = await self._watch(planned, cut_off, adopted=adopted)
        self._sink.put(StepEnded(self._at.step_count, result, self._at.test_time, self._stamp()))
        return result

    async def _watch(self, planned: Planned, cut_off: CutOff | None, *, adopted: bool) -> StepResult:
        """Take what the running step measures until it ends."""
        charge = Charge()
        base = self._at.test_time
        if cut_off is not None and adopted:
            base = cut_off.started.test_time
            charge.resume(cut_off.elapsed, cut_off.charge)
        last_voltage: Volt | None = cut_off.last_voltage if cut_off is not None else None
        async for measured in self._channel.records():
            match measured:
                case Samples():
                    voltage, current = measured.columns["voltage"], measured.columns["current"]
                    violation = self._judge(measured)
                    charge.add(measured.columns["step_time"], current)
                    if violation is None and not abs(charge.total) <= self._envelope.charge:
                        limit = self._envelope.charge
                        violation = Violation("charge", charge.total, -limit, limit)
                    if violation is not None:
                        off = await _uninterrupted(self._channel.safe)
                        self._take(measured, planned, base)
                        self._trip(violation, "host", off)
                    self._take(measured, planned, base)
                    last_voltage = float(voltage[-1])
                    self._at.test_time = base + float(measured.columns["step_time"][-1])
                case Impedance():
                    self._at.test_time = base + measured.step_time
                    self._sink.put(_point(measured, self._at.step_count, base))
                case Remark(text):
                    self._sink.put(Note(text, self._stamp()))
                case ConditionMet(end, elapsed):
                    if isinstance(planned.step, Rest):
                        self._at.open_circuit = last_voltage
                    self._at.test_time = base + elapsed + self._channel.capabilities.turnaround
                    before = _before(cut_off, adopted=adopted)
                    return StepResult(
                        end=end,
                        elapsed=before[0] + elapsed,
                        charge=before[1] + charge.finish(elapsed),
                        last_voltage=last_voltage,
                        last_current=charge.last_current,
                        partial=cut_off is not None,
                    )
                case EnvelopeCrossed(violation, elapsed):
                    off = await _uninterrupted(self._channel.safe)
                    self._at.test_time = base + elapsed
                    self._trip(violation, "instrument", off)
                case _:
                    assert_never(measured)
        raise CyclerError("the instrument's records ended without saying how the step ended")

    def _judge(self, samples: Samples) -> Violation | None:
        """Say whether samples are inside, and can be judged at all: the first thing done with them."""
        violation = self._envelope.first_violation(samples.columns["voltage"], samples.columns["current"])
        overloaded = (samples.columns["status"] & Status.OVERLOAD) != 0
        if violation is not None or not overloaded.any():
            self._overloads = 0
            return violation
        for at, bad in enumerate(overloaded):
            self._overloads = self._overloads + 1 if bad else 0
            if self._overloads > OVERLOADS_TOLERATED:
                value = float(samples.columns["current"][at])
                return Violation("overloaded reading of current", value, *self._envelope.current)
        return None

    def _take(self, samples: Samples, planned: Planned, base: Second) -> None:
        columns = {name: column for name, column in samples.columns.items() if name != "step_time"}
        columns["test_time"] = np.asarray(samples.columns["step_time"], dtype=np.float64) + base
        self._sink.put(
            SampleBlock(self._at.sequence, self._at.step_count, planned.index, planned.cycle, columns)
        )
        self._at.sequence += len(samples)

    def _trip(self, violation: Violation, seen_by: str, off: OffState) -> NoReturn:
        self.violation = violation
        self._sink.put(
            Tripped(
                step_count=self._at.step_count,
                violation=violation,
                seen_by="instrument" if seen_by == "instrument" else "host",
                off=off,
                stamp=self._stamp(),
            )
        )
        raise _Ending(Outcome.TRIPPED, f"safety limit: {violation}", off)

    def _declare_gap(self, cut_off: CutOff, *, adopted: bool) -> Coulomb:
        """Say what was not seen; returns the most charge that can have passed unseen."""
        since = cut_off.started.test_time + cut_off.elapsed
        until = since + cut_off.blind
        if self._channel.capabilities.host_death.holds_for_ever:
            most = max(abs(each) for each in self._envelope.current)
            unseen = held_charge(cut_off.started.step, most, cut_off.blind)
        else:
            unseen = most_charge(cut_off.started.step, cut_off.elapsed, cut_off.charge, cut_off.blind)
            unseen = min(unseen, self._envelope.charge)
        reason = "this service was not running"
        self._sink.put(Resumed(self._at.step_count, adopted, reason, self._stamp()))
        self._sink.put(Gap(self._at.step_count, since, until, unseen, reason, self._stamp()))
        return unseen

    def _ended_unseen(self, cut_off: CutOff, end: int) -> StepResult:
        """The instrument has run the step to its own end while nobody watched."""
        elapsed, charge = _before(cut_off, adopted=False)
        result = StepResult(end, elapsed, charge, cut_off.last_voltage, None, partial=True)
        self._sink.put(StepEnded(self._at.step_count, result, self._at.test_time, self._stamp()))
        return result

    def _stamp(self) -> Stamp:
        return self._clock.stamp(self._at.test_time)


def _advance(plan: Generator[Planned, StepResult, None], result: StepResult | None) -> Planned | None:
    try:
        return next(plan) if result is None else plan.send(result)
    except StopIteration:
        return None


def _before(cut_off: CutOff | None, *, adopted: bool) -> tuple[Second, Coulomb]:
    """Time and charge of this step that were observed before what is being watched now."""
    if cut_off is None:
        return 0.0, 0.0
    if adopted:
        return cut_off.elapsed_before, cut_off.charge_before
    return cut_off.elapsed_before + cut_off.elapsed, cut_off.charge_before + cut_off.charge


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


async def _uninterrupted(safe: Callable[[], Awaitable[OffState]]) -> OffState:
    """Switch off to the end, however often somebody asks us to hurry; bounded by `safe` itself."""
    switching = asyncio.ensure_future(safe())
    while not switching.done():
        try:
            await asyncio.shield(switching)
        except asyncio.CancelledError:
            continue
        except Exception:  # noqa: BLE001  (a driver that raises here is wrong, and the output unknown)
            break
    return OffState.UNCONFIRMED if switching.exception() is not None else switching.result()
