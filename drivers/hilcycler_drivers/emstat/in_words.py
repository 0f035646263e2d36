"""What passes over an EmStat's line, as a person reads it; see `hilcycler.channel.InWords`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hilcycler.quantities import engineering
from hilcycler_drivers.emstat.fault_codes import meaning
from hilcycler_drivers.emstat.wire import (
    Execute,
    Failure,
    LoadScript,
    Packages,
    Reply,
    ReplyDecoder,
    Request,
    RequestDecoder,
    Text,
    Unknown,
    Unreadable,
)

_VARIABLES: Final = {
    "ab": ("voltage", "V"),
    "ba": ("current", "A"),
    "cc": ("Z real", "ohm"),
    "cd": ("Z imaginary", "ohm"),
    "da": ("set voltage", "V"),
    "db": ("set current", "A"),
    "dc": ("frequency", "Hz"),
    "eb": ("time", "s"),
}
"""What the first letters of a variable say it is; others are shown by their letters."""


class EmStatInWords:
    """Both directions of one conversation."""

    def __init__(self) -> None:
        self._requests, self._replies = RequestDecoder(), ReplyDecoder()

    def sent(self, data: bytes) -> list[str]:
        return [line for request in self._requests.feed(data) for line in _asked(request)]

    def received(self, data: bytes) -> list[str]:
        return [line for reply in self._replies.feed(data) for line in _said(reply)]


def _asked(request: Request) -> Iterator[str]:
    match request:
        case LoadScript(script) | Execute(script):
            lines = script.splitlines()
            yield f"{type(request).__name__}, {len(lines)} lines:"
            yield from (f"  {number:3d} {line}" for number, line in enumerate(lines, start=1))
        case Unknown(text):
            yield f"not a command: {text!r}"
        case _:
            yield _named(request)


def _said(reply: Reply) -> Iterator[str]:
    match reply:
        case Packages():
            for row, values in enumerate(reply.values):
                kinds = (_VARIABLES.get(kind, (kind, "")) for kind in reply.vartypes)
                shown = (
                    f"{name} {engineering(float(value), unit)}"
                    for (name, unit), value in zip(kinds, values, strict=True)
                )
                status = int(reply.status[row].max())
                yield "data: " + ", ".join(shown) + (f", status {status}" if status else "")
        case Failure():
            where = "" if reply.line is None else f" in line {reply.line}"
            yield f"error {reply.code:04X}{where}: {meaning(reply.code)}"
        case Text(text):
            yield f"text: {text}"
        case Unreadable(line, reason):
            yield f"not understood ({reason}): {line!r}"
        case _:
            yield _named(reply)


def _named(message: Request | Reply) -> str:
    return repr(message).removesuffix("()")
