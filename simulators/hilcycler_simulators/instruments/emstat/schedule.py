"""What is to go wrong in a script, and when: after which of its data packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from hilcycler.quantities import Second
from hilcycler_simulators.faults import At
from hilcycler_simulators.instruments.emstat.output import Output

Mishap: TypeAlias = Callable[[Second], None]
"""What happens; it is told when, on the caller's clock."""


class Schedule:
    """Mishaps to come, each at a script and a number of its packages, each once."""

    def __init__(self) -> None:
        self._planned: list[tuple[At, Mishap]] = []
        self._next: Mishap | None = None
        self._scripts = 0
        self._packages = 0

    def plan(self, at: At, mishap: Mishap) -> None:
        self._planned.append((at, mishap))

    def script_begins(self) -> None:
        self._scripts += 1
        self._packages = 0

    def before_next(self, output: Output, clock: Second) -> Output:
        """`output`, cut where the next mishap happens if that is within it; `clock` is its beginning."""
        coming = [planned for planned in self._planned if planned[0].script == self._scripts]
        if not coming:
            return output
        planned = min(coming, key=lambda each: each[0].packages)
        starts = np.concatenate(([0], output.ends[:-1])).astype(np.intp)
        package = (
            (np.frombuffer(output.data, np.uint8)[starts] == ord("P")) if len(output.ends) else starts > 0
        )
        due = planned[0].packages - self._packages
        self._packages += int(package.sum())
        if due > int(package.sum()):
            return output
        self._planned.remove(planned)
        self._next = planned[1]
        if due <= 0:
            return Output.nothing(clock)
        last = int(np.flatnonzero(package)[due - 1]) + 1
        cut = int(output.ends[last - 1])
        return Output(output.data[:cut], output.ends[:last], output.due[:last], float(output.due[last - 1]))

    def befall(self, now: Second) -> bool:
        """Let the mishap happen whose turn it is, everything before it having been said."""
        mishap, self._next = self._next, None
        if mishap is None:
            return False
        mishap(now)
        return True
