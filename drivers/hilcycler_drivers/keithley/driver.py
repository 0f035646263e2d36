"""The channel of a Keithley SMU: the host samples and decides; OFF goes out before anything else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from hilcycler.channel import (
    Activity,
    Capabilities,
    CurrentRange,
    HostDeath,
    Measured,
    Mode,
    Remark,
    VoltageRange,
)
from hilcycler.clock import loop_time
from hilcycler.errors import (
    CyclerError,
    InstrumentError,
    LinkLost,
    LinkTimeout,
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
    Step,
)
from hilcycler_drivers.keithley import dialect, timing
from hilcycler_drivers.keithley.refusal import WINDOW, refuse_unless_it_can
from hilcycler_drivers.keithley.session import Session
from hilcycler_drivers.keithley.timing import Line
from hilcycler_drivers.keithley.wire import vocabulary as v
from hilcycler_drivers.keithley.wire.models import Dialect, Model, model_of
from hilcycler_drivers.software_steps import Reading, Stepping
from hilcycler_drivers.software_steps.stepping import drive

ROUND_TRIPS: Final = 4
"""The shortest of so many is the line's; the others waited for something else."""
READING_WITHIN: Final[Second] = 1.0
SAFE_WITHIN: Final[Second] = 3.0
GIVE_UP_AFTER: Final[Second] = 15.0
UNREAD: Final = 3
PAUSE: Final[Second] = 0.25
REST_RANGE: Final[Ampere] = 1e-6
"""A rest is 0 A on the range that holds this."""
OFF_CURRENT: Final = 1e-3
"""An output that is off passes less than this share of the smallest range that holds the set-point."""

