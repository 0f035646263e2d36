"""Which of the samples are sent: the gate inside the measurement loop. What is sent is numbered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hilcycler.quantities import Second
from hilcycler.steps import Sampling
from hilcycler_drivers.emstat import timing
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.wire.script import Literal, Statement, number

SENT: Final = "r"
"""The variable that counts what was sent: the last field of each package, and the last package of a script."""

DUE: Final = "z"
"""The variable that holds the time from which the next sample is due, where they are spread by decades."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Which samples are sent: every `count`-th, and on a change since the last one sent.

    With `growth`, also when the time has become so many times that of the last one sent.
    """

    count: int
    names: tuple[str, ...]
    changes: tuple[tuple[str, str, float], ...]  # variable, its last recorded value, how much is a change
    silence: Second
    growth: Literal | None = None

    @classmethod
    def of(cls, sampling: Sampling, interval: Second, names: tuple[str, ...]) -> Recording:
        count = timing.every(sampling.every, interval)
        if count == 1:
            return cls(count, names, (), interval)
        thresholds = {"u": ("v", sampling.voltage_change), "i": ("j", sampling.current_change)}
        changes = tuple(
            (name, memory, change)
            for name, (memory, change) in thresholds.items()
            if name in names and change is not None
        )
        growth = None if sampling.growth is None else number(sampling.growth)
        return cls(count, names, changes, count * interval, growth)

    @property
    def variables(self) -> str:
        if self.count == 1:
            return SENT
        difference = "d" if self.changes else ""
        due = DUE if self.growth else ""
        return SENT + "n" + "".join(memory for _, memory, _ in self.changes) + difference + due

    def statements(self) -> list[Statement]:
        if self.count == 1:
            return self._send()
        body: list[Statement] = [
            write.change("add", "n", 1),
            write.when([write.compare("n", ">=", self.count)], write.store("n", 0)),
        ]
        if self.growth is not None:
            body.append(write.when([write.compare("t", ">=", DUE)], write.store("n", 0)))
        for name, memory, change in self.changes:
            body += [
                write.copy(name, "d"),
                write.change("sub", "d", memory),
                write.when([write.compare("d", ">=", change)], write.store("n", 0)),
                write.when([write.compare("d", "<=", -change)], write.store("n", 0)),
            ]
        kept: list[Statement] = [write.copy(name, memory) for name, memory, _ in self.changes]
        if self.growth is not None:
            kept += [write.copy("t", DUE), write.change("mul", DUE, self.growth)]
        return [
            *body,
            write.when([write.compare("w", "!=", 0)], write.store("n", 0)),
            write.when([write.compare("n", "==", 0)], *self._send(), *kept),
        ]

    def last(self) -> list[Statement]:
        """After the loop: the last sample, unless it was sent; then how many were."""
        sent = write.package(SENT)
        if self.count == 1:
            return sent
        return [write.when([write.compare("n", "!=", 0)], *self._send()), *sent]

    def _send(self) -> list[Statement]:
        return [write.change("add", SENT, 1), *write.package(("t", *self.names, SENT))]
