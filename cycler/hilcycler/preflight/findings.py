"""What preflight has to say against a protocol: findings with a code, an error or a warning each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error stops; a warning wants to be accepted by its code; a note only says something."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `step` is the step's number as written, from 1; 0: the protocol as a whole."""

    code: str
    severity: Severity
    message: str
    step: int = 0

    def __str__(self) -> str:
        where = f"step {self.step}: " if self.step else ""
        return f"{self.severity}: {where}{self.message} [{self.code}]"


def once_each(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without repetitions, errors first."""
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: (order.index(each.severity), each.step)))


def error(code: str, message: str, step: int = 0) -> Finding:
    return Finding(code, Severity.ERROR, message, step)


def warning(code: str, message: str, step: int = 0) -> Finding:
    return Finding(code, Severity.WARNING, message, step)


def note(code: str, message: str, step: int = 0) -> Finding:
    return Finding(code, Severity.NOTE, message, step)
