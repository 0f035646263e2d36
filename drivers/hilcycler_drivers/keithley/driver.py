"""The channel of a Keithley SMU: the host samples and decides; OFF goes out before anything else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from hilcycler.channel import Activity, Capabilities, CurrentRange, HostDeath, Measured, Mode, Remark
from hilcycler.clock import loop_time
from hilcycler.errors import (
    CyclerError,
    InstrumentError,
    LinkLost,
    LinkTimeout,
    StepRefused,
    WireError,
    WrongInstrument,
)
from hilcycler.links import Connect
from hilcycler.protocol import Envelope
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler.records import Instrument, OffState
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    LinearSweep,
    Rest,
    Sampling,
    Step,
)
from hilcycler_drivers.keithley import dialect
from hilcycler_drivers.keithley.session import Session
from hilcycler_drivers.keithley.wire import vocabulary as v
from hilcycler_drivers.keithley.wire.models import Dialect, Model, model_of
from hilcycler_drivers.software_steps import Reading, Stepping
from hilcycler_drivers.software_steps.stepping import drive, refuse_unless_software

FASTEST: Final[Second] = 0.01
"""Over a network; a slower line is measured when it is opened, and what it cannot carry is refused."""
ROUND_TRIPS: Final = 4
"""The shortest of so many is the line's; the others waited for something else."""
LINE_HZ: Final = 50.0
SETTLING: Final[Second] = 0.0015
"""Beside the integration, each reading takes about this."""
WINDOW: Final[tuple[Volt, Volt]] = (-20.0, 20.0)
READING_WITHIN: Final[Second] = 1.0
SAFE_WITHIN: Final[Second] = 3.0
GIVE_UP_AFTER: Final[Second] = 15.0
PAUSE: Final[Second] = 0.25
OFF_CURRENT: Final = 1e-3
"""An output that is off passes less than this share of the smallest range that holds the set-point."""

HOST_DEATH: Final = HostDeath(
    "it holds the last set-point for ever, within the limits that were loaded into it", holds_for_ever=True
)
TECHNIQUES: Final = frozenset(
    {Rest, ConstantCurrent, ConstantVoltage, ConstantCurrentConstantVoltage, LinearSweep, CyclicVoltammetry}
)


@asynccontextmanager
async def open_keithley(connect: Connect) -> AsyncIterator[Keithley]:
    """Connect, identify, and see that an output that is off is really disconnected."""
    channel = Keithley(connect)
    try:
        await channel.connect()
        yield channel
    finally:
        await channel.aclose()