HOST_DEATH: Final = HostDeath(
    "it holds the last set-point for ever, within the limits that were loaded into it", holds_for_ever=True
)
ITS_WORD: Final = (
    "its own word: this model measures nothing while its output is off, so a relay that sticks is not seen"
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


@dataclass(frozen=True, slots=True)
class _How:
    """How voltage is sourced, beside its level."""

    voltage_range: Volt
    limit: Ampere
    cycles: float


class Keithley:
    """See hilcycler.channel.Channel; also the Source that software steps run on."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._model: Model | None = None
        self._instrument = Instrument("keithley", "unknown", "", "")
        self._function = ""
        self._range = 0
        self._line = Line(0.0)
        self._cycles = 1.0  # of the power line, that a reading is averaged over
        self._how: _How | None = None
        self._said = ""  # what a rest costs is told once, not at each of a thousand
        self._remark: Remark | None = None
        self._unread = 0
        self._step: tuple[Step, Envelope] | None = None

    # --- opening and closing

    async def connect(self) -> None:
        """Open the link, identify, set and verify the off state. The output is left as it is."""
        await self.aclose()
        session = Session(await self._connect())
        self._session = session
        model, serial, firmware = model_of(await session.ask(v.IDENTITY.text + "?"))
        round_trip = math.inf
        for _ in range(ROUND_TRIPS):  # an identity is about as long as a reading
            asked = loop_time()
            if model_of(await session.ask(v.IDENTITY.text + "?")) != (model, serial, firmware):
                raise WireError(f"{session.name} gives two identities")
            round_trip = min(round_trip, loop_time() - asked)
        if model is None:
            raise WrongInstrument(f"{session.name}: what answers is no Keithley SMU that we know")
        if model.dialect is Dialect.MODERN:
            language = (await session.ask(v.LANGUAGE.text + "?")).strip().upper()
            if language != "SCPI":
                raise WrongInstrument(
                    f"{session.name} speaks {language}; set its command set to SCPI (menu, settings) and restart it"
                )
        instrument = Instrument("keithley", model.title, serial, firmware, simulated=serial.startswith("SIM"))
        if self._instrument.serial and instrument != self._instrument:
            raise WrongInstrument(f"{session.name}: {instrument} answers instead of {self._instrument}")
        self._model, self._instrument, self._line = model, instrument, Line(round_trip)
        session.chains = model.dialect is Dialect.MODERN
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
        _, widest = model.voltage_range(WINDOW[1])
        return Capabilities(
            mode=Mode.HOST_STEPPED,
            techniques=TECHNIQUES,
            voltage=WINDOW,
            voltage_gain=widest.gain,
            voltage_offset=widest.offset,
            current_ranges=tuple(
                CurrentRange(at, each.full_scale, each.gain, each.offset)
                for at, each in enumerate(model.current)
            ),
            fastest_sampling=self._line.fastest,
            turnaround=0.0,
            host_death=HOST_DEATH,
            voltage_ranges=tuple(
                VoltageRange(at, each.full_scale, each.gain, each.offset)
                for at, each in enumerate(model.voltage)
                if each.full_scale <= WINDOW[1]
            ),
            at_rest=_at_rest(model),
            off_is_known_by=ITS_WORD if model.dialect is Dialect.LEGACY else "",
        )

    def check(self, step: Step, envelope: Envelope) -> None:
        """See Channel."""
        refuse_unless_it_can(step, envelope, self._known, self._line)

    # --- running a step

    async def start(self, step: Step, envelope: Envelope) -> None:
        """See Channel."""
        self.check(step, envelope)
        self._cycles = timing.cycles_for(timing.period(step, self._line.fastest))
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
        async for measured in Stepping(self, self._line.fastest).run(step, envelope):
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
        _, smallest = self._known.current_range(REST_RANGE)
        await self._source_current(0.0, smallest.full_scale, envelope)
        return f"rest: {_at_rest(self._known)}"

    async def drive_current(self, current: Ampere, envelope: Envelope) -> None:
        """See Source."""
        _, needed = self._known.current_range(current)
        await self._source_current(current, needed.full_scale, envelope)

    async def _source_current(self, current: Ampere, full_scale: Ampere, envelope: Envelope) -> None:
        session, model = self._trusted(), self._known
        limit = _limit(envelope)
        before = model.current[self._range].full_scale
        self._range, _ = model.current_range(full_scale)
        level, scale = dialect.numeric(v.CURRENT, current), dialect.scale(v.CURRENT_RANGE, full_scale)
        if not await self._driving(session, "CURR"):
            seen = self.capabilities.voltage_range(envelope.voltage).full_scale
            source = dialect.current_source(model, full_scale, limit, seen)
            await self._switch_on(session, "CURR", limit, source)
            await session.set([level])
            return
        await session.set([dialect.voltage_limit(model, limit), dialect.integration("CURR", self._cycles)])
        # A level beyond the range would be refused, so the range grows before and shrinks after it.
        await session.set([scale, level] if full_scale >= before else [level, scale])

    async def drive_voltage(self, voltage: Volt, most: Ampere, envelope: Envelope) -> None:
        """See Source."""
        session, model = self._trusted(), self._known
        limit = min(most, model.most_current)
        self._range, scale = model.current_range(limit)
        seen = self.capabilities.voltage_range(envelope.voltage).full_scale
        how, self._how = self._how, _How(seen, limit, self._cycles)
        if how is not None and how.voltage_range == seen and await self._driving(session, "VOLT"):
            changed = (
                []
                if how == self._how
                else [
                    *dialect.current_limit(model, limit, scale.full_scale),
                    dialect.integration("VOLT", self._cycles),
                ]
            )
            await session.set([dialect.numeric(v.VOLTAGE, voltage), *changed])
            return
        source = dialect.voltage_source(model, voltage, seen, limit, scale.full_scale)
        await self._switch_on(session, "VOLT", _limit(envelope), source)

    async def _driving(self, session: Session, function: str) -> bool:
        return self._function == function and await self._is_on(session)

    async def _switch_on(
        self, session: Session, function: str, limit: Volt, source: list[dialect.Setting]
    ) -> None:
        """Everything is set and read back while the output is off: no level of an earlier step comes on."""
        await session.set(
            [
                dialect.switch(v.OUTPUT, on=False),
                *dialect.wiring(self._known),
                *dialect.overvoltage(self._known, limit),
                *source,
                dialect.integration(function, self._cycles),
                *dialect.off_states(self._known),
            ]
        )
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
        self._step, self._unread = None, 0
        until = loop_time() + GIVE_UP_AFTER
        while loop_time() < until:
            if await self._switched_off():
                return OffState.OFF
            try:
                async with asyncio.timeout(SAFE_WITHIN):
                    await self.connect()
            except (CyclerError, TimeoutError):
                await asyncio.sleep(PAUSE)
        return OffState.UNCONFIRMED

    async def _switched_off(self) -> bool:
        """One attempt.

        An instrument that never measures while it is off is believed when everything else was answered over
        `UNREAD` fresh links. A reading lost on one of them proves nothing.
        """
        try:
            async with asyncio.timeout(SAFE_WITHIN):
                await self.off()
                if self._unread >= UNREAD and not await self._is_on(self._trusted()):
                    return True
                return await self._proved_off(self._trusted())
        except (CyclerError, TimeoutError):
            return False

    async def _proved_off(self, session: Session) -> bool:
        stays_on = await self._is_on(session)
        await session.tell(v.CURRENT.text + " 0")
        if stays_on:
            return False
        model = self._known
        if model.dialect is Dialect.LEGACY:
            return True  # see ITS_WORD
        try:
            reply = await session.ask(dialect.read_both(model), READING_WITHIN)
        except LinkTimeout:
            self._unread += 1
            raise
        _, current = dialect.both(model, await session.ask(v.SOURCE_FUNCTION.text + "?"), reply)
        return abs(current) <= max(OFF_CURRENT * model.current[self._range].full_scale, 1e-7)

    async def _is_on(self, session: Session) -> bool:
        reply = (await session.ask(v.OUTPUT.text + "?")).strip()
        if reply not in {"0", "1"}:
            raise InstrumentError(f"{session.name}: {reply[:40]!r} is no state of an output")
        return reply == "1"


def _at_rest(model: Model) -> str:
    """What a rest is, and what it costs in charge: an open circuit would cost the relay instead."""
    _, smallest = model.current_range(REST_RANGE)
    return (
        f"0 A with the output on; its offset of up to {smallest.offset:g} A "
        f"passes up to {smallest.offset * 3600.0:.2g} C an hour"
    )


def _limit(envelope: Envelope) -> Volt:
    """The instrument's own voltage limit: just outside the envelope, and above the cell's voltage.

    Below it, the SMU would clamp to its limit and draw whatever current that takes.
    """
    return max(abs(envelope.voltage[0]), abs(envelope.voltage[1])) + v.LIMIT_MARGIN


__all__ = ["Keithley", "open_keithley"]
