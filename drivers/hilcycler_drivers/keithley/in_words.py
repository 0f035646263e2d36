"""What passes over an SMU's line, as a person reads it; see `hilcycler.channel.InWords`."""

from __future__ import annotations

from collections import deque

from hilcycler.errors import WireError
from hilcycler_drivers.keithley.wire.scpi import Lines, units


class KeithleyInWords:
    """Both directions of one conversation; an answer stands beside the question that it answers."""

    def __init__(self) -> None:
        self._commands, self._answers = Lines(), Lines()
        self._asked: deque[str] = deque(maxlen=64)

    def sent(self, data: bytes) -> list[str]:
        try:
            lines = self._commands.feed(data)
        except WireError as error:
            return [f"not understood ({error}): {data[:80]!r}"]
        for line in lines:
            self._asked.extend(_questions(line))
        return lines

    def received(self, data: bytes) -> list[str]:
        try:
            lines = self._answers.feed(data)
        except WireError as error:
            return [f"not understood ({error}): {data[:80]!r}"]
        return [f"{self._asked.popleft()} is {line}" if self._asked else f"unasked: {line}" for line in lines]


def _questions(line: str) -> list[str]:
    """The questions of one message: its answers come in one line, joined."""
    try:
        asked = [unit.header for unit in units(line) if unit.query]
    except WireError:
        return [line] if "?" in line else []
    return ["; ".join(asked)] if asked else []
