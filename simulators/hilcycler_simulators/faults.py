"""Faults on demand: what goes wrong between and inside instruments, each a value with its place.

Faults of the line are at positions in the stream of bytes that the instrument sends (from 0, since
power-up), so a failing case is replayed byte for byte. Faults of the instrument are at a script and
a number of its packages, at a sample, or at a simulated time. `Faulty` puts the faults of the line
before any device; those of the instrument are built in by the instrument (see `emstat.mishaps`).
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hilcycler.errors import LinkLost
from hilcycler.quantities import Second
from hilcycler_simulators.serving import Device

# --- on the line ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Garbage:
    """`count` random bytes come before byte `at`."""

    at: int
    count: int = 16


@dataclass(frozen=True, slots=True)
class Dropped:
    """`count` bytes from byte `at` on are lost."""

    at: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Duplicated:
    """`count` bytes from byte `at` on come twice."""

    at: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Delayed:
    """Byte `at` and all after it come `seconds` late."""

    at: int
    seconds: Second


@dataclass(frozen=True, slots=True)
class HalfLine:
    """The second half of line `line` (from 0) is lost, with its end."""

    line: int


@dataclass(frozen=True, slots=True)
class FlowControl:
    """An XON comes before every `every`-th byte."""

    every: int = 1000


@dataclass(frozen=True, slots=True)
class RunTogether:
    """Acknowledgements of scripts come without their line end: `eM000A`."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """After byte `at` the instrument says nothing and hears nothing for `seconds`; the cable is in."""

    at: int
    seconds: Second = math.inf


@dataclass(frozen=True, slots=True)
class Unplugged:
    """After byte `at` the cable is pulled; it is put back after `seconds`, on a pty under a new name."""

    at: int
    seconds: Second = math.inf


@dataclass(frozen=True, slots=True)
class Impostor:
    """Another kind of instrument is at this address and gives `answer` to whatever it reads."""

    answer: bytes = b'{"success":false,"message":"unable to parse json","response":{}}\r\n'


# --- in the instrument ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class At:
    """In script number `script` (from 1, since power-up), after `packages` of its data packages."""

    script: int = 1
    packages: int = 0


@dataclass(frozen=True, slots=True)
class FirmwareError:
    """The script fails with `code`: it stops, the cell stays as it is."""

    at: At
    code: int = 0x0032


@dataclass(frozen=True, slots=True)
class Reboot:
    """The power fails and returns: script and settings are gone, the cell is off, the port is away."""

    at: At
    seconds: Second = 2.0


@dataclass(frozen=True, slots=True)
class Deaf:
    """Errors make it ignore its input for `seconds` instead of the usual time."""

    seconds: Second


@dataclass(frozen=True, slots=True)
class WrongModel:
    """It says it is another model of its family."""

    code: str


@dataclass(frozen=True, slots=True)
class NotANumber:
    """Samples `sample` and following, `count` of them, have no value."""

    sample: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class StuckReading:
    """From sample `sample` on, every reading repeats the last one, whatever happens."""

    sample: int


@dataclass(frozen=True, slots=True)
class Overload:
    """From sample `sample` on, readings are at the end of the range and flagged."""

    sample: int


@dataclass(frozen=True, slots=True)
class StuckOutput:
    """Switching off is acknowledged, and the current flows on."""


@dataclass(frozen=True, slots=True)
class OpenLead:
    """At `time` on the cell's clock a lead comes off."""

    time: Second


LineFault: TypeAlias = (
    Garbage
    | Dropped
    | Duplicated
    | Delayed
    | HalfLine
    | FlowControl
    | RunTogether
    | Stalled
    | Unplugged
    | Impostor
)
InstrumentFault: TypeAlias = (
    FirmwareError | Reboot | Deaf | WrongModel | NotANumber | StuckReading | Overload | StuckOutput | OpenLead
)
Fault: TypeAlias = LineFault | InstrumentFault


# --- the line -------------------------------------------------------------------------------

_ACKNOWLEDGEMENT = re.compile(rb"(?m)^([er])\n")
_XON = 0x11


