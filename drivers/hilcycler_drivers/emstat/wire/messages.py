"""What the two ends can say: closed unions of requests and replies, and their bytes.

Lines end with LF and are never stripped: a space is an SI prefix. Every reply begins with the
first character of its command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from hilcycler_drivers.emstat.wire import packages

# --- from the host --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flush:
    """An empty line: clears half a command, and is answered by an empty line."""


@dataclass(frozen=True, slots=True)
class AskFirmware:
    """`t`: answered by Firmware and Release."""


@dataclass(frozen=True, slots=True)
class AskSerial:
    """`i`: answered by SerialNumber."""


@dataclass(frozen=True, slots=True)
class AskScriptVersion:
    """`v`: answered by ScriptVersion."""


@dataclass(frozen=True, slots=True)
class AskMultiSerial:
    """`m`: answered by MultiSerial, or 0048 by a single-channel device."""


@dataclass(frozen=True, slots=True)
class AskCapabilities:
    """`CC` (runtime commands) or `CM` (script commands): answered by CapabilityBits."""

    of: Literal["runtime", "script"]


@dataclass(frozen=True, slots=True)
class ReadRegister:
    """`Gxx`: answered by RegisterValue."""

    number: int


@dataclass(frozen=True, slots=True)
class WriteRegister:
    """`Sxx<hex>`: answered by Echo("S")."""

    number: int
    value: str


@dataclass(frozen=True, slots=True)
class LoadScript:
    """`l`, the script's lines, an empty line: check the syntax and keep it."""

    script: str


@dataclass(frozen=True, slots=True)
class RunLoaded:
    """`r`: run what was loaded."""


@dataclass(frozen=True, slots=True)
class Execute:
    """`e`, the script's lines, an empty line: load and run. Each line of `script` ends with LF."""

    script: str


@dataclass(frozen=True, slots=True)
class Halt:
    """`h`: stand still; the cell stays as it is, on if it was on."""


@dataclass(frozen=True, slots=True)
class Resume:
    """`H`: go on after Halt."""


@dataclass(frozen=True, slots=True)
class Abort:
    """`Z`: end the script; its `on_finished:` part runs."""


@dataclass(frozen=True, slots=True)
class AbortLoop:
    """`Y`: leave the current measurement loop."""


@dataclass(frozen=True, slots=True)
class ReverseSweep:
    """`R`: turn a cyclic sweep round."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line that is no command of the above; answered by its first character and 0003."""

    text: str


Request: TypeAlias = (
    Flush
    | AskFirmware
    | AskSerial
    | AskScriptVersion
    | AskMultiSerial
    | AskCapabilities
    | ReadRegister
    | WriteRegister
    | LoadScript
    | RunLoaded
    | Execute
    | Halt
    | Resume
    | Abort
    | AbortLoop
    | ReverseSweep
    | Unknown
)

# --- from the instrument --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Echo:
    """A command was accepted: its first character alone on a line."""

    command: str


@dataclass(frozen=True, slots=True)
class Firmware:
    """First line of the answer to `t`: device code, version digits, build date."""

    device: str
    version: str
    build: str


@dataclass(frozen=True, slots=True)
class Release:
    """Second line of the answer to `t`: `R*` is a release."""

    kind: str


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """Answer to `i`."""

    text: str


@dataclass(frozen=True, slots=True)
class MultiSerial:
    """Answer to `m`."""

    text: str


@dataclass(frozen=True, slots=True)
class ScriptVersion:
    """Answer to `v`."""

    text: str


@dataclass(frozen=True, slots=True)
class CapabilityBits:
    """Answer to `CC` or `CM`: 256 bits, bit 0 the lowest. See `devices` for what they mean."""

    bits: int


@dataclass(frozen=True, slots=True)
class RegisterValue:
    """Answer to `G`: hexadecimal text."""

    value: str


@dataclass(frozen=True, slots=True)
class Failure:
    """`c!XXXX`: a command was refused; or, with an empty `command`, the running script failed.

    After a runtime failure the script's `on_finished:` part does not run: the cell may be on.
    """

    command: str
    code: int
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class LoopStarted:
    """`Mxxxx`: a measurement loop of this technique begins."""

    technique: int


@dataclass(frozen=True, slots=True)
class LoopEnded:
    """`*`."""


