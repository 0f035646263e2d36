"""One run put together: channel, journal and engine. The foreground and the service share this path."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Final

from hilcycler.channel import Channel
from hilcycler.clock import Clock, HostClock, Stamp, TwinClock
from hilcycler.engine import (
    CutOff,
    Doing,
    Execution,
    Position,
    Replayed,
    after_a_pause,
    replayed,
)
from hilcycler.errors import RequestError
from hilcycler.flight import Flight
from hilcycler.journal import CutOff as Seen
from hilcycler.journal import Journal, ResumeState, Settings, new_run_id, open_run, resume_state
from hilcycler.protocol import Envelope, Extensions, Violation, count_steps, resume, walk
from hilcycler.quantities import Second
from hilcycler.records import Instrument, OffState, OperatorAction, Outcome, RunEnded, RunStarted, StepStarted
from hilcycler.service.apart import apart
from hilcycler.service.consent import clear_to_begin, clear_to_go_on
from hilcycler.service.order import (
    Order,
    bench_envelope,
    check_steps,
    refuse_other_decisions,
    versions_for,
)
from hilcycler.sink import Fanout

SERVICE: Final = "service"
"""Who parks a run when the service ends, and lets it go on when it is back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a run is made: its id, limits beside the protocol's, and who must answer.

    `expect` is told who answers, and raises WrongInstrument for a stranger. `inline`: no threads, for
    virtual time.
    """

    run: str = ""
    within: Envelope = field(default_factory=Envelope)
    expect: Callable[[Instrument], None] | None = None
    settings: Settings | None = None

    @property
    def inline(self) -> bool:
        """Whether everything is written where it is said."""
        return self.settings is not None and self.settings.inline


@dataclass(slots=True)
class Ready:
    """A run that has only to be run: `async with ready.journal: await ready.execution.run()`.

    `last` and `test_time`: where one that is taken up stands.
    """

    order: Order
    header: RunStarted
    execution: Execution
    journal: Journal
    sink: Fanout
    last: StepStarted | None = None
    test_time: Second = 0.0

    @property
    def crossed(self) -> Violation | None:
        """What its channel is to be latched by, once the run is over."""
        return self.execution.violation


def latched_by(ended: RunEnded, crossed: Violation | None) -> Violation | None:
    """Why nothing may begin on the channel after this end, until a person has looked."""
    if ended.outcome is Outcome.TRIPPED and crossed is not None:
        return crossed
    if ended.off is OffState.UNCONFIRMED:
        return Violation("output not confirmed off", nan, 0.0, 0.0)
    return None


@asynccontextmanager
async def _opened(order: Order, terms: Terms) -> AsyncIterator[tuple[Channel, Flight]]:
    """The channel, identified, and the recorder of what passes over its line."""
    flight = Flight(order.flight, inline=terms.inline)
    try:
        async with order.driver.open(flight.recorded(order.connect)) as channel:
            if terms.expect is not None:
                terms.expect(channel.instrument)
            yield channel, flight
    finally:
        await flight.aclose()


@asynccontextmanager
async def begun(order: Order, terms: Terms) -> AsyncIterator[Ready]:
    """A new run of `order`, its channel open. RequestError, before anything is energised, if it cannot be."""
    async with _opened(order, terms) as (channel, flight):
        limits = bench_envelope(channel.capabilities).intersect(order.protocol.safety)
        envelope = limits.intersect(terms.within)
        check_steps(order.protocol.body, channel, envelope)
        cleared = await clear_to_begin(
            channel,
            order.protocol,
            order.cell,
            envelope,
            order.accepts,
            check_cell=order.check_cell,
            announce=order.announce,
        )
        clock = _clock(order, simulated=order.simulated or channel.instrument.simulated)
        header = _header(order, terms, channel, envelope, clock)
        journal = Journal.create(order.folder, header.run, terms.settings)
        flight.keep(order.folder, header.run, order.driver.name)
        sink, extensions = Fanout(journal), Extensions()
        execution = Execution(
            walk(order.protocol, extensions),
            channel,
            envelope=envelope,
            sink=sink,
            clock=clock,
            header=header,
            opening=cleared.events(header.stamp),
            extensions=extensions,
            after_pause=after_a_pause(order.protocol.body),
        )
        yield Ready(order, header, execution, journal, sink)


def _header(order: Order, terms: Terms, channel: Channel, envelope: Envelope, clock: Clock) -> RunStarted:
    can = channel.capabilities
    seen_on = can.voltage_range(envelope.voltage)
    return RunStarted(
        run=terms.run or new_run_id(),
        protocol_name=order.protocol.name,
        protocol_text=order.text,
        protocol_sha256=hashlib.sha256(order.text.encode()).hexdigest(),
        cell=order.cell,
        instrument=replace(channel.instrument, simulated=order.simulated or channel.instrument.simulated),
        envelope=envelope,
        versions=versions_for(order.protocol),
        stamp=clock.stamp(0.0),
        planned_steps=count_steps(order.protocol.body),
        truth=order.truth,
        channel=order.channel,
        voltage_gain=seen_on.gain,
        voltage_offset=seen_on.offset,
        current_ranges=can.current_ranges,
        voltage_ranges=can.voltage_ranges,
    )


def _clock(order: Order, *, simulated: bool) -> Clock:
    return order.clock or (TwinClock() if simulated else HostClock())


# --- going on -------------------------------------------------------------------------------


@asynccontextmanager
async def taken_up(
    path: Path, order: Order, terms: Terms, *, park: str = "", unpark: bool = False
) -> AsyncIterator[Ready]:
    """The interrupted run in the file at `path`, ready to go on.

    The results of finished steps are replayed into a fresh walk of the protocol; the step that was cut
    off is adopted where the instrument still runs it, else its remainder is run; or, with `park`, the
    reason, it waits with its output off until somebody says to go on. A run that was parked stays so,
    but if the service itself had parked it, or with `unpark`. Raises RequestError if the
    run has ended or was to end, or another instrument answers.
    """
    state = await apart(lambda: _unfinished(path), inline=terms.inline)
    asked, header = replayed(state.actions), state.header
    refuse_other_decisions(header, order.protocol)
    async with _opened(order, terms) as (channel, flight):
        answers = replace(channel.instrument, simulated=header.instrument.simulated)
        if answers.serial and answers != header.instrument:  # busy with a script it does not say who it is
            raise RequestError(
                f"run {header.run} was made on {header.instrument}; {channel.instrument} answers at this address"
            )
        cleared = clear_to_go_on(channel, order.protocol, order.accepts, announce=order.announce)
        clock = _clock(order, simulated=header.instrument.simulated)
        extensions = Extensions(asked.extensions)
        plan, first = resume(lambda: walk(order.protocol, extensions), state.results, state.taken)
        position = stands(state, asked, clock)
        now = clock.stamp(position.test_time)
        opening = (*cleared.events(now), *_parked_or_not(position, channel, now, park, unpark=unpark))
        journal = Journal.reopen(path, terms.settings)
        flight.keep(path.parent, header.run, order.driver.name)
        sink = Fanout(journal)
        cut_off = position.cut_off
        execution = Execution(
            plan,
            channel,
            envelope=asked.envelope(header.envelope),
            sink=sink,
            clock=clock,
            header=header,
            position=position,
            first=first,
            opening=opening,
            extensions=extensions,
            after_pause=after_a_pause(order.protocol.body),
            started_within=asked.envelope(
                header.envelope, None if cut_off is None else cut_off.started.step_count
            ),
        )
        seen = cut_off or position.finished
        last = None if seen is None else seen.started
        yield Ready(order, header, execution, journal, sink, last, position.test_time)


def _parked_or_not(
    position: Position, channel: Channel, now: Stamp, park: str, *, unpark: bool
) -> tuple[OperatorAction, ...]:
    """Whether the run waits for a person before it goes on; what is to be said of that in its file."""
    if position.parked is None and park:
        action = OperatorAction(SERVICE, "pause", park, now)
        if channel.capabilities.host_death.holds_for_ever:
            position.park = action
        else:
            position.park_unless_adopted = action
    elif position.parked is not None and (unpark or (position.parked.actor == SERVICE and not park)):
        position.parked, position.look_again = None, True
        return (OperatorAction(SERVICE, "resume", "the service is back", now),)
    return ()


def _unfinished(path: Path) -> ResumeState:
    ended = open_run(path).ended
    if ended is not None:
        raise RequestError(f"{path.name}: the run has ended ({ended.outcome.value}); nothing is left to do")
    state = resume_state(path)
    if state.tripped is not None:
        raise RequestError(
            f"{path.name}: the run tripped ({state.tripped.violation}); a tripped run does not go on"
        )
    return state


def stands(state: ResumeState, asked: Replayed, clock: Clock) -> Position:
    """Where a run stands after its process ended."""
    position = Position(
        step_count=state.next_step_count - 1,
        sequence=state.next_sequence,
        test_time=state.last_test_time,
        open_circuit=state.open_circuit,
        parked=asked.parked,
        at_boundary=asked.at_boundary,
        look_again=state.looking_again,
        requests=asked.count,
    )
    off = asked.parked is not None or state.looking_again
    if not state.cut_off:
        if state.finished is not None and not off:
            position.finished = _blind(state.finished, clock, state.last_test_time)
            position.test_time += position.finished.blind
        return position
    *before, last = state.cut_off  # a step whose remainder was cut off too has several pieces
    blind, unseen = last.blind, last.unseen
    if not off:
        blind, unseen = _blind(last, clock, state.last_test_time).blind, 0.0
        position.test_time += blind
    position.cut_off = replace(
        _blind(last, clock, state.last_test_time),
        blind=blind,
        elapsed_before=sum(each.elapsed for each in before),
        charge_before=sum(each.charge for each in before),
        blind_before=sum(each.blind for each in before),
        unseen=sum(each.unseen for each in before) + unseen,
        off=off,
    )
    return position


def _blind(seen: Seen, clock: Clock, test_time: Second) -> CutOff:
    """What was seen of a step, and how long nobody has watched since."""
    until = seen.started.stamp.utc + seen.elapsed
    blind = max(clock.stamp(test_time).utc - until, 0.0)
    return CutOff(seen.started, seen.elapsed, seen.charge, seen.last_voltage, blind)


async def closed(path: Path, order: Order, terms: Terms) -> tuple[RunEnded, Violation | None]:
    """Write the end of a run that was to end and whose process ended first; its output is off by then.

    Also what its channel is to be latched by.
    """
    state = await apart(lambda: resume_state(path), inline=terms.inline)
    stopped = replayed(state.actions).stopped
    async with order.driver.open(order.connect) as channel:
        off = await channel.safe()
    outcome, reason, crossed = Outcome.FAILED, "its process ended before it could say how", None
    if state.tripped is not None:
        crossed = state.tripped.violation
        outcome, reason = Outcome.TRIPPED, f"safety limit: {crossed}"
    elif state.failed is not None:
        reason = state.failed.message
    elif stopped is not None:
        outcome, reason = Outcome.STOPPED, f"{stopped.actor}: {stopped.reason}"
    clock = _clock(order, simulated=state.header.instrument.simulated)
    ended = RunEnded(outcome, reason, off, clock.stamp(state.last_test_time))
    async with Journal.reopen(path, terms.settings) as journal:
        journal.put(ended)
        await journal.commit()
    return ended, latched_by(ended, crossed)


def was_ending(state: ResumeState) -> bool:
    """Whether a run that has no end was about to have one."""
    to_end = replayed(state.actions).stopped is not None
    return state.tripped is not None or state.failed is not None or to_end


__all__ = ["Doing", "Ready", "Terms", "begun", "closed", "latched_by", "stands", "taken_up", "was_ending"]
