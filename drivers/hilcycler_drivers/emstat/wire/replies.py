"""What the host reads: bytes in any chunks to replies."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from hilcycler_drivers.emstat.wire import packages
from hilcycler_drivers.emstat.wire.messages import (
    CapabilityBits,
    Echo,
    EmptyLine,
    Failure,
    Firmware,
    LoopEnded,
    LoopStarted,
    MultiSerial,
    Packages,
    RegisterValue,
    Release,
    RepeatEnded,
    RepeatStarted,
    Reply,
    ScanEnded,
    ScanStarted,
    ScriptVersion,
    SerialNumber,
    Text,
    Unreadable,
)

LONGEST_LINE: Final = 2048
"""Longer than any reply (a package of 40 variables is 700 bytes); more is not this language."""

_DROPPED: Final = b"\r\x11\x13"  # CR, XON, XOFF
_ECHOES: Final = frozenset("elrSFhHZYR")
_MARKERS: Final[dict[str, Reply]] = {
    "": EmptyLine(),
    "*": LoopEnded(),
    "-": ScanEnded(),
    "L": RepeatStarted(),
    "+": RepeatEnded(),
}
_HEX4: Final = re.compile(r"[0-9A-Fa-f]{4}")
_HEX64: Final = re.compile(r"[0-9A-Fa-f]{64}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,64}")
_FIRMWARE: Final = re.compile(r"(espbl|.{6})(\d*)#(.*)")
_FAILURE: Final = re.compile(r"([ -~]?)!([0-9A-Fa-f]{4})(?:: Line (\d{1,9})(?:, Col (\d{1,9}))?)?")
_RELEASE: Final = re.compile(r"([A-Z])\*")
_PRINTABLE: Final = re.compile(r"[ -~]*")


class ReplyDecoder:
    """Splits and reads an instrument's output; memory bounded by LONGEST_LINE.

    A run of packages of one layout within one `feed` is one Packages message: how packages are
    grouped follows the chunks, their content does not.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._overlong = False

    def feed(self, data: bytes) -> list[Reply]:
        """Every reply completed by `data`."""
        data = self._rest + data.translate(None, _DROPPED)
        end = data.rfind(b"\n") + 1
        complete, self._rest = data[:end], data[end:]
        replies: list[Reply] = []
        if self._overlong and complete:
            complete = complete[complete.index(b"\n") + 1 :]
            self._overlong = False
        if complete:
            _read_lines(complete, replies)
        if self._overlong:
            self._rest = b""
        elif len(self._rest) > LONGEST_LINE:
            replies.append(_overlong(self._rest))
            self._rest, self._overlong = b"", True
        return replies


def _read_lines(block: bytes, replies: list[Reply]) -> None:
    """Read whole lines; runs of equally long packages go through the matrix decoder."""
    array = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(array == ord("\n")) + 1
    starts = np.concatenate(([0], ends[:-1]))
    lengths = ends - starts
    package = (array[starts] == ord("P")) & (lengths <= LONGEST_LINE)
    # Neighbours are alike if both are packages of one length; a run ends where that ceases.
    alike = package[1:] & package[:-1] & (lengths[1:] == lengths[:-1])
    run_ends = np.concatenate((np.flatnonzero(~alike) + 1, [len(ends)])).tolist()
    first = 0
    for last in run_ends:
        if package[first]:
            length = int(lengths[first])
            rows = array[starts[first] : ends[last - 1]].reshape(-1, length)
            _read_packages(rows, replies)
        else:
            replies.extend(_read_line(block[starts[first] : ends[first] - 1]))
        first = last


def _read_packages(rows: packages.Bytes, replies: list[Reply]) -> None:
    at = 0
    while at < len(rows):
        run = packages.decode_run(rows[at:])
        if run is None or not len(run.values):
            replies.append(Unreadable(rows[at, :-1].tobytes(), "not a data package"))
            at += 1
        else:
            replies.append(Packages(run.vartypes, run.measured, run.values, run.status, run.ranges))
            at += len(run.values)


def _read_line(line: bytes) -> list[Reply]:
    if len(line) > LONGEST_LINE:
        return [_overlong(line)]
    text = line.decode("latin-1")
    if not _PRINTABLE.fullmatch(text):
        return [Unreadable(line, "not printable")]
    if (marker := _MARKERS.get(text)) is not None:
        return [marker]
    if text in _ECHOES:
        return [Echo(text)]
    reply = _read_text(text)
    if reply is None and text[0] in "er":
        # Older notes show the acknowledgement run together with the first line of output.
        following = _read_line(line[1:])
        if isinstance(following[0], LoopStarted | RepeatStarted | Text):
            return [Echo(text[0]), *following]
    return [reply or Unreadable(line, "not a reply")]


def _read_text(text: str) -> Reply | None:
    head, rest = text[0], text[1:]
    if "!" in text[:2] and (failure := _FAILURE.fullmatch(text)):
        command, code, line, column = failure.groups()
        place = (int(n) if n else None for n in (line, column))
        return Failure(command, int(code, 16), *place)
    if release := _RELEASE.fullmatch(text):
        return Release(release[1])
    match head:
        case "T":
            return Text(rest)
        case "M" if _HEX4.fullmatch(rest):
            return LoopStarted(int(rest, 16))
        case "C" if _HEX4.fullmatch(rest):
            return ScanStarted(int(rest, 16))
        case "C" if _HEX64.fullmatch(rest):
            return CapabilityBits(int(rest, 16))
        case "G" if _HEX.fullmatch(rest):
            return RegisterValue(rest)
        case "t" if firmware := _FIRMWARE.fullmatch(rest):
            return Firmware(*firmware.groups())
        case "i":
            return SerialNumber(rest)
        case "m":
            return MultiSerial(rest)
        case "v":
            return ScriptVersion(rest)
        case _:
            return None


def _overlong(line: bytes) -> Unreadable:
    return Unreadable(line[:80], f"more than {LONGEST_LINE} bytes in one line")
