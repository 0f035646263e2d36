"""One run in this process: channel, journal and engine put together, taken apart in reverse order."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import nan
from pathlib import Path
from typing import Any

from hilcycler.bench_state import BenchState
from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel, Driver
from hilcycler.clock import Clock, HostClock, TwinClock
from hilcycler.engine import CutOff, Execution, Position, at_open_circuit
from hilcycler.errors import RequestError, WrongInstrument
from hilcycler.journal import Journal, ResumeState, Settings, new_run_id, open_run, resume_state
from hilcycler.links import Connect
from hilcycler.protocol import (
    Envelope,
    Group,
    Insert,
    Node,
    Plan,
    Planned,
    Protocol,
    Repeat,
    Violation,
    count_steps,
    resume,
    walk,
)
from hilcycler.quantities import Volt
from hilcycler.records import OffState, Outcome, RunEnded, RunStarted
from hilcycler.service.consent import clear_to_begin, clear_to_go_on
from hilcycler.service.foreground_socket import Requests
from hilcycler.service.signals import on_ending
from hilcycler.sink import Fanout, Sink
from hilcycler.steps import OperatorPause


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: this protocol, on this cell, on the channel that `connect` reaches.

    `channel` names the pair of leads: a trip latches it. `truth` is a twin's. `clock`: where time does
    not come from this host, nor from the instrument alone. `accepts` are the dangers that somebody
    has agreed to (`consent.HOLDS_FOR_EVER`); `announce` is told, before anything is energised, which.
    `check_cell`: what hangs on the channel must show itself to be `cell`, or nothing is begun; False:
    somebody said that it need not, which is written down; None: a twin's cell is what it is.
    """

    protocol: Protocol
    text: str
    cell: Cell
    driver: Driver
    connect: Connect
    channel: str
    folder: Path
    simulated: bool = False
    truth: dict[str, Any] | None = None
    clock: Clock | None = None
    accepts: frozenset[str] = frozenset()
    announce: Callable[[str], None] | None = None
    check_cell: bool | None = None
    listens: bool = False


@dataclass(frozen=True, slots=True)
class Performed:
    """A run that is over, and its file."""

    path: Path
    run: str
    ended: RunEnded


async def perform(
    order: Order, watch: Callable[[Execution], Sink] | None = None, settings: Settings | None = None
) -> Performed:
    """Run `order` to its end; Ctrl-C, SIGTERM and a closed terminal end it with the cell off.

    `watch` is given the execution and returns a sink that sees every record beside the journal.
    `settings` are the journal's; in virtual time it writes inline.
    Raises RequestError before anything is energised if the channel is latched by an earlier trip
    or cannot run some step.
    """
    bench = BenchState(order.folder)
    refuse_if_latched(bench, order.channel)
    async with opened(order, bench) as channel:
        envelope = bench_envelope(channel.capabilities).intersect(order.protocol.safety)
        check_steps(order.protocol.body, channel, envelope)
        cleared = await clear_to_begin(
            channel, order.protocol, order.cell, envelope, order.accepts,
            check_cell=order.check_cell, announce=order.announce,
        )  # fmt: skip
        seen_on = channel.capabilities.voltage_range(envelope.voltage)
        simulated = order.simulated or channel.instrument.simulated
        clock = order.clock or (TwinClock() if simulated else HostClock())
        header = RunStarted(
            run=new_run_id(),
            protocol_name=order.protocol.name,
            protocol_text=order.text,
            protocol_sha256=hashlib.sha256(order.text.encode()).hexdigest(),
            cell=order.cell,
            instrument=replace(channel.instrument, simulated=simulated),
            envelope=envelope,
            versions=versions_for(order.protocol),
            stamp=clock.stamp(0.0),
            planned_steps=count_steps(order.protocol.body),
            truth=order.truth,
            channel=order.channel,
            voltage_gain=seen_on.gain,
            voltage_offset=seen_on.offset,
            current_ranges=channel.capabilities.current_ranges,
            voltage_ranges=channel.capabilities.voltage_ranges,
        )
        journal = Journal.create(order.folder, header.run, settings)
        sink = Fanout(journal)
        execution = Execution(
            walk(order.protocol),
            channel,
            envelope=envelope,
            sink=sink,
            clock=clock,
            header=header,
            opening=cleared.events(header.stamp),
        )
        return await conduct(
            execution, journal, sink, watch=watch, bench=bench, header=header, listens=order.listens
        )


async def go_on(
    path: Path,
    order: Order,
    watch: Callable[[Execution], Sink] | None = None,
    settings: Settings | None = None,
) -> Performed:
    """Go on with the interrupted run in the file at `path`, on the channel that `order` reaches.

    The results of finished steps are replayed into a fresh walk of the protocol; the step that was cut
    off is adopted where the instrument still runs it, else its remainder is run. Raises RequestError
    if the run has ended, the protocol is another one, or another instrument answers.
    """
    bench = BenchState(order.folder)
    refuse_if_latched(bench, order.channel)
    ended = open_run(path).ended
    if ended is not None:
        raise RequestError(f"{path.name}: the run has ended ({ended.outcome.value}); nothing is left to do")
    state = resume_state(path)
    if state.tripped is not None:
        raise RequestError(
            f"{path.name}: the run tripped ({state.tripped.violation}); a tripped run does not go on"
        )
    async with opened(order, bench) as channel:
        header = state.header
        answers = replace(channel.instrument, simulated=header.instrument.simulated)
        if answers.serial and answers != header.instrument:  # busy with a script it does not say who it is
            raise RequestError(
                f"run {header.run} was made on {header.instrument}; {channel.instrument} answers at this address"
            )
        cleared = clear_to_go_on(channel, order.protocol, order.accepts, announce=order.announce)
        clock = order.clock or (TwinClock() if header.instrument.simulated else HostClock())
        position, plan, first = taken_up(state, order.protocol, clock)
        journal = Journal.reopen(path, settings)
        sink = Fanout(journal)
        execution = Execution(
            plan,
            channel,
            envelope=header.envelope,
            sink=sink,
            clock=clock,
            header=header,
            position=position,
            first=first,
            opening=cleared.events(clock.stamp(position.test_time)),
        )
        return await conduct(
            execution, journal, sink, watch=watch, bench=bench, header=header, listens=order.listens
        )


