"""A step as the instrument is given it: the script, what it will say, and when silence is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hilcycler.quantities import Second
from hilcycler.steps import Step
from hilcycler_drivers.emstat.wire.script import Script

TIME = frozenset({"eb"})
VOLTAGE = frozenset({"ab"})
CURRENT = frozenset({"ba", "db"})
FREQUENCY = frozenset({"dc"})
REAL = frozenset({"cc"})
IMAGINARY = frozenset({"cd"})
NUMBER = "ja"
"""The variable type of a package's number: its last field. One that holds nothing else says how many there were."""

Limit = Literal["voltage", "current", "charge"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a script ended, as it says itself.

    `limit` names the safety limit that was crossed; without one, `end` is the position of the step's
    end that was met (None: the step ran its course). `elapsed` is the exact duration where a
    measurement loop ran out; None: the step ended at the last recorded sample.
    """

    end: int | None = None
    limit: Limit | None = None
    elapsed: Second | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """One compiled step.

    `columns` are the variable types of each field of a package, in order: time first, then voltage
    and perhaps current, or frequency, real and imaginary part; its NUMBER comes after them. `causes` maps each text the script
    may send at its end.

    `silence` is the longest time between two packages; `interval` that between two samples, the last
    of which is always sent (None: not sampled in time); `rows` how many packages there are, where
    that is known beforehand (None: the script says it, see NUMBER). `current_range`: the range of a galvanostat, whose packages do not say it.
    """

    step: Step
    script: Script
    columns: tuple[frozenset[str], ...]
    causes: Mapping[str, Cause]
    silence: Second
    interval: Second | None = None
    rows: int | None = None
    current_range: int = 0
