"""Ends and safety limits as script: what is decided at every sample inside the instrument.

Each sample presumes a limit crossed (`w` below zero) until every comparison has shown it inside, so
that a reading which compares with nothing trips. Then the ends are tried in their order; the first
that holds sets `w` to its position plus one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from hilcycler.errors import StepRefused
from hilcycler.protocol import Envelope
from hilcycler.quantities import Second
from hilcycler.steps import (
    AllOf,
    ChargeReached,
    Condition,
    CurrentAbove,
    CurrentBelow,
    CurrentSettled,
    End,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.program import Limit
from hilcycler_drivers.emstat.wire.script import Comparison, Statement, Variable, integer

LIMITS: Final[dict[Limit, int]] = {"voltage": -1, "current": -2, "charge": -3}
"""The value of `w` that tells each limit."""

SLOTS: Final = 60
"""A settling window is looked at in at most so many steps: the memory for its past values."""

_LETTERS: Final = "bchklmps"


@dataclass
class Judgement:
    """Collects what a loop must compute and compare; `statements` is the result.

    `period` is the time between two samples. With `current`, the loop measures `i`; where the
    charge cannot be had from the time, it is integrated in the script.
    """

    envelope: Envelope
    ends: Sequence[tuple[int, End]]
    period: Second
    current: bool = True
    integrate: bool = False
    used: set[str] = field(default_factory=set)
    arrays: set[str] = field(default_factory=set)
    before: list[Statement] = field(default_factory=list)
    declarations: list[Statement] = field(default_factory=list)
    computed: list[Statement] = field(default_factory=list)

    def statements(self) -> list[Statement]:
        """The whole judgement of one sample."""
        tests: list[tuple[list[Comparison], int]] = []
        for position, end in self.ends:
            tests.append((self._conjunction(end.condition), position + 1))
        inside: list[Statement] = [write.store("w", 0)]
        for conditions, outcome in reversed(tests):
            # The last to be written wins, so the first end is tried last.
            inside.append(write.when(conditions, write.store("w", outcome)))
        limits = self._limits()
        for comparisons, limit in reversed(limits):
            inside = [write.store("w", LIMITS[limit]), write.when(comparisons, *inside)]
        return [*self._integration(), *self.computed, *inside]

    @property
    def limits(self) -> list[Limit]:
        """The safety limits that are judged."""
        return [limit for _, limit in self._limits()]

    def _limits(self) -> list[tuple[list[Comparison], Limit]]:
        found: list[tuple[list[Comparison], Limit]] = [(_within("u", self.envelope.voltage), "voltage")]
        if self.current:
            found.append((_within("i", self.envelope.current), "current"))
        if self.integrate and math.isfinite(self.envelope.charge):
            found.append(([write.compare(self._charge(), "<=", self.envelope.charge)], "charge"))
        return [(comparisons, limit) for comparisons, limit in found if comparisons]

    def _conjunction(self, condition: Condition) -> list[Comparison]:
        """Comparisons that must all hold."""
        match condition:
            case TimeReached(after):
                return [write.compare("t", ">=", after)]
            case VoltageAbove(limit):
                return [write.compare("u", ">=", limit)]
            case VoltageBelow(limit):
                return [write.compare("u", "<=", limit)]
            case CurrentAbove(limit):
                return [write.compare(self._current(), ">=", limit)]
            case CurrentBelow(limit):
                return [write.compare(self._current(), "<=", limit)]
            case ChargeReached(charge):
                return [write.compare(self._charge(), ">=", charge)]
            case VoltageSettled(rate, window):
                return self._settled("u", rate, window, relative=False)
            case CurrentSettled(rate, window):
                self._need_current()
                return self._settled("i", rate, window, relative=True)
            case AllOf(conditions):
                return [comparison for each in conditions for comparison in self._conjunction(each)]
            case TemperatureSettled():
                raise StepRefused("this instrument measures no temperature, so it cannot wait for one")
            case _:
                assert_never(condition)

    # --- what is computed before it is compared

    def _use(self, *names: str) -> None:
        self.used.update(names)

    def _need_current(self) -> None:
        if not self.current:
            raise StepRefused("no current flows in this step, so no end can depend on it")

    def _current(self) -> str:
        self._need_current()
        if "a" not in self.used:
            self._use("a")
            self.computed += write.magnitude("i", "a")
        return "a"

    def _charge(self) -> str:
        self._need_current()
        self._use("q", "x", "d", "g")
        return "x"

    def _integration(self) -> list[Statement]:
        """The charge up to this sample, by rectangles: each current held since the sample before it."""
        if "x" not in self.used:
            return []
        return [
            write.copy("t", "d"),
            write.change("sub", "d", "g"),
            write.change("mul", "d", "i"),
            write.change("add", "q", "d"),
            write.copy("t", "g"),
            *write.magnitude("q", "x"),
        ]

    def _settled(self, name: str, rate: float, window: Second, *, relative: bool) -> list[Comparison]:
        """Compare `name` with what it was `window` ago, kept in a ring of at most SLOTS values."""
        samples = max(1, math.ceil(window / self.period - 1e-9))
        stride = math.ceil(samples / SLOTS)
        slots = math.ceil(samples / stride)
        free = [letter for letter in _LETTERS if letter not in self.used]
        if len(free) < 4:
            raise StepRefused("at most two ends of a step can wait for a voltage or current to settle")
        ring, at, since, flag = free[:4]
        self._use(ring, at, since, flag, "o", "d", "y")
        self.arrays.add(ring)
        self.declarations.append(write.call("array", write.var(ring), integer(slots)))
        # `at` counts up from below zero while the ring fills; from then on it stands on a slot that
        # holds the value of one window ago.
        self.before += [write.store(at, -slots - 1), write.store(since, stride - 1)]
        span = rate * slots * stride * self.period
        allowed = [*write.magnitude(name, "d"), write.change("mul", "d", span)]
        self.computed += [
            write.store(flag, 0),
            write.change("add", since, 1),
            write.when(
                [write.compare(since, ">=", stride)],
                write.store(since, 0),
                write.change("add", at, 1),
                write.when([write.compare(at, ">=", slots)], write.store(at, 0)),
                write.copy(at, "y"),
                write.when([write.compare("y", "<", 0)], write.change("add", "y", slots)),
                write.when(
                    [write.compare(at, ">=", 0)],
                    write.copy(Variable(ring, Variable("y")), "o"),
                    write.change("sub", "o", name),
                    *write.magnitude("o", "o"),
                    *(allowed if relative else [write.store("d", span, "ab")]),
                    write.when([write.compare("o", "<=", "d")], write.store(flag, 1)),
                ),
                write.copy(name, Variable(ring, Variable("y"))),
            ),
        ]
        return [write.compare(flag, "==", 1)]


def _within(name: str, bounds: tuple[float, float]) -> list[Comparison]:
    """`name` between `bounds`; what is infinite needs no comparison."""
    lowest, highest = bounds
    pairs = (("<=", highest), (">=", lowest))
    return [write.compare(name, operator, bound) for operator, bound in pairs if math.isfinite(bound)]