@asynccontextmanager
async def opened(order: Order, bench: BenchState) -> AsyncIterator[Channel]:
    """The channel, identified. Whatever else answers at its address is kept in the bench's journal."""
    try:
        async with order.driver.open(order.connect) as channel:
            yield channel
    except WrongInstrument as error:
        bench.refuse(order.channel, error)
        raise


def taken_up(state: ResumeState, protocol: Protocol, clock: Clock) -> tuple[Position, Plan, Planned | None]:
    """Where a run stands after its process ended, and its walk wound forward to there."""
    refuse_other_decisions(state.header, protocol)
    plan, first = resume(lambda: walk(protocol), state.results, state.taken)
    position = Position(
        step_count=state.next_step_count - 1,
        sequence=state.next_sequence,
        test_time=state.last_test_time,
        open_circuit=state.open_circuit,
    )
    if state.cut_off:
        *before, last = state.cut_off  # a step whose remainder was cut off too has several pieces
        seen_until = last.started.stamp.utc + last.elapsed
        blind = max(clock.stamp(state.last_test_time).utc - seen_until, 0.0)
        position.cut_off = CutOff(
            started=last.started,
            elapsed=last.elapsed,
            charge=last.charge,
            last_voltage=last.last_voltage,
            blind=blind,
            elapsed_before=sum(each.elapsed for each in before),
            charge_before=sum(each.charge for each in before),
        )
        position.test_time += blind
    return position, plan, first


async def conduct(
    execution: Execution,
    journal: Journal,
    sink: Fanout,
    *,
    watch: Callable[[Execution], Sink] | None,
    bench: BenchState,
    header: RunStarted,
    listens: bool = False,
) -> Performed:
    """Run to the end with signals handled, then seal the file and latch the channel if it tripped."""
    async with AsyncExitStack() as stack:
        asked = None
        if listens:
            asked = await stack.enter_async_context(Requests(journal.path.parent, header.run, execution.stop))
        async with journal:
            if watch is not None:
                sink.add(watch(execution))
            with on_ending(lambda signal: execution.stop("signal", signal)):
                ended = await execution.run()
        if ended.outcome is Outcome.TRIPPED and execution.violation is not None:
            bench.latch(header.channel, header.run, execution.violation)
        elif ended.off is OffState.UNCONFIRMED:
            bench.latch(header.channel, header.run, Violation("output not confirmed off", nan, 0.0, 0.0))
        elif asked is not None and asked.made_safe is not None:
            bench.latch(
                header.channel, header.run, Violation(f"made safe by {asked.made_safe}", nan, 0.0, 0.0)
            )
        if asked is not None:
            asked.over(ended.off)
    return Performed(journal.path, header.run, ended)


def versions_for(protocol: Protocol) -> dict[str, str]:
    """What a run's file says of the software that made it; of what decided, too."""
    versions = {"hilcycler": version("hilcycler"), "python": platform.python_version()}
    if protocol.deciding is not None:
        versions[protocol.deciding.name] = protocol.deciding.version
    return versions


def refuse_other_decisions(header: RunStarted, protocol: Protocol) -> None:
    """A run that was begun with one version of what decides does not go on with another."""
    deciding = protocol.deciding
    if deciding is not None and header.versions.get(deciding.name) != deciding.version:
        raise RequestError(
            f"run {header.run} was begun with version {header.versions.get(deciding.name, 'none')} of "
            f"{deciding.name}; version {deciding.version} is installed and may decide otherwise"
        )


def bench_envelope(capabilities: Capabilities) -> Envelope:
    """What the instrument itself can measure: readings beyond it cannot be judged."""
    most = max(each.full_scale for each in capabilities.current_ranges)
    return Envelope(voltage=capabilities.voltage, current=(-most, most))


def check_steps(nodes: tuple[Node, ...], channel: Channel, envelope: Envelope) -> None:
    """Raise StepRefused, before anything is energised, if some step of the protocol cannot run."""
    for node in nodes:
        match node:
            case Repeat() | Group() | Insert():
                check_steps(node.body, channel, envelope)
            case OperatorPause():
                pass
            case _:
                channel.check(at_open_circuit(node, _supposed_open_circuit(envelope)), envelope)


def _supposed_open_circuit(envelope: Envelope) -> Volt:
    """A voltage to check steps with that are set against open circuit, before any is known."""
    lowest, highest = envelope.voltage
    return 0.0 if lowest < 0.0 < highest else 0.5 * (lowest + highest)


def refuse_if_latched(bench: BenchState, channel: str) -> None:
    """A trip stays until a named person has looked."""
    latch = bench.latched(channel)
    if latch is not None:
        raise RequestError(
            f"channel {channel} is latched by a trip in run {latch.run} ({latch.violation}); "
            f"look at the cell, then: cycler reset {channel} --actor NAME --reason TEXT"
        )