@dataclass(frozen=True, slots=True)
class ScanStarted:
    """`Cxxxx`: one of several scans in a measurement loop, from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class ScanEnded:
    """`-`."""


@dataclass(frozen=True, slots=True)
class RepeatStarted:
    """`L`: a plain `loop` begins."""


@dataclass(frozen=True, slots=True)
class RepeatEnded:
    """`+`."""


@dataclass(frozen=True, slots=True)
class Text:
    """`T...`: what `send_string` said."""

    text: str


@dataclass(frozen=True, slots=True)
class EmptyLine:
    """The end of a script's output, or the answer to Flush."""


@dataclass(frozen=True, slots=True, eq=False)
class Packages:
    """A run of consecutive data packages of one layout, as columns.

    `values`, `status` and `ranges` are n x k for n packages of k variables; NaN where the instrument
    had no value. `measured[j]` tells whether variable j carries status and range (set values do not).
    """

    vartypes: tuple[str, ...]
    measured: tuple[bool, ...]
    values: NDArray[np.float64]
    status: NDArray[np.uint8]
    ranges: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is not this language."""

    line: bytes
    reason: str


Reply: TypeAlias = (
    Echo
    | Firmware
    | Release
    | SerialNumber
    | MultiSerial
    | ScriptVersion
    | CapabilityBits
    | RegisterValue
    | Failure
    | LoopStarted
    | LoopEnded
    | ScanStarted
    | ScanEnded
    | RepeatStarted
    | RepeatEnded
    | Text
    | EmptyLine
    | Packages
    | Unreadable
)


def encode(message: Request | Reply) -> bytes:
    """The bytes of one message, line ends included."""
    if isinstance(message, Packages):
        return packages.encode(
            message.vartypes, message.measured, message.values, message.status, message.ranges
        )
    if isinstance(message, Unreadable):
        return message.line + b"\n"
    return _line(message).encode("latin-1")


def _line(message: Request | Reply) -> str:
    match message:
        case Flush() | EmptyLine():
            return "\n"
        case AskFirmware():
            return "t\n"
        case AskSerial():
            return "i\n"
        case AskScriptVersion():
            return "v\n"
        case AskMultiSerial():
            return "m\n"
        case AskCapabilities(of):
            return "CC\n" if of == "runtime" else "CM\n"
        case ReadRegister(number):
            return f"G{number:02X}\n"
        case WriteRegister(number, value):
            return f"S{number:02X}{value}\n"
        case LoadScript(script):
            return f"l\n{script}\n"
        case RunLoaded():
            return "r\n"
        case Execute(script):
            return f"e\n{script}\n"
        case Halt():
            return "h\n"
        case Resume():
            return "H\n"
        case Abort():
            return "Z\n"
        case AbortLoop():
            return "Y\n"
        case ReverseSweep():
            return "R\n"
        case Unknown(text):
            return f"{text}\n"
        case Packages() | Unreadable():
            raise AssertionError("encoded above")
        case _:
            return _reply_line(message)


def _reply_line(
    message: Echo
    | Firmware
    | Release
    | SerialNumber
    | MultiSerial
    | ScriptVersion
    | CapabilityBits
    | RegisterValue
    | Failure
    | LoopStarted
    | LoopEnded
    | ScanStarted
    | ScanEnded
    | RepeatStarted
    | RepeatEnded
    | Text,
) -> str:
    match message:
        case Echo(command):
            return f"{command}\n"
        case Firmware(device, version, build):
            return f"t{device}{version}#{build}\n"
        case Release(kind):
            return f"{kind}*\n"
        case SerialNumber(text):
            return f"i{text}\n"
        case MultiSerial(text):
            return f"m{text}\n"
        case ScriptVersion(text):
            return f"v{text}\n"
        case CapabilityBits(bits):
            return f"C{bits:064X}\n"
        case RegisterValue(value):
            return f"G{value}\n"
        case Failure(command, code, line, column):
            place = "" if line is None else f": Line {line}"
            place += "" if column is None else f", Col {column}"
            return f"{command}!{code:04X}{place}\n"
        case LoopStarted(technique):
            return f"M{technique:04X}\n"
        case LoopEnded():
            return "*\n"
        case ScanStarted(number):
            return f"C{number:04X}\n"
        case ScanEnded():
            return "-\n"
        case RepeatStarted():
            return "L\n"
        case RepeatEnded():
            return "+\n"
        case Text(text):
            return f"T{text}\n"
        case _:
            assert_never(message)
