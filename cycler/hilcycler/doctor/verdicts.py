"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether cells can be left alone with it."""

    FINE = "fine"
    LOOK = "look at this"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at, and what was found."""

    what: str
    verdict: Verdict
    found: str


def fine(what: str, found: str) -> Checked:
    return Checked(what, Verdict.FINE, found)


def look(what: str, found: str) -> Checked:
    return Checked(what, Verdict.LOOK, found)


def bad(what: str, found: str) -> Checked:
    return Checked(what, Verdict.BAD, found)
