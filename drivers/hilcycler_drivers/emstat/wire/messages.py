"""What the two ends can say: closed unions of requests and replies.

Lines end with LF and are never stripped: a space is an SI prefix. Every reply begins with the
first character of its command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
    had no value. `measured[j]` tells whether variable j carries both status and range (set values do not).
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
