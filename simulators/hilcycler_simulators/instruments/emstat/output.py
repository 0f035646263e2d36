"""What passes between a running script and the firmware around it: timed output and interrupts."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Second
from hilcycler_simulators.instruments.emstat.body import Outcome
from hilcycler_simulators.instruments.emstat.converter import Floats

_NO_ENDS: Final = np.empty(0, np.intp)
_NO_TIMES: Final = np.empty(0)


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes, line by line: line `i` ends before `data[ends[i]]` and is due at `due[i]`.

    The runner may go on when simulated time has reached `until`. `breath`: nothing to say and no
    time passed, but a script that loops for ever must let others live.
    """

    data: bytes
    ends: NDArray[np.intp]
    due: Floats
    until: Second
    breath: bool = False

    @classmethod
    def nothing(cls, until: Second, *, breath: bool = False) -> Output:
        """Silence up to `until`."""
        return cls(b"", _NO_ENDS, _NO_TIMES, until, breath)


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A command that came while the script ran, or the loss of its power, at simulated time `at`."""

    command: Literal["h", "H", "Z", "Y", "R", "power"]
    at: Second


Steps: TypeAlias = Generator[Output, Interrupt | None, None]
Judged: TypeAlias = Generator[Output, Interrupt | None, Outcome]
Taken: TypeAlias = Generator[Output, Interrupt | None, tuple[int, Outcome]]


class PowerLost(Exception):
    """The script is gone, in the middle of whatever it did; the cell has lived up to then."""
