"""The channel of an EmStat4, MultiEmStat4 or Nexus: one step, one script, its cut-offs inside."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Final

from hilcycler.channel import (
    Activity,
    Capabilities,
    ConditionMet,
    CurrentRange,
    EnvelopeCrossed,
    HostDeath,
    Measured,
    Mode,
    VoltageRange,
)
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
from hilcycler.protocol import Envelope, Violation
from hilcycler.quantities import Second
from hilcycler.records import Instrument, OffState
from hilcycler.steps import ConstantCurrent, Step
from hilcycler_drivers.emstat import fault_codes, refusal, timing
from hilcycler_drivers.emstat.compile import compile_step
from hilcycler_drivers.emstat.identity import Identity, identify
from hilcycler_drivers.emstat.measured import Stream
from hilcycler_drivers.emstat.program import Cause, Program
from hilcycler_drivers.emstat.session import Session, unexpected
from hilcycler_drivers.emstat.switching_off import abort, prove_off
from hilcycler_drivers.emstat.wire import (
    AskFirmware,
    Echo,
    EmptyLine,
    Failure,
    Firmware,
    LoadScript,
    LoopEnded,
    LoopStarted,
    Packages,
    Release,
    Reply,
    Request,
    RunLoaded,
    ScanEnded,
    ScanStarted,
    Text,
)
from hilcycler_drivers.emstat.wire.devices import DEVICES, Device
from hilcycler_drivers.emstat.wire.script import print_script

PATIENCE: Final[Second] = 5.0
"""Added to the longest legitimate silence of a script before silence counts as trouble."""

CONNECT_WITHIN: Final[Second] = 6.0
SAFE_WITHIN: Final[Second] = 8.0
"""One attempt to switch off."""
PAUSES: Final[tuple[Second, ...]] = (0.0, 0.5, 2.0, 5.0)
"""Before each attempt: a device that was plugged in again takes seconds to appear."""
_SAME_CURRENT: Final = 0.1

TURNAROUND: Final[Second] = 0.1
HOST_DEATH: Final = HostDeath(
    "it ends the running step by the limits that were loaded into it, then switches the cell off",
    holds_for_ever=False,
)

_ANY: Final = DEVICES["nexus1"]
"""For knowing what a script says, the model makes no difference; this one can do the most."""

_UNKNOWN: Final = Instrument("emstat", "unknown: it is running a script", "", "")


@asynccontextmanager
async def open_emstat(connect: Connect) -> AsyncIterator[EmStat]:
    """Connect and identify. WrongInstrument for what must not cycle a cell, with the reason."""
    channel = EmStat(connect)
    try:
        await channel.connect()
        yield channel
    finally:
        await channel.aclose()


class EmStat:
    """See hilcycler.channel.Channel.

    An instrument that is running a script does not say who it is; then `instrument` is unknown until
    the script has ended, and only `adopt`, `state` and `safe` are of use.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._identity: Identity | None = None
        self._running: _Running | None = None

    # --- opening and closing

    async def connect(self) -> None:
        """Open the link and see who is there."""
        session = await self._open_session()
        try:
            await self._meet(session)
        except WireError as error:
            raise WrongInstrument(f"what answers is no EmStat or Nexus: {error}") from error

    async def aclose(self) -> None:
        """Close the link. A running script goes on to its own end."""
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    async def _open_session(self) -> Session:
        await self.aclose()
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                self._session = Session(await self._connect())
        except TimeoutError:
            raise LinkTimeout("the link does not open") from None
        return self._session

    def _recognise(self, who: Identity | None, session: Session) -> None:
        if who is None:
            return
        known = self._identity
        if known is not None and (known.device, known.serial) != (who.device, who.serial):
            session.trusted = False
            raise WrongInstrument(
                f"{session.name}: {who.device.name} {who.serial} answers instead of {known.device.name} {known.serial}"
            )
        self._identity = who

    def _trusted(self) -> Session:
        session = self._session
        if session is None or not session.trusted:
            raise LinkLost("the connection is lost, or cannot be trusted since an earlier error")
        return session

    # --- what it can do

    @property
    def capabilities(self) -> Capabilities:
        who = self._identity
        return _capabilities(who.device, who.bits) if who is not None else _NOTHING

    @property
    def instrument(self) -> Instrument:
        return _UNKNOWN if self._identity is None else self._identity.instrument

    def check(self, step: Step, envelope: Envelope) -> None:
        """See Channel."""
        who = self._identity
        if who is not None:
            refusal.check(step, envelope, who.device, who.bits)
            _prepare(step, envelope, who.device)
        elif self._running is None or self._running.program.step != step:
            raise StepRefused("the instrument is busy with a script that was not started from here")

    # --- running a step

    async def start(self, step: Step, envelope: Envelope) -> None:
        """See Channel. The script is loaded whole and checked before it is run.

        A script sent with `e` would run up to where the sending was cut off, should this computer die
        in the middle of it, and leave the cell on; one that is only loaded does nothing.
        """
        session = self._trusted()
        self.check(step, envelope)
        if self._running is not None or self._identity is None:
            raise InstrumentError(f"{session.name}: the previous step is still running")
        program, source = _prepare(step, envelope, self._identity.device)
        await self._command(session, LoadScript(source), "l", f"given {step.kind}")
        await self._command(session, RunLoaded(), "r", f"starting {step.kind}")
        self._running = _Running(program, envelope)

    async def _command(self, session: Session, request: Request, echo: str, doing: str) -> None:
        match await session.ask(request):
            case Echo(command) if command == echo:
                return
            case reply:
                session.trusted = isinstance(reply, Failure)
                raise unexpected(session.name, doing, reply)

    async def records(self) -> AsyncIterator[Measured]:
        """See Channel."""
        session, running = self._trusted(), self._running
        if running is None:
            raise InstrumentError(f"{session.name}: no step is running")
        silence = running.program.silence + PATIENCE
        deadline = loop_time() + silence
        try:
            while not isinstance(reply := await session.next(deadline), EmptyLine):
                for measured in running.hear(reply, session.name):
                    yield measured
                deadline = loop_time() + silence
            ended = running.ended(session.name)
        except WireError:
            session.trusted = False
            raise
        self._running = None
        if self._identity is None:
            await self._meet(session)
        yield ended

    # --- switching off

    async def safe(self) -> OffState:
        """See Channel. One attempt for each of PAUSES, each within SAFE_WITHIN."""
        self._running = None
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(SAFE_WITHIN):
                    await self._switch_off()
            except WrongInstrument:
                return OffState.UNCONFIRMED  # nothing is said to a stranger
            except Exception:  # noqa: BLE001  (never raises: the next attempt starts from a fresh link)
                if self._session is not None:
                    self._session.trusted = False
            else:
                return OffState.OFF
        return OffState.UNCONFIRMED

    async def _switch_off(self) -> None:
        """Whatever it is doing, end it; then prove that the cell is off."""
        session = self._session
        fresh = session is None or not session.trusted
        if session is None or fresh:
            session = await self._open_session()
        idle = fresh and await self._meet(session)
        if not idle:
            await abort(session)
        if not idle and (fresh or self._identity is None):
            await self._meet(session)
        await prove_off(session)

    async def _meet(self, session: Session) -> bool:
        """Ask who it is; False if it is running a script and does not say. WrongInstrument for a stranger."""
        who = await identify(session)
        self._recognise(who, session)
        return who is not None

    # --- after a restart of this computer

    async def state(self) -> Activity:
        """See Channel. To a running script the question is an error, which it survives."""
        try:
            session = self._session
            if session is None or not session.trusted:
                session = await self._open_session()
            match await session.ask(AskFirmware()):
                case Firmware():
                    release = await session.answer(loop_time() + PATIENCE)
                    return Activity.IDLE if isinstance(release, Release) else Activity.UNKNOWN
                case Failure(code=fault_codes.WRONG_MODE):
                    return Activity.RUNNING
                case _:
                    return Activity.UNKNOWN
        except CyclerError:
            return Activity.UNKNOWN

    async def adopt(self, step: Step, envelope: Envelope) -> bool:
        """See Channel. The first package must look like this step's; its timer goes on counting."""
        if await self.state() is not Activity.RUNNING:
            return False
        session = self._trusted()
        device = _ANY if self._identity is None else self._identity.device
        program, _ = _prepare(step, envelope, device)
        if device is _ANY:
            program = replace(program, current_range=0)  # not known
        running = _Running(program, envelope, adopted=True)
        deadline = loop_time() + program.silence + PATIENCE
        while not isinstance(reply := await session.next_of_any_kind(deadline), Packages):
            if isinstance(reply, EmptyLine | Failure):
                return False
        if not running.recognises(reply):
            return False
        session.give_back(reply)
        self._running = running
        return True


