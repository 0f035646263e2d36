"""One channel of the bench: its queue, the run that is on it, and what went wrong, which stays here.

A keeper takes up what was interrupted, asks the instrument what it is doing, then runs what is queued, one
after the other. Whatever breaks on its channel is kept and shown, and stops no other channel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, repeat
from math import nan
from pathlib import Path
from typing import Final

from hilcycler.bench_file import AfterRestart, Bench
from hilcycler.bench_state import Latched, Queued, Refused
from hilcycler.channel import Activity
from hilcycler.clock import wall_clock
from hilcycler.engine import By, Doing, LeftRunning
from hilcycler.errors import CyclerError, LinkError, RequestError, WrongInstrument
from hilcycler.journal import Settings, run_path
from hilcycler.protocol import Violation
from hilcycler.quantities import Second
from hilcycler.records import OffState, RunEnded
from hilcycler.service.apart import apart
from hilcycler.service.books import Books
from hilcycler.service.exclusive import instrument_lock
from hilcycler.service.now import Now
from hilcycler.service.request import Instruments, order_of
from hilcycler.service.running import SERVICE, Ready, Terms, begun, closed, latched_by, taken_up
from hilcycler.service.standing import Standing, standing
from hilcycler.sink import Sink

AGAIN: Final[tuple[Second, ...]] = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Between attempts to reach an instrument that does not answer; the last one for ever."""

_log = logging.getLogger(__name__)