class Keithley:
    """See hilcycler.channel.Channel; also the Source that software steps run on."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._model: Model | None = None
        self._instrument = Instrument("keithley", "unknown", "", "")
        self._function = ""
        self._range = 0
        self._round_trip: Second = 0.0
        self._cycles = 1.0  # of the power line, that a reading is averaged over
        self._sourcing: Ampere = 0.0  # the limit on the current while voltage is sourced
        self._integrating = 0.0
        self._said = ""  # what a rest costs is told once, not at each of a thousand
        self._remark: Remark | None = None
        self._unreadable = False
        self._step: tuple[Step, Envelope] | None = None

    # --- opening and closing

    async def connect(self) -> None:
        """Open the link, identify, set and verify the off state. The output is left as it is."""
        await self.aclose()
        session = Session(await self._connect())
        self._session = session
        model, serial, firmware = model_of(await session.ask(v.IDENTITY.text + "?"))
        self._round_trip = math.inf
        for _ in range(ROUND_TRIPS):  # an identity is about as long as a reading
            asked = loop_time()
            if model_of(await session.ask(v.IDENTITY.text + "?")) != (model, serial, firmware):
                raise WireError(f"{session.name} gives two identities")
            self._round_trip = min(self._round_trip, loop_time() - asked)
        if model is None:
            raise WrongInstrument(f"{session.name}: what answers is no Keithley SMU that we know")
        if model.dialect is Dialect.MODERN:
            language = (await session.ask(v.LANGUAGE.text + "?")).strip().upper()
            if language != "SCPI":
                raise WrongInstrument(
                    f"{session.name} speaks {language}; set its command set to SCPI (menu, settings) and restart it"
                )
        instrument = Instrument("keithley", model.name, serial, firmware, simulated=serial.startswith("SIM"))
        if self._instrument.serial and instrument != self._instrument:
            raise WrongInstrument(f"{session.name}: {instrument} answers instead of {self._instrument}")
        self._model, self._instrument = model, instrument
        await session.tell(v.CLEAR.text)
        await session.set(dialect.off_states(model))

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    def _trusted(self) -> Session:
        if self._session is None or not self._session.trusted:
            raise LinkLost("the connection is lost, or cannot be trusted since an earlier error")
        return self._session

    @property
    def _known(self) -> Model:
        if self._model is None:
            raise LinkLost("not identified yet")
        return self._model

    # --- what it can do

    @property
    def instrument(self) -> Instrument:
        return self._instrument

    @property
    def capabilities(self) -> Capabilities:
        model = self._known
        _, usual = model.voltage_range(2.0)
        return Capabilities(
            mode=Mode.HOST_STEPPED,
            techniques=TECHNIQUES,
            voltage=WINDOW,
            voltage_gain=usual.gain,
            voltage_offset=usual.offset,
            current_ranges=tuple(
                CurrentRange(at, each.full_scale, each.gain, each.offset)
                for at, each in enumerate(model.current)
            ),
            fastest_sampling=self._fastest,
            turnaround=0.0,
            host_death=HOST_DEATH,
        )

    @property
    def _fastest(self) -> Second:
        """What the line can carry, with the shortest conversion and a fifth to spare."""
        return max(FASTEST, 1.2 * (self._round_trip + _conversion(_cycles_for(FASTEST))))

    def check(self, step: Step, envelope: Envelope) -> None:
        """See Channel."""
        refuse_unless_software(step)
        low, high = envelope.voltage
        if not (WINDOW[0] <= low and high <= WINDOW[1]):
            raise StepRefused(
                f"safety limits {low:g} V to {high:g} V lie outside {WINDOW[0]:g} V to {WINDOW[1]:g} V"
            )
        current = getattr(step, "current", 0.0)
        if abs(current) > self._known.most_current:
            raise StepRefused(
                f"{current:g} A: a {self._known.name} sources at most {self._known.most_current:g} A"
            )
        asked = _asked_period(step)
        if asked < self._fastest:
            raise StepRefused(
                f"a sample every {asked:g} s was asked for; this channel delivers one every "
                f"{self._fastest:.3g} s at best (a round trip over this line takes {self._round_trip:.2g} s)"
            )

    # --- running a step

    async def start(self, step: Step, envelope: Envelope) -> None:
        """See Channel."""
        self.check(step, envelope)
        self._cycles = _cycles_for(_period(step, self._fastest))
        said = await drive(self, step, envelope)
        self._remark = Remark(said) if said and said != self._said else None
        self._said = said or self._said
        self._step = (step, envelope)

    async def records(self) -> AsyncIterator[Measured]:
        """See Channel."""
        if self._step is None:
            raise InstrumentError("no step is running")
        (step, envelope), self._step = self._step, None
        if self._remark is not None:
            yield self._remark
        async for measured in Stepping(self, self._fastest).run(step, envelope):
            yield measured

    async def adopt(self, step: Step, envelope: Envelope) -> bool:  # noqa: ARG002
        """Nothing goes on by itself here: a step that lost its host is a set-point that was held."""
        return False

    async def state(self) -> Activity:
        """See Channel."""
        try:
            return Activity.RUNNING if await self._is_on(self._trusted()) else Activity.IDLE
        except CyclerError:
            return Activity.UNKNOWN

    # --- Source

    async def rest(self, envelope: Envelope) -> str:
        """0 A with the output on: a relay that opens at every rest wears out, and measures nothing."""
        _, smallest = self._known.current_range(1e-6)
        await self._source_current(0.0, smallest.full_scale, envelope)
        return (
            f"rest: 0 A with the output on; its offset of up to {smallest.offset:g} A "
            f"passes up to {smallest.offset * 3600.0:.2g} C an hour"
        )

    async def drive_current(self, current: Ampere, envelope: Envelope) -> None:
        """See Source."""
        _, needed = self._known.current_range(current)
        await self._source_current(current, needed.full_scale, envelope)

    async def _source_current(self, current: Ampere, full_scale: Ampere, envelope: Envelope) -> None:
        session, model = self._trusted(), self._known
        limit = _limit(envelope)
        before = model.current[self._range].full_scale
        self._range, _ = model.current_range(full_scale)
        level, scale = dialect.numeric(v.CURRENT, current), dialect.numeric(v.CURRENT_RANGE, full_scale)
        if not await self._driving(session, "CURR"):
            _, seen = model.voltage_range(limit)
            await session.set(dialect.wiring(model))
            await session.set(dialect.overvoltage(model, limit))
            await session.set(dialect.current_source(model, full_scale, limit, seen.full_scale))
            await session.set([dialect.integration("CURR", self._cycles)])
            await self._switch_on(session, "CURR")
            await session.set([level])
            return
        await session.set([dialect.voltage_limit(model, limit), dialect.integration("CURR", self._cycles)])
        # A level beyond the range would be refused, so the range grows before and shrinks after it.
        await session.set([scale, level] if full_scale >= before else [level, scale])

    async def drive_voltage(self, voltage: Volt, most: Ampere, envelope: Envelope) -> None:
        """See Source."""
        session, model = self._trusted(), self._known
        limit = min(most, model.most_current)
        level = dialect.numeric(v.VOLTAGE, voltage)
        if (self._sourcing, self._integrating) == (limit, self._cycles) and await self._driving(
            session, "VOLT"
        ):
            await session.set([level])
            return
        self._range, scale = model.current_range(limit)
        await session.set(dialect.wiring(model))
        await session.set(dialect.overvoltage(model, _limit(envelope)))
        await session.set(dialect.voltage_source(model, voltage, limit, scale.full_scale))
        await session.set([dialect.integration("VOLT", self._cycles)])
        await self._switch_on(session, "VOLT")
        self._sourcing = limit
        self._integrating = self._cycles

    async def _driving(self, session: Session, function: str) -> bool:
        return self._function == function and await self._is_on(session)

    async def _switch_on(self, session: Session, function: str) -> None:
        await session.set(dialect.off_states(self._known))
        await session.set([dialect.switch(v.OUTPUT, on=True)])
        self._function = function

    async def measure(self) -> Reading:
        """See Source."""
        reply = await self._trusted().ask(dialect.read_both(self._known), READING_WITHIN)
        voltage, current = dialect.both(self._known, self._function, reply)
        return Reading(voltage, current, self._range)

    async def off(self) -> None:
        """See Source."""
        self._function = ""
        if self._session is not None:
            await self._session.off()

    # --- switching off

    async def safe(self) -> OffState:
        """See Channel: OFF before anything else, asked back, and no current seen.

        What does not obey is told 0 A, and OFF again over fresh links, until it is given up as UNCONFIRMED.
        """
        self._step = None
        until, attempts = loop_time() + GIVE_UP_AFTER, 0
        while loop_time() < until:
            if await self._switched_off(again=attempts > 0):
                return OffState.OFF
            attempts += 1
            try:
                async with asyncio.timeout(SAFE_WITHIN):
                    await self.connect()
            except (CyclerError, TimeoutError):
                await asyncio.sleep(PAUSE)
        return OffState.UNCONFIRMED

    async def _switched_off(self, *, again: bool) -> bool:
        """One attempt. One that measures nothing while off is believed when it says so twice, freshly asked."""
        try:
            async with asyncio.timeout(SAFE_WITHIN):
                await self.off()
                if again and self._unreadable and not await self._is_on(self._trusted()):
                    return True
                return await self._proved_off(self._trusted())
        except (CyclerError, TimeoutError):
            return False

    async def _proved_off(self, session: Session) -> bool:
        self._unreadable = False
        stays_on = await self._is_on(session)
        await session.tell(v.CURRENT.text + " 0")
        if stays_on:
            return False
        model = self._known
        if model.dialect is Dialect.LEGACY:
            return True  # it refuses to measure with its output off
        try:
            reply = await session.ask(dialect.read_both(model), READING_WITHIN)
        except LinkTimeout:
            self._unreadable = True
            raise
        _, current = dialect.both(model, await session.ask(v.SOURCE_FUNCTION.text + "?"), reply)
        return abs(current) <= max(OFF_CURRENT * model.current[self._range].full_scale, 1e-7)

    async def _is_on(self, session: Session) -> bool:
        reply = (await session.ask(v.OUTPUT.text + "?")).strip()
        if reply not in {"0", "1"}:
            raise InstrumentError(f"{session.name}: {reply[:40]!r} is no state of an output")
        return reply == "1"


def _period(step: Step, fastest: Second) -> Second:
    """How often `step` is sampled."""
    match step:
        case LinearSweep() | CyclicVoltammetry():
            return max(step.step / step.rate, fastest)
        case _:
            return max(getattr(step, "sampling", Sampling()).decide, fastest)


def _asked_period(step: Step) -> Second:
    """How often somebody wants to see a sample; sweeps are judged by what steps them."""
    if isinstance(step, LinearSweep | CyclicVoltammetry):
        return step.step / step.rate
    every = getattr(step, "sampling", Sampling()).every
    return math.inf if every is None else every


def _cycles_for(period: Second) -> float:
    """As much averaging, up to one cycle of the power line, as fits in 40 % of a period."""
    return round(min(1.0, max(0.01, (0.4 * period - SETTLING) * LINE_HZ)), 3)


def _conversion(cycles: float) -> Second:
    return cycles / LINE_HZ + SETTLING


def _limit(envelope: Envelope) -> Volt:
    """The instrument's own voltage limit: just outside the envelope, and above the cell's voltage.

    Below it, the SMU would clamp to its limit and draw whatever current that takes.
    """
    return max(abs(envelope.voltage[0]), abs(envelope.voltage[1])) + v.LIMIT_MARGIN


__all__ = ["Keithley", "open_keithley"]