class _Running:
    """A step under way, and why it ended once the script has said so."""

    def __init__(self, program: Program, envelope: Envelope, *, adopted: bool = False) -> None:
        self.program, self._envelope = program, envelope
        self._stream = Stream(program, adopted=adopted)
        self._cause: Cause | None = None

    def hear(self, reply: Reply, name: str) -> Sequence[Measured]:
        """What `reply` measures. InstrumentError if the script failed, WireError if it cannot say this."""
        doing = f"during {self.program.step.kind}"
        match reply:
            case Packages():
                return self._stream.take(reply)
            case LoopStarted() | LoopEnded() | ScanStarted() | ScanEnded():
                return ()
            case Text(text):
                self._cause = self.program.causes.get(text)
                if self._cause is None:
                    raise WireError(f"{name}: {doing}: the script said {text!r}, which it cannot say")
                return ()
            case _:
                raise unexpected(name, doing, reply)

    def recognises(self, packages: Packages) -> bool:
        """Whether these look like packages of this step."""
        trial = Stream(self.program, adopted=True)
        try:
            trial.take(packages)
        except WireError:
            return False
        step = self.program.step
        if not trial.rows:  # it has just ended, and says how many there were
            return False
        if isinstance(step, ConstantCurrent):
            return abs(trial.last_current - step.current) <= _SAME_CURRENT * abs(step.current)
        return True

    def ended(self, name: str) -> ConditionMet | EnvelopeCrossed:
        """Why the step ended; WireError if its script never said, or part of its data is missing."""
        cause, limits, stream = self._cause, self._envelope, self._stream
        if cause is None:
            raise WireError(f"{name}: the script ended without saying why; somebody else aborted it")
        elapsed = stream.finish(cause.elapsed)
        match cause.limit:
            case None:
                return ConditionMet(cause.end, elapsed)
            case "voltage":
                violation = Violation("voltage", stream.last_voltage, *limits.voltage)
            case "current":
                violation = Violation("current", stream.last_current, *limits.current)
            case "charge":
                violation = Violation("charge", limits.charge, -limits.charge, limits.charge)
        return EnvelopeCrossed(violation, elapsed)