class Condition(StrEnum):
    """How a channel is, beside what its run is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    HELD = "held"
    LATCHED = "latched"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Policies:
    """What is the same for all channels of a service.

    `leave`: when it ends, runs that can go on without a host may. `watch`: one more sink for every run.
    """

    settings: Settings = field(default_factory=Settings)
    leave: bool = False
    watch: Callable[[Ready], Sink] | None = None


class Keeper:
    """Keeps the channel `name` of `bench`; `keep` runs until it is cancelled or `close` has been called."""

    def __init__(self, name: str, bench: Bench, books: Books, policies: Policies) -> None:
        self.name, self.at = name, bench.channels[name]
        self.condition = Condition.STARTING
        self.failure = ""
        self.now = Now()
        self.ready: Ready | None = None
        self._held = False
        self.reconciled = asyncio.Event()
        self.changed: asyncio.Event = asyncio.Event()
        self._bench, self._books, self._policies = bench, books, policies
        self._instruments: Instruments | None = None
        self._wake = asyncio.Event()
        self._closing = False

    # --- what people may ask ----------------------------------------------------------------

    @property
    def run(self) -> str:
        """The id of the run on the channel; empty without one."""
        return "" if self.ready is None else self.ready.header.run

    @property
    def instruments(self) -> Instruments:
        """Where its instrument is. RequestError if the bench file is wrong about it."""
        if self._instruments is None:
            self._instruments = Instruments.of(self.at)
        return self._instruments

    def wake(self) -> None:
        """Something has come into the queue, or the channel has been released."""
        self._wake.set()

    @property
    def state(self) -> str:
        """What people act on: what its run is doing, else how the channel is."""
        return self.condition.value if self.ready is None else self.ready.execution.doing.value

    @property
    def latched(self) -> Latched | None:
        """The trip that it is latched by."""
        return self._books.latched.get(self.name)

    @property
    def waiting(self) -> list[Queued]:
        """What is in its queue, without the run that is going on."""
        return [each for each in self._books.queue(self.name) if each.run != self.run]

    @property
    def held(self) -> bool:
        """Whether nothing begins from the queue until somebody says so."""
        return self._held or self.name in self._books.held

    def hold(self, *, held: bool) -> None:
        """Begin nothing from the queue, or do so again."""
        self._held = held
        if not held:
            self._books.held.discard(self.name)
        self.wake()

    async def make_safe(self, by: By) -> OffState:
        """Output off and nothing begun until somebody says so; a run is parked. CyclerError, RequestError."""
        self.hold(held=True)
        ready = self.ready
        if ready is None:
            if self.at.simulated is not None and self.condition is not Condition.BUSY:
                return OffState.OFF
            async with self.instruments.open() as channel:
                self.instruments.expect(channel.instrument)
                return await channel.safe()
        execution = ready.execution
        if execution.doing is not Doing.PARKED:
            execution.pause(by)
            await execution.until(Doing.PARKED)
        return OffState.OFF if execution.doing is Doing.PARKED else OffState.UNCONFIRMED

    async def close(self) -> None:
        """The service ends: runs are parked, their outputs off, or left to instruments that can be trusted."""
        self._closing = True
        self.wake()
        ready = self.ready
        if ready is None:
            return
        execution = ready.execution
        stays = execution.channel.capabilities.host_death.holds_for_ever
        if execution.doing is not Doing.PARKED and (stays or not self._policies.leave):
            with suppress(RequestError):  # it is ending by itself
                execution.pause(By(SERVICE, "the service ends"))
            await execution.until(Doing.PARKED)
        execution.leave()

    # --- the channel ------------------------------------------------------------------------

    async def keep(self) -> None:
        """Take up what was interrupted, then run what is queued. Never raises for what is wrong here."""
        with ExitStack() as stack:
            try:
                if self.instruments.address:
                    stack.enter_context(instrument_lock(self.instruments.address))
                await self._live()
            except CyclerError as error:
                self._fail(Condition.BROKEN, str(error))
            except Exception as error:  # noqa: BLE001  (a fault here stops this channel, and no other)
                _log.exception("channel %s stops: a fault of our own", self.name)
                self._fail(Condition.BROKEN, f"a fault of our own: {error!r}")
            finally:
                self.reconciled.set()

    async def _live(self) -> None:
        await self._see_what_it_does()
        while not self._closing:
            queued = self._next()
            if queued is not None:
                await self._do(queued)
                continue
            self._wake.clear()
            self._be(self._resting())
            self.reconciled.set()
            await self._wake.wait()

    def _next(self) -> Queued | None:
        queue = self._books.queue(self.name)
        if not queue:
            return None
        begun_already = run_path(self._bench.data, queue[0].run).exists()
        if begun_already or not (self.held or self.name in self._books.latched):
            return queue[0]
        return None

    def _resting(self) -> Condition:
        if self.name in self._books.latched:
            return Condition.LATCHED
        return Condition.HELD if self.held else Condition.IDLE

    async def _see_what_it_does(self) -> None:
        """An instrument that is at work though no run of ours is on it is switched off."""
        if self._books.queue(self.name) or self.at.simulated is not None:
            return
        await self._reaching(self._switch_off_a_stranger)

    async def _switch_off_a_stranger(self) -> None:
        order = self.instruments
        async with order.open() as channel:
            order.expect(channel.instrument)
            activity = await channel.state()
            if activity is Activity.IDLE:
                return
            off = await channel.safe()
        said = f"found {activity.value} with no run of ours on it; switched off, output {off.value}"
        await self._books.append(Refused(self.name, "Adoption", said, wall_clock()))
        if off is not OffState.OFF:
            await self._books.latch(self.name, "", Violation("output not confirmed off", nan, 0.0, 0.0))

    async def _do(self, queued: Queued) -> None:
        """One run of the queue: begun, taken up where it was cut off, or brought to its end."""
        path = run_path(self._bench.data, queued.run)
        self._be(Condition.BUSY)
        try:
            await self._reaching(lambda: self._attempt(queued, path))
        except LeftRunning:
            self._closing = True
        except CyclerError as error:
            await self._given_up(queued, error, may_be_on=path.exists())

    async def _given_up(self, queued: Queued, error: CyclerError, *, may_be_on: bool) -> None:
        """A run that cannot be begun, or taken up again: then what it left on is switched off, and it is over."""
        self._fail(self.condition, str(error))
        await self._books.append(Refused(self.name, type(error).__name__, str(error), wall_clock()))
        if may_be_on and not isinstance(error, WrongInstrument):  # nothing is said to a stranger
            self._held = True
            with suppress(RequestError):
                await self._reaching(self._switch_off_a_stranger)
        await self._books.over(self.name, queued.run, "failed" if may_be_on else "refused", str(error))

    async def _attempt(self, queued: Queued, path: Path) -> None:
        order = order_of(queued, self._bench, self.instruments)
        within = self._bench.envelope.intersect(self.at.envelope)
        terms = Terms(queued.run, within, self.instruments.expect, self._policies.settings)
        how, ended = await apart(lambda: standing(path), inline=terms.inline)
        match how:
            case Standing.NEW:
                async with begun(order, terms) as ready:
                    await self._run(ready)
            case Standing.INTERRUPTED:
                safe = self.at.after_restart is AfterRestart.SAFE
                park = "after a restart nothing here goes on by itself" if safe else ""
                async with taken_up(path, order, terms, park=park) as ready:
                    await self._run(ready)
            case Standing.ENDING:
                ended, violation = await closed(path, order, terms)
                await self._over(queued.run, ended, violation)
            case Standing.ENDED:
                assert ended is not None
                await self._over(queued.run, ended, None)

    async def _run(self, ready: Ready) -> None:
        if self._closing:  # the service was told to end while the channel was being opened
            return
        self.now = Now(ready.header, ready.last, ready.test_time)
        ready.sink.add(self.now)
        if self._policies.watch is not None:
            ready.sink.add(self._policies.watch(ready))
        ready.execution.listener = self._heard
        self.ready, self.failure = ready, ""
        self._be(Condition.BUSY)
        if self._held:  # made safe while it was being opened
            ready.execution.pause(By(SERVICE, "made safe before it began"))
        try:
            async with ready.journal:
                ended = await ready.execution.run()
        finally:
            self.ready = None
        await self._over(ready.header.run, ended, latched_by(ended, ready.crossed))

    def _heard(self) -> None:
        """A run that people may act on is a channel that is reconciled."""
        self.reconciled.set()
        self._tell()

    async def _over(self, run: str, ended: RunEnded, violation: Violation | None) -> None:
        if violation is not None:
            await self._books.latch(self.name, run, violation)
        await self._books.over(self.name, run, ended.outcome.value, ended.reason)

    async def _reaching(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try again, for ever, where the instrument does not answer before anything has begun."""
        for wait in chain(AGAIN, repeat(AGAIN[-1])):
            try:
                return await attempt()
            except WrongInstrument:
                raise
            except LinkError as error:
                if self._closing:
                    return None
                self._fail(Condition.UNREACHABLE, str(error))
                self.reconciled.set()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            if self._closing:
                return None
        return None

    # --- telling ----------------------------------------------------------------------------

    def _be(self, condition: Condition) -> None:
        self.condition = condition
        self._tell()

    def _fail(self, condition: Condition, why: str) -> None:
        if why != self.failure:
            _log.warning("channel %s: %s: %s", self.name, condition.value, why)
        self.failure = why
        self._be(condition)

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
