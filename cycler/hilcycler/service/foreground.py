"""One run in this process, from its beginning to its end; signals end it in good order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import nan
from pathlib import Path

from hilcycler.bench_state import BenchState
from hilcycler.engine import Execution
from hilcycler.errors import RequestError, WrongInstrument
from hilcycler.journal import Settings
from hilcycler.protocol import Violation
from hilcycler.records import RunEnded
from hilcycler.service.foreground_socket import Requests
from hilcycler.service.order import Order as Order  # noqa: PLC0414  (named together with `perform`)
from hilcycler.service.order import bench_envelope as bench_envelope  # noqa: PLC0414
from hilcycler.service.running import Ready, Terms, begun, latched_by, taken_up
from hilcycler.service.signals import on_ending
from hilcycler.sink import Sink


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
    async with _kept(order, bench), begun(order, Terms(settings=settings)) as ready:
        return await _conducted(ready, watch, bench)


async def go_on(
    path: Path,
    order: Order,
    watch: Callable[[Execution], Sink] | None = None,
    settings: Settings | None = None,
) -> Performed:
    """Go on with the interrupted run in the file at `path`, on the channel that `order` reaches.

    See `running.taken_up`; a run that was parked goes on too: that is what is asked for here.
    """
    bench = BenchState(order.folder)
    refuse_if_latched(bench, order.channel)
    async with (
        _kept(order, bench),
        taken_up(path, order, Terms(settings=settings), unpark=True) as ready,
    ):
        return await _conducted(ready, watch, bench)


@asynccontextmanager
async def _kept(order: Order, bench: BenchState) -> AsyncIterator[None]:
    """Whatever else answers at the channel's address is kept in the bench's journal."""
    try:
        yield
    except WrongInstrument as error:
        bench.refuse(order.channel, error)
        raise


async def _conducted(ready: Ready, watch: Callable[[Execution], Sink] | None, bench: BenchState) -> Performed:
    """Run to the end with signals handled, then seal the file and latch the channel if it tripped."""
    execution, journal, header = ready.execution, ready.journal, ready.header
    async with AsyncExitStack() as stack:
        asked = None
        if ready.order.listens:
            asked = await stack.enter_async_context(Requests(journal.path.parent, header.run, execution.stop))
        async with journal:
            if watch is not None:
                ready.sink.add(watch(execution))
            with on_ending(lambda signal: execution.stop("signal", signal)):
                ended = await execution.run()
        violation = latched_by(ended, execution.violation)
        if violation is None and asked is not None and asked.made_safe is not None:
            violation = Violation(f"made safe by {asked.made_safe}", nan, 0.0, 0.0)
        if violation is not None:
            bench.latch(header.channel, header.run, violation)
        if asked is not None:
            asked.over(ended.off)
    return Performed(journal.path, header.run, ended)


def refuse_if_latched(bench: BenchState, channel: str) -> None:
    """A trip stays until a named person has looked."""
    latch = bench.latched(channel)
    if latch is not None:
        raise RequestError(
            f"channel {channel} is latched by a trip in run {latch.run} ({latch.violation}); "
            f"look at the cell, then: cycler reset {channel} --actor NAME --reason TEXT"
        )
