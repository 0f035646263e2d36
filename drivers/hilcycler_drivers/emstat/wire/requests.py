"""What the instrument reads: bytes in any chunks to requests."""

from __future__ import annotations

import re
from typing import Final

from hilcycler_drivers.emstat.wire.messages import (
    Abort,
    AbortLoop,
    AskCapabilities,
    AskFirmware,
    AskMultiSerial,
    AskScriptVersion,
    AskSerial,
    Execute,
    Flush,
    Halt,
    LoadScript,
    ReadRegister,
    Request,
    Resume,
    ReverseSweep,
    RunLoaded,
    Unknown,
    WriteRegister,
)

LONGEST_LINE: Final = 255
"""Characters in one line of a command or a script."""

LARGEST_SCRIPT: Final = 32768
"""Bytes of one script, line ends included. The true size of the script memory is not published."""

_COMMANDS: Final[dict[str, Request]] = {
    "": Flush(),
    "t": AskFirmware(),
    "i": AskSerial(),
    "v": AskScriptVersion(),
    "m": AskMultiSerial(),
    "CC": AskCapabilities("runtime"),
    "CM": AskCapabilities("script"),
    "r": RunLoaded(),
    "h": Halt(),
    "H": Resume(),
    "Z": Abort(),
    "Y": AbortLoop(),
    "R": ReverseSweep(),
}
_READ: Final = re.compile(r"G([0-9A-Fa-f]{2})")
_WRITE: Final = re.compile(r"S([0-9A-Fa-f]{2})([0-9A-Fa-f]{0,64})")


class RequestDecoder:
    """Reads a host's commands. Memory is bounded: what is too long is cut one beyond its limit.

    A cut line or script still exceeds its limit, so whoever parses it refuses it by the rule.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._collecting = ""  # "e" or "l" while a script is being received
        self._script: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Request]:
        """Every request completed by `data`."""
        requests: list[Request] = []
        *complete, rest = data.translate(None, b"\r\x11\x13").split(b"\n")
        for piece in complete:
            self._extend(piece)
            request = self._take(self._line.decode("latin-1"))
            self._line.clear()
            if request is not None:
                requests.append(request)
        self._extend(rest)
        return requests

    @property
    def collecting(self) -> bool:
        """Whether the lines of a script are being received."""
        return bool(self._collecting)

    def _extend(self, piece: bytes) -> None:
        self._line += piece[: LONGEST_LINE + 1 - len(self._line)]

    def _take(self, line: str) -> Request | None:
        if self._collecting:
            return self._take_script_line(line)
        if line in {"e", "l"}:
            self._collecting, self._script, self._size = line, [], 0
            return None
        if (command := _COMMANDS.get(line)) is not None:
            return command
        if read := _READ.fullmatch(line):
            return ReadRegister(int(read[1], 16))
        if write := _WRITE.fullmatch(line):
            return WriteRegister(int(write[1], 16), write[2])
        return Unknown(line)

    def _take_script_line(self, line: str) -> Request | None:
        if line:
            if self._size <= LARGEST_SCRIPT:
                self._script.append(line + "\n")
                self._size += len(line) + 1
            return None
        script, verb = "".join(self._script), self._collecting
        self._collecting, self._script = "", []
        return Execute(script) if verb == "e" else LoadScript(script)
