"""The firmware's state machine: commands in, output out, on the caller's clock.

    IDLE --e, l + script + empty line--> checked --e--> RUNNING --end, error, Z--> IDLE

While a script runs only `h H Z Y R` are obeyed; their echoes stand between whole lines. A script's
time is simulated: without a pace it passes as fast as output is taken (and stands still while nobody
takes it); with one, so many simulated seconds pass in a second of the caller's clock, whether
somebody listens or not, and what is said to nobody is lost. Between scripts the cell's time stands
still but for TURNAROUND, so the speed and the habits of a client leave no trace in the samples.

Not known of the real firmware, and decided here: a runtime error is not followed by an empty line;
an empty command is ignored while a script runs; `Z` during `on_finished:` ends that too; a change
between potentiostat and galvanostat disconnects the cell.
"""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hilcycler.errors import LinkLost
from hilcycler.quantities import Second
from hilcycler_drivers.emstat.wire import (
    Abort,
    AbortLoop,
    AskCapabilities,
    AskFirmware,
    AskMultiSerial,
    AskScriptVersion,
    AskSerial,
    CapabilityBits,
    Echo,
    EmptyLine,
    Execute,
    Failure,
    Firmware,
    Flush,
    Halt,
    LoadScript,
    MultiSerial,
    ReadRegister,
    Release,
    Reply,
    Request,
    RequestDecoder,
    Resume,
    ReverseSweep,
    RunLoaded,
    ScriptVersion,
    SerialNumber,
    Unknown,
    WriteRegister,
    encode,
)
from hilcycler_drivers.emstat.wire.devices import SCRIPT_BITS
from hilcycler_drivers.emstat.wire.script import UNKNOWN_COMMAND, Script, ScriptError, parse
from hilcycler_simulators.instruments.emstat import values
from hilcycler_simulators.instruments.emstat.output import Interrupt, Output, PowerLost, Steps
from hilcycler_simulators.instruments.emstat.runner import Runner
from hilcycler_simulators.instruments.emstat.schedule import Schedule
from hilcycler_simulators.instruments.emstat.unit import Unit
from hilcycler_simulators.instruments.emstat.values import commands
from hilcycler_simulators.serving import CHUNK

TURNAROUND: Second = 0.010
"""Simulated time between a script's acknowledgement and its first command."""

DEAF_FOR: Second = 0.075
"""After an error reply the firmware ignores its input for 50 to 100 ms of the caller's clock."""

NOT_NOW = 0x0006
NOT_RECOGNISED = 0x0003
UNKNOWN_REGISTER = 0x0004
NO_SCRIPT = 0x000C
NOT_MULTICHANNEL = 0x0048

_ROUNDING: Second = 1e-9
"""What is due at an instant is said at that instant, however the way there and back was rounded."""

_RESUMES_AT_ONCE = 8
_MOST_WAITING = 256
_BREATH: Second = 1e-3


@dataclass(frozen=True, slots=True)
class _Heard:
    """A request and when it came, on the caller's clock."""

    request: Request
    at: Second