@lru_cache(maxsize=64)
def _prepare(step: Step, envelope: Envelope, device: Device) -> tuple[Program, str]:
    """The program and its text: a protocol repeats few different steps many times."""
    program = compile_step(step, envelope, device)
    return program, print_script(program.script)


def _capabilities(device: Device, bits: int) -> Capabilities:
    """A galvanostat may have ranges of its own: both kinds occur in sample blocks."""
    ranges = dict.fromkeys((*device.current_ranges, *device.galvanostat_ranges))
    return Capabilities(
        mode=Mode.AUTONOMOUS_STEP,
        techniques=refusal.techniques(bits),
        voltage=device.voltage,
        voltage_gain=device.voltage_gain,
        voltage_offset=device.voltage_offset,
        current_ranges=tuple(
            CurrentRange(r.index, r.nominal, device.gain, device.offset * r.nominal) for r in ranges
        ),
        fastest_sampling=timing.FASTEST,
        turnaround=TURNAROUND,
        host_death=HOST_DEATH,
        highest_frequency=device.highest_frequency,
        lowest_frequency=device.lowest_frequency,
        voltage_ranges=(
            VoltageRange(0, max(map(abs, device.voltage)), device.voltage_gain, device.voltage_offset),
        ),
        at_rest="disconnected (the cell is switched off and its voltage watched): nothing flows",
    )


_NOTHING: Final = Capabilities(
    mode=Mode.AUTONOMOUS_STEP,
    techniques=frozenset(),
    voltage=(0.0, 0.0),
    voltage_gain=math.inf,
    voltage_offset=math.inf,
    current_ranges=(),
    fastest_sampling=math.inf,
    turnaround=TURNAROUND,
    host_death=HOST_DEATH,
)
"""What can be said of an instrument that is running a script and does not say what it is."""
