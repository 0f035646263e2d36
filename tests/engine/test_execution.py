"""The engine's duties, on a channel that does what each test tells it: order, limits, endings."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.cell import Cell, Electrode
from hilcycler.channel import (
    Activity,
    Capabilities,
    ConditionMet,
    EnvelopeCrossed,
    HostDeath,
    Measured,
    Mode,
    Remark,
    Samples,
)
from hilcycler.clock import Stamp, TwinClock
from hilcycler.engine import CutOff, Execution, Position
from hilcycler.errors import InstrumentError, JournalError, LinkLost, LinkTimeout, StepRefused, WireError
from hilcycler.protocol import Envelope, Protocol, Repeat, Violation, resume, walk
from hilcycler.records import (
    Failed,
    Gap,
    Instrument,
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
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantVoltage,
    End,
    OperatorPause,
    Rest,
    Sampling,
    Step,
    TimeReached,
    VoltageAbove,
)

LIMITS = Envelope(voltage=(-1.0, 1.0), current=(-0.01, 0.01), charge=10.0)
HEADER = RunStarted(
    run="test",
    protocol_name="test",
    protocol_text="",
    protocol_sha256="",
    cell=Cell("cell", Electrode("Li"), Electrode("Li")),
    instrument=Instrument("scripted", "scripted", "1", "1", simulated=True),
    envelope=LIMITS,
    versions={},
    stamp=Stamp(0.0, 0.0),
)
PLATE = ConstantCurrent(-1e-3, (End(ChargeReached(3.6)), End(VoltageAbove(0.9), then="stop")))
STRIP = ConstantCurrent(1e-3, (End(ChargeReached(3.6)),))


def samples(
    *, time: Iterable[float], voltage: Iterable[float], current: float = 1e-3, status: int = 0
) -> Samples:
    t, v = np.array(list(time), dtype=float), np.array(list(voltage), dtype=float)
    return Samples(
        {
            "step_time": t,
            "voltage": v,
            "current": np.full(len(t), current),
            "range": np.zeros(len(t), np.uint8),
            "status": np.full(len(t), status, np.uint8),
        }
    )


Script = Callable[[Step], list[Measured | Exception | str]]


@dataclass
class Bench:
    """A channel and a sink that share one list of what happened, in order."""

    script: Script
    off: OffState = OffState.OFF
    adopts: bool = False
    log: list[Any] = field(default_factory=list)
    fails_on: type | None = None
    instrument: Instrument = HEADER.instrument
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(
            Mode.AUTONOMOUS_STEP,
            frozenset(),
            (-5.0, 5.0),
            0.0,
            0.0,
            (),
            0.1,
            0.01,
            HostDeath("ends its step", False),
        )
    )

    def check(self, step: Step, envelope: Envelope) -> None:
        if isinstance(step, ConstantCurrent) and abs(step.current) > 1.0:
            raise StepRefused("1 A is the most this instrument can do")

    async def start(self, step: Step, envelope: Envelope) -> None:
        self.log.append("start")
        self._doing = self.script(step)

    async def records(self) -> AsyncIterator[Measured]:
        for each in self._doing:
            await asyncio.sleep(0)
            if isinstance(each, Exception):
                raise each
            if isinstance(each, str):
                await asyncio.Event().wait()
            else:
                yield each

    async def safe(self) -> OffState:
        await asyncio.sleep(0)
        self.log.append("off")
        return self.off

    async def state(self) -> Activity:
        return Activity.IDLE

    async def adopt(self, step: Step, envelope: Envelope) -> bool:
        self._doing = self.script(step)
        return self.adopts

    def put(self, record: Record) -> None:
        if self.fails_on is not None and isinstance(record, self.fails_on):
            raise JournalError("the disk is gone")
        self.log.append(record)

    async def commit(self) -> None:
        self.log.append("durable")

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.log if isinstance(each, kind)]


def half_cycle(step: Step) -> list[Measured | Exception | str]:
    assert isinstance(step, ConstantCurrent)
    return [samples(time=[1800, 3600], voltage=[0.01, 0.02], current=step.current), ConditionMet(0, 3600.0)]


def run(
    bench: Bench,
    *nodes: Step | Repeat,
    position: Position | None = None,
    during: Callable[[Execution], None] | None = None,
    header: RunStarted = HEADER,
) -> RunEnded:
    async def main() -> RunEnded:
        protocol = Protocol("test", nodes)
        plan, first = walk(protocol), None
        if position is not None:
            plan, first = resume(lambda: walk(protocol), [])
        execution = Execution(
            plan,
            bench,
            envelope=LIMITS,
            sink=bench,
            clock=TwinClock(),
            header=header,
            position=position,
            first=first,
        )
        if during is not None:
            asyncio.get_running_loop().call_later(0.01, during, execution)
        return await execution.run()

    return asyncio.run(main())


def test_the_announcement_is_durable_before_the_output_goes_on() -> None:
    bench = Bench(half_cycle)
    run(bench, PLATE)
    started = next(i for i, each in enumerate(bench.log) if isinstance(each, StepStarted))
    assert bench.log[started + 1 : started + 3] == ["durable", "start"]


def test_a_complete_run_counts_steps_cycles_rows_time_and_charge() -> None:
    bench = Bench(half_cycle)
    ended = run(bench, Repeat(2, (PLATE, STRIP)))
    assert (ended.outcome, ended.off) == (Outcome.COMPLETED, OffState.OFF)
    assert [(s.step_count, s.step_index, s.cycle) for s in bench.of(StepStarted)] == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 1, 2),
        (4, 2, 2),
    ]
    assert [b.sequence for b in bench.of(SampleBlock)] == [0, 2, 4, 6]
    assert [e.result.charge for e in bench.of(StepEnded)] == pytest.approx([-3.6, 3.6, -3.6, 3.6])
    times = np.concatenate([b.columns["test_time"] for b in bench.of(SampleBlock)])
    assert (np.diff(times) > 0).all()
    assert times[2] == pytest.approx(3600.0 + 0.01 + 1800.0)


@pytest.mark.parametrize("bad", [1.5, -1.5, math.nan, math.inf])
def test_a_voltage_outside_or_unusable_trips_and_off_comes_first(bad: float) -> None:
    bench = Bench(lambda _: [samples(time=[1, 2], voltage=[0.0, bad]), ConditionMet(0, 2.0)])
    ended = run(bench, PLATE, STRIP)
    assert ended.outcome is Outcome.TRIPPED
    (tripped,) = bench.of(Tripped)
    assert tripped.violation.quantity == "voltage"
    assert bench.log.index("off") < next(
        i for i, each in enumerate(bench.log) if isinstance(each, SampleBlock)
    )
    assert len(bench.of(StepStarted)) == 1
    assert len(bench.of(SampleBlock)[0]) == 2, "the sample that tripped is kept"


def test_more_charge_than_allowed_in_one_step_trips() -> None:
    bench = Bench(lambda _: [samples(time=[1, 1e5], voltage=[0.0, 0.0])])
    assert "charge" in run(bench, PLATE).reason


def test_overload_trips_only_when_it_stays() -> None:
    twice = Bench(lambda _: [samples(time=[1, 2], voltage=[0, 0], status=2), ConditionMet(0, 2.0)])
    assert run(twice, PLATE).outcome is Outcome.COMPLETED
    thrice = Bench(lambda _: [samples(time=[1, 2, 3], voltage=[0, 0, 0], status=2), ConditionMet(0, 3.0)])
    assert run(thrice, PLATE).outcome is Outcome.TRIPPED


def test_a_trip_seen_by_the_instrument_is_told_as_such() -> None:
    crossed = Violation("voltage", 1.2, -1.0, 1.0)
    bench = Bench(lambda _: [EnvelopeCrossed(crossed, 5.0)], off=OffState.UNCONFIRMED)
    ended = run(bench, PLATE)
    assert (ended.outcome, ended.off) == (Outcome.TRIPPED, OffState.UNCONFIRMED)
    assert bench.of(Tripped)[0].seen_by == "instrument"


@pytest.mark.parametrize(
    "error",
    [LinkLost("unplugged"), LinkTimeout("silence"), WireError("garbage"), InstrumentError("overload", 0x32)],
)
def test_whatever_breaks_ends_named_with_the_output_off(error: Exception) -> None:
    bench = Bench(lambda _: [samples(time=[1], voltage=[0.0]), error])
    ended = run(bench, PLATE, STRIP)
    assert (ended.outcome, ended.off) == (Outcome.FAILED, OffState.OFF)
    (failed,) = bench.of(Failed)
    assert failed.message == str(error)
    assert bench.log.index("off") < bench.log.index(failed)


def test_a_refused_step_never_starts() -> None:
    bench = Bench(half_cycle)
    ended = run(bench, ConstantCurrent(2.0, (End(TimeReached(1.0)),)))
    assert ended.outcome is Outcome.FAILED
    assert "start" not in bench.log
    assert "1 A is the most" in ended.reason


def test_a_fault_of_our_own_is_recorded_and_raised_with_the_output_off() -> None:
    bench = Bench(lambda _: [ZeroDivisionError("ours")])
    with pytest.raises(ZeroDivisionError):
        run(bench, PLATE)
    assert bench.log[-2].outcome is Outcome.FAILED
    assert "off" in bench.log


def test_a_journal_that_fails_stops_the_run_with_the_output_off() -> None:
    bench = Bench(half_cycle, fails_on=SampleBlock)
    ended = run(bench, PLATE, STRIP)
    assert ended.outcome is Outcome.FAILED
    assert "the disk is gone" in ended.reason
    assert bench.log.count("start") == 1
    assert "off" in bench.log


def test_a_stop_switches_off_then_says_who_asked() -> None:
    bench = Bench(lambda _: [samples(time=[1], voltage=[0.0]), "wait for ever"])
    ended = run(bench, PLATE, during=lambda execution: execution.stop("ada", "lunch"))
    assert (ended.outcome, ended.reason) == (Outcome.STOPPED, "ada: lunch")
    action = next(i for i, each in enumerate(bench.log) if isinstance(each, OperatorAction))
    assert bench.log.index("off") < action


def test_impatience_does_not_interrupt_switching_off() -> None:
    bench = Bench(lambda _: ["wait for ever"])

    def twice(execution: Execution) -> None:
        execution.stop("ada", "lunch")
        task = execution._task
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)

    ended = run(bench, PLATE, during=twice)
    assert (ended.outcome, ended.off, bench.log.count("off")) == (Outcome.STOPPED, OffState.OFF, 1)


def test_an_operator_pause_waits_for_a_person() -> None:
    bench = Bench(half_cycle)
    ended = run(bench, OperatorPause("swap the leads"), STRIP, during=lambda e: e.proceed("ada"))
    assert ended.outcome is Outcome.COMPLETED
    assert bench.of(OperatorAction)[0].actor == "ada"


def test_a_step_against_open_circuit_needs_a_rest_before() -> None:
    rest = Rest((End(TimeReached(10.0)),))

    def script(step: Step) -> list[Measured | Exception | str]:
        return [samples(time=[10], voltage=[0.25], current=0.0), ConditionMet(0, 10.0)]

    hold = ConstantVoltage(0.01, (End(TimeReached(10.0)),), versus_open_circuit=True)
    with_rest, without = Bench(script), Bench(script)
    assert run(with_rest, rest, hold).outcome is Outcome.COMPLETED
    started = with_rest.of(StepStarted)[1].step
    assert started.voltage == pytest.approx(0.26)
    assert "rest" in run(without, hold).reason


def _cut_off(blind: float) -> Position:
    started = StepStarted(7, 1, 3, PLATE, 100.0, Stamp(0.0, 0.0))
    cut = CutOff(started, elapsed=1000.0, charge=-1.0, last_voltage=-0.01, blind=blind)
    return Position(step_count=7, sequence=55, test_time=1100.0 + blind, cut_off=cut)


def test_a_cut_off_step_is_continued_by_its_remainder() -> None:
    asked: list[Step] = []

    def script(step: Step) -> list[Measured | Exception | str]:
        asked.append(step)
        return [samples(time=[100], voltage=[-0.01], current=-1e-3), ConditionMet(0, 2500.0)]

    bench = Bench(script)
    assert run(bench, PLATE, position=_cut_off(blind=100.0)).outcome is Outcome.COMPLETED
    remaining = asked[-1]
    assert isinstance(remaining, ConstantCurrent)
    condition = remaining.ends[0].condition
    assert isinstance(condition, ChargeReached)
    assert condition.charge == pytest.approx(3.6 - 1.0 - 0.1)
    (started,) = bench.of(StepStarted)
    assert (started.step_count, started.continues) == (8, 7)
    (gap,) = bench.of(Gap)
    assert (gap.since, gap.until, gap.charge_bound) == (1100.0, 1200.0, pytest.approx(0.1))
    (ended,) = bench.of(StepEnded)
    assert ended.result.partial
    assert ended.result.charge == pytest.approx(-1.0 - 2.5)
    assert bench.of(SampleBlock)[0].sequence == 55


def test_what_is_not_adopted_is_ended_before_anything_begins() -> None:
    bench = Bench(half_cycle)
    run(bench, PLATE, position=_cut_off(blind=100.0))
    assert bench.log.index("off") < bench.log.index("start")


def test_what_is_not_adopted_and_cannot_be_switched_off_ends_the_run() -> None:
    bench = Bench(half_cycle, off=OffState.UNCONFIRMED)
    ended = run(bench, PLATE, position=_cut_off(blind=100.0))
    assert (ended.outcome, ended.off) == (Outcome.FAILED, OffState.UNCONFIRMED)
    assert "start" not in bench.log


def test_a_run_does_not_go_on_with_another_instrument_that_was_too_busy_to_say_so() -> None:
    bench = Bench(half_cycle, instrument=replace(HEADER.instrument, serial="another"))
    ended = run(bench, PLATE, position=_cut_off(blind=100.0))
    assert ended.outcome is Outcome.FAILED
    assert "another" in ended.reason
    assert "start" not in bench.log


def test_a_rest_is_never_over_unseen() -> None:
    """The step after it may need its last voltage."""
    rest = Rest((End(TimeReached(10.0)),), Sampling(decide=0.5, every=1.0))
    hold = ConstantVoltage(0.01, (End(TimeReached(10.0)),), versus_open_circuit=True)
    bench = Bench(lambda _: [samples(time=[0.5], voltage=[0.25], current=0.0), ConditionMet(0, 0.5)])
    started = StepStarted(7, 1, 3, rest, 100.0, Stamp(0.0, 0.0))
    cut = CutOff(started, elapsed=2.0, charge=0.0, last_voltage=None, blind=500.0)
    position = Position(step_count=7, sequence=55, test_time=602.0, cut_off=cut)
    assert run(bench, rest, hold, position=position).outcome is Outcome.COMPLETED
    again, held = (each.step for each in bench.of(StepStarted))
    assert again.ends[0].condition == TimeReached(0.5)
    assert held.voltage == pytest.approx(0.26)


def test_a_running_script_is_adopted_and_its_step_not_announced_again() -> None:
    bench = Bench(
        lambda _: [samples(time=[1200, 3600], voltage=[-0.01] * 2, current=-1e-3), ConditionMet(0, 3600.0)],
        adopts=True,
    )
    assert run(bench, PLATE, position=_cut_off(blind=150.0)).outcome is Outcome.COMPLETED
    assert bench.of(StepStarted) == []
    assert "start" not in bench.log
    assert bench.of(Resumed)[0].adopted
    (block,) = bench.of(SampleBlock)
    assert block.columns["test_time"].tolist() == [1300.0, 3700.0]


def test_a_step_that_ran_out_unseen_is_not_started_again() -> None:
    bench = Bench(half_cycle)
    assert run(bench, PLATE, position=_cut_off(blind=5000.0)).outcome is Outcome.COMPLETED
    assert "start" not in bench.log
    (ended,) = bench.of(StepEnded)
    assert ended.result.partial
    (gap,) = bench.of(Gap)
    assert gap.charge_bound == pytest.approx(2.6), "no more than the step had left"


@pytest.mark.parametrize(("blind", "bound"), [(100.0, 0.1), (5000.0, 5.0), (50_000.0, 50.0)])
def test_what_an_instrument_holds_for_ever_is_bounded_by_time_alone(blind: float, bound: float) -> None:
    """Neither the end of the step (2.6 C away) nor the limit on the charge (10 C) was seen to be met."""
    bench = Bench(half_cycle)
    bench.capabilities = replace(bench.capabilities, host_death=HostDeath("it holds", True))
    run(bench, PLATE, position=_cut_off(blind))
    (gap,) = bench.of(Gap)
    assert gap.charge_bound == pytest.approx(bound)


def test_what_holds_a_voltage_for_ever_is_bounded_by_the_limit_on_the_current() -> None:
    hold = ConstantVoltage(0.01, (End(TimeReached(1e5)),))
    started = StepStarted(7, 1, 3, hold, 100.0, Stamp(0.0, 0.0))
    bench = Bench(lambda _: [samples(time=[1], voltage=[0.01]), ConditionMet(0, 1.0)])
    bench.capabilities = replace(bench.capabilities, host_death=HostDeath("it holds", True))
    cut = CutOff(started, elapsed=10.0, charge=-1.0, last_voltage=0.01, blind=200.0)
    run(bench, hold, position=Position(step_count=7, sequence=55, test_time=310.0, cut_off=cut))
    assert bench.of(Gap)[0].charge_bound == pytest.approx(0.01 * 200.0)


def test_a_remark_is_a_note() -> None:
    bench = Bench(lambda _: [Remark("0 A with the output on"), *half_cycle(PLATE)])
    run(bench, PLATE)
    assert bench.of(Note)[0].text == "0 A with the output on"


@given(st.floats(allow_nan=True), st.floats(-2, 2), st.floats(-2, 2))
def test_inside_is_what_is_not_below_and_not_above(value: float, a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    crossed = Envelope(voltage=(low, high)).first_violation(np.array([value]), np.array([0.0]))
    assert (crossed is None) == (low <= value <= high)


@pytest.mark.parametrize("holds", [True, False])
def test_no_set_point_stands_while_a_slow_disk_takes_the_next_step(holds: bool) -> None:
    class Slow(Bench):
        async def commit(self) -> None:
            if len(self.of(StepStarted)) == 2:
                await asyncio.sleep(0.6)
            self.log.append("durable")

    bench = Slow(half_cycle)
    bench.capabilities = replace(bench.capabilities, host_death=HostDeath("holds", holds))
    assert run(bench, PLATE, STRIP).outcome is Outcome.COMPLETED
    second = bench.log.index(bench.of(StepStarted)[1])
    between = bench.log[second : len(bench.log) - bench.log[::-1].index("start")]
    assert ("off" in between) is holds
    assert between.index("durable") < between.index("start")
