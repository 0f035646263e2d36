"""What is wrong with a file, where, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hilcycler.errors import RequestError

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file: the line (from 1, 0 if there is no file) and the key, `steps[2].rest.for`."""

    line: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    where: Where
    message: str


class FileError(RequestError):
    """A file that cannot be understood: every fault on a line of its own, `file:line: key: message`."""

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.where.line))
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> Iterable[str]:
        for fault in self.faults[:_SHOWN]:
            line = f":{fault.where.line}" if fault.where.line else ""
            key = f" {fault.where.key}:" if fault.where.key else ""
            yield f"{self.file}{line}:{key} {fault.message}"
        if len(self.faults) > _SHOWN:
            yield f"{self.file}: and {len(self.faults) - _SHOWN} more"


def shown(text: str, longest: int = 60) -> str:
    """`text` in quotes for a message, on one line, cut and with control characters made visible."""
    return repr(text if len(text) <= longest else text[:longest] + "...")