class EmStat:
    """One instrument at its port; see `hilcycler_simulators.serving.Device`.

    `announced` is what it says it is, `deaf_for` how long errors make it deaf; `vectorise` is there for
    the law that running bodies over whole grids makes no difference.
    """

    def __init__(self, unit: Unit, pace: float | None = None, *, vectorise: bool = True) -> None:
        self.unit = unit
        self.announced = unit.device
        self.deaf_for = DEAF_FOR
        self.mishaps = Schedule()
        self._pace = pace
        self._vectorise = vectorise
        self._decoder = RequestDecoder()
        self._inbox: deque[_Heard] = deque()
        self._out = bytearray()
        self._listened_to = False
        self._deaf_until = -math.inf
        self._loaded: Script | None = None
        self._steps: Steps | None = None
        self._output = Output.nothing(0.0)
        self._said = 0  # lines of it
        self._started: tuple[Second, Second] = (0.0, 0.0)  # caller's clock, simulated time
        self._halted = False
        self._rest_until = -math.inf
        self._absent_until = -math.inf
        self._cut_off = False

    @property
    def is_running(self) -> bool:
        return self._steps is not None

    # --- the port

    def present(self, now: Second) -> bool:
        return now >= self._absent_until

    def connected(self, now: Second) -> None:
        self._cut_off = False
        self.catch_up(now)
        self._listened_to = True

    def disconnected(self, now: Second) -> None:
        self._listened_to = False
        self.catch_up(now)

    def feed(self, data: bytes, now: Second) -> None:
        self._check_present(now)
        if now < self._deaf_until:
            return
        for request in self._decoder.feed(data):
            if len(self._inbox) < _MOST_WAITING:  # what does not fit into its memory is lost
                self._inbox.append(_Heard(request, now))

    def emit(self, now: Second) -> bytes:
        if not self._out:
            self._check_present(now)
        resumes = 0
        while len(self._out) < CHUNK and resumes < _RESUMES_AT_ONCE:
            if self._steps is not None:
                if not self._run_on(now):
                    break
                resumes += 1
            elif self._inbox:
                self._answer(self._inbox.popleft(), now)
            else:
                break
        said = bytes(self._out[:CHUNK])
        del self._out[:CHUNK]
        return said

    def due(self) -> Second:
        if self._out or self._cut_off or (self._inbox and self._steps is None):
            return -math.inf
        if self._steps is None:
            return math.inf
        next_event = (
            self._output.due[self._said] if self._said < len(self._output.ends) else self._output.until
        )
        if self._pace is None:
            soon = math.inf if math.isinf(next_event) else -math.inf
        else:
            clock, simulated = self._started
            soon = clock + (float(next_event) - simulated) / self._pace
        return max(soon, self._rest_until)

    def _check_present(self, now: Second) -> None:
        if not self.present(now) or self._cut_off:
            self._cut_off = False
            raise LinkLost("the power is gone")

    def catch_up(self, now: Second) -> None:
        """Live up to now, if nobody listens: commands that have come are obeyed, output is lost."""
        if self._listened_to:
            return
        while self.present(now) and not self._cut_off:
            self._out.clear()
            before = len(self._inbox), self.unit.circuit.clock
            if self._pace is None and not self._inbox:
                return
            if not self.emit(now) and before == (len(self._inbox), self.unit.circuit.clock):
                return

    # --- idle

    def _answer(self, heard: _Heard, now: Second) -> None:
        """One request, while no script runs."""
        if heard.at < self._deaf_until:
            return
        device = self.unit.device
        if device.code == "espbl" and not isinstance(heard.request, AskFirmware | Flush):
            self._refuse(heard.request, NOT_RECOGNISED, now)
            return
        match heard.request:
            case Flush():
                self._reply(EmptyLine())
            case AskFirmware():
                self._reply(Firmware(self.announced.code, "1500", "Mar 12 2026 14:28:01"), Release("R"))
            case AskSerial():
                self._reply(SerialNumber(device.serial))
            case AskScriptVersion():
                self._reply(ScriptVersion("01.09.00"))
            case AskMultiSerial() if device.code.startswith("mes4"):
                self._reply(MultiSerial(device.serial))
            case AskMultiSerial():
                self._refuse(heard.request, NOT_MULTICHANNEL, now)
            case AskCapabilities(of):
                self._reply(CapabilityBits(device.runtime_bits if of == "runtime" else device.script_bits))
            case ReadRegister() | WriteRegister():
                self._refuse(heard.request, UNKNOWN_REGISTER, now)
            case LoadScript(source) | Execute(source):
                self._load(heard, source, now)
            case RunLoaded():
                if self._loaded is None:
                    self._refuse(heard.request, NO_SCRIPT, now)
                else:
                    self._start(self._loaded, "r", heard.at)
            case Halt() | Resume() | Abort() | AbortLoop() | ReverseSweep():
                self._refuse(heard.request, NOT_NOW, now)
            case Unknown():
                self._refuse(heard.request, NOT_RECOGNISED, now)

    def _load(self, heard: _Heard, source: str, now: Second) -> None:
        verb = _first_character(heard.request)
        try:
            script = _checked(source, self.unit.device.script_bits)
        except ScriptError as error:
            self._error(Failure(verb, error.code, error.line, error.column), now)
            return
        self._loaded = script
        if isinstance(heard.request, Execute):
            self._start(script, verb, heard.at)
        else:
            self._reply(Echo(verb))

    def _start(self, script: Script, verb: str, at: Second) -> None:
        """Acknowledge first, then run: every line of output comes after the echo."""
        self._reply(Echo(verb))
        self.unit.circuit.pass_time(TURNAROUND)
        self._started = (at, self.unit.circuit.clock)
        self._steps = Runner(self.unit, script, vectorise=self._vectorise).run()
        self._halted = False
        self.mishaps.script_begins()
        self._resume(None, at)

    def _refuse(self, request: Request, code: int, now: Second) -> None:
        self._error(Failure(_first_character(request), code), now)

    def _error(self, failure: Failure, now: Second) -> None:
        self._reply(failure)
        self._deaf_until = now + self.deaf_for

    def _reply(self, *messages: Reply) -> None:
        for message in messages:
            self._out += encode(message)

    # --- running

    def _simulated(self, now: Second) -> Second:
        """How far simulated time may have come."""
        if self._pace is None:
            return math.inf
        clock, simulated = self._started
        return simulated + (now - clock) * self._pace + _ROUNDING

    def _run_on(self, now: Second) -> bool:
        """Say what is due, go on with the script, or obey a command; False if nothing is to be done yet."""
        if now < self._rest_until:
            return False
        limit = self._simulated(now)
        heard = self._inbox[0] if self._inbox else None
        command_at = math.inf if heard is None else self._simulated(heard.at)
        if self._pace is None and heard is not None:
            command_at = limit = -math.inf
        output = self._output
        if output.breath:  # a script that takes no time never comes to when the command came
            command_at = min(command_at, output.until)
        reached = int(np.searchsorted(output.due, min(limit, command_at), side="right"))
        if reached > self._said:
            self._say_lines(reached)
            return True
        if heard is not None and command_at <= min(limit, output.until):
            self._inbox.popleft()
            self._command(heard.request, command_at, now)
            return True
        if self._said == len(output.ends) and output.until <= limit:
            if not self.mishaps.befall(now):
                self._resume(None, now)
            return True
        return False

    def _say_lines(self, reached: int) -> None:
        """Lines up to `reached`, or as many as fill a chunk."""
        output = self._output
        begin = int(output.ends[self._said - 1]) if self._said else 0
        room = begin + max(CHUNK - len(self._out), 1)
        reached = max(self._said + 1, min(reached, int(np.searchsorted(output.ends, room, side="right"))))
        self._out += output.data[begin : int(output.ends[reached - 1])]
        self._said = reached

    def _command(self, request: Request, at: Second, now: Second) -> None:
        match request:
            case Halt() | Resume() | Abort() | AbortLoop() | ReverseSweep():
                self._reply(Echo(_first_character(request)))
                self._interrupt(request, at, now)
            case Flush():
                pass
            case _:
                self._refuse(request, NOT_NOW, now)

    def _interrupt(
        self, request: Halt | Resume | Abort | AbortLoop | ReverseSweep, at: Second, now: Second
    ) -> None:
        """Pass on what makes a difference: a halted script can only be resumed or left."""
        match request:
            case Halt() if not self._halted:
                self._halted = True
                self._resume(Interrupt("h", self._not_before(at)), now)
            case Resume() if self._halted:
                self._halted = False
                self._resume(Interrupt("H", self._not_before(at)), now)
            case Abort():
                self._halted = False
                self._resume(Interrupt("Z", self._not_before(at)), now)
            case AbortLoop():
                self._halted = False
                self._resume(Interrupt("Y", self._not_before(at)), now)
            case ReverseSweep() if not self._halted:
                self._resume(Interrupt("R", self._not_before(at)), now)
            case _:
                pass

    def _not_before(self, at: Second) -> Second:
        """`at`, but after what has been said and what the cell has lived."""
        last = float(self._output.due[self._said - 1]) if self._said else -math.inf
        return max(at, last, self.unit.circuit.clock)

    def _resume(self, interrupt: Interrupt | None, now: Second) -> None:
        assert self._steps is not None
        try:
            output = self._steps.send(interrupt)
        except StopIteration:
            self._stop()
            self._reply(EmptyLine())
        except values.Failure as failure:
            self._stop()
            self._error(Failure("", failure.code, failure.line), now)
        else:
            self._output, self._said = self.mishaps.before_next(output, self.unit.circuit.clock), 0
            if output.breath:
                self._rest_until = now + _BREATH

    def _stop(self) -> None:
        self._steps = None
        self._halted = False
        self._output, self._said = Output.nothing(self.unit.circuit.clock), 0

    # --- mishaps

    def fail(self, code: int, now: Second) -> None:
        """The running script fails, with the cell as it is."""
        self._lose_script()
        self._error(Failure("", code, 1), now)

    def cut_power(self, until: Second) -> None:
        """The script and all settings are gone, the cell is off; so is the port, `until` then."""
        self._lose_script()
        self.unit.power_up()
        self._decoder, self._loaded = RequestDecoder(), None
        self._inbox.clear()
        self._absent_until, self._cut_off = until, True

    def _lose_script(self) -> None:
        """The script is gone; the cell has lived up to what was last said."""
        if self._steps is not None:
            with suppress(PowerLost):
                self._steps.send(Interrupt("power", self._not_before(-math.inf)))
            self._stop()


def _first_character(request: Request) -> str:
    return encode(request)[:1].decode("latin-1")


@lru_cache(maxsize=256)
def _checked(source: str, known: int) -> Script:
    """The script, if this model knows all its commands (`known`: the bits it answers to CM)."""
    script = parse(source)
    for command in commands((*script.body, *script.on_finished)):
        bit = SCRIPT_BITS.get(command.name)
        if bit is not None and not known >> bit & 1:
            text = source.split("\n")[command.line - 1]
            raise ScriptError(UNKNOWN_COMMAND, command.line, text.index(command.name) + len(command.name) + 1)
    return script