@dataclass(slots=True)
class Faulty:
    """A device behind a bad line; itself a device. `seed` decides what garbage is made of."""

    device: Device
    faults: Sequence[LineFault]
    seed: int = 0
    _passed: int = 0  # bytes of the device's own
    _lines: int = 0
    _held: bytes = b""
    _held_until: Second = -math.inf
    _silent_until: Second = -math.inf
    _absent_until: Second = -math.inf
    _cut_off: bool = False
    _happened: set[LineFault] = field(default_factory=set)
    _answers: bytearray = field(default_factory=bytearray)

    def present(self, now: Second) -> bool:
        return now >= self._absent_until and self.device.present(now)

    def connected(self, now: Second) -> None:
        self._cut_off = False
        self.device.connected(now)

    def disconnected(self, now: Second) -> None:
        self._held = b""
        self._answers.clear()
        self.device.disconnected(now)

    def feed(self, data: bytes, now: Second) -> None:
        self._check_present(now)
        if now < self._silent_until:
            return
        for fault in self.faults:
            if isinstance(fault, Impostor):
                self._answers += fault.answer * data.count(b"\n")
                return
        self.device.feed(data, now)

    def emit(self, now: Second) -> bytes:
        self._check_present(now)
        if self._answers:
            said, self._answers = bytes(self._answers), bytearray()
            return said
        if now < max(self._silent_until, self._held_until):
            return b""
        if self._held:
            said, self._held = self._held, b""
            return said
        data = self.device.emit(now)
        return self._spoil(data, now) if data else b""

    def due(self) -> Second:
        if self._answers or self._cut_off:
            return -math.inf
        own = -math.inf if self._held else self.device.due()
        return max(own, self._silent_until, self._held_until)

    def _check_present(self, now: Second) -> None:
        if now < self._absent_until or self._cut_off:  # whoever was connected then is not any more
            self._cut_off = False
            raise LinkLost("the cable is out")

    def _spoil(self, data: bytes, now: Second) -> bytes:
        """What becomes of bytes of the device's own on their way."""
        begin, end = self._passed, self._passed + len(data)
        self._passed = end
        lines, self._lines = self._lines, self._lines + data.count(b"\n")
        if any(isinstance(fault, RunTogether) for fault in self.faults):
            data = _ACKNOWLEDGEMENT.sub(rb"\1", data)
        spoilt = bytearray()
        for fault in self.faults:
            if isinstance(fault, HalfLine) and lines <= fault.line < self._lines:
                data = _halved(data, fault.line - lines)
        edits = [f for f in self.faults if isinstance(f, Garbage | Dropped | Duplicated | FlowControl)]
        if edits:
            for position, byte in enumerate(data, begin):
                spoilt += b"".join(self._byte(edits, position, byte))
        else:
            spoilt += data
        return self._hold(bytes(spoilt), begin, end, now)

    def _byte(
        self, edits: Sequence[Garbage | Dropped | Duplicated | FlowControl], position: int, byte: int
    ) -> Iterator[bytes]:
        """What comes instead of one byte."""
        copies = 1
        for edit in edits:
            match edit:
                case Garbage(at, count) if position == at:
                    yield random.Random(f"{self.seed} {at}").randbytes(count)  # noqa: S311  (not a secret)
                case Dropped(at, count) if at <= position < at + count:
                    copies = 0
                case Duplicated(at, count) if at <= position < at + count:
                    copies = 2
                case FlowControl(every) if position % every == 0:
                    yield bytes([_XON])
                case _:
                    pass
        yield bytes([byte]) * copies

    def _hold(self, data: bytes, begin: int, end: int, now: Second) -> bytes:
        """Let only what comes before a delay, a stall or a pulled cable pass."""
        for fault in self.faults:
            if not isinstance(fault, Delayed | Stalled | Unplugged) or fault in self._happened:
                continue
            if not begin <= fault.at < end:
                continue
            self._happened.add(fault)
            cut = min(fault.at - begin, len(data))
            match fault:
                case Delayed(_, seconds):
                    self._held, self._held_until = data[cut:], now + seconds
                case Stalled(_, seconds):
                    self._silent_until = now + seconds
                case Unplugged(_, seconds):
                    self._absent_until, self._cut_off = now + seconds, True
            return data[:cut]
        return data


def _halved(data: bytes, line: int) -> bytes:
    lines = data.splitlines(keepends=True)
    if line >= len(lines):  # an earlier fault has joined it to the one before
        return data
    lines[line] = lines[line][: len(lines[line]) // 2]
    return b"".join(lines)
