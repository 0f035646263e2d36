"""Which of the samples are sent: the gate inside the measurement loop."""

from __future__ import annotations

from dataclasses import dataclass

from hilcycler.quantities import Second
from hilcycler.steps import Sampling
from hilcycler_drivers.emstat import timing
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.wire.script import Statement


@dataclass(frozen=True, slots=True)
class Recording:
    """Which samples are sent: every `count`-th, and on a change since the last one sent."""

    count: int
    names: tuple[str, ...]
    changes: tuple[tuple[str, str, float], ...]  # variable, its last recorded value, how much is a change
    silence: Second

    @classmethod
    def of(cls, sampling: Sampling, interval: Second, names: tuple[str, ...]) -> Recording:
        count = timing.every(sampling.every, interval)
        thresholds = {"u": ("v", sampling.voltage_change), "i": ("j", sampling.current_change)}
        changes = tuple(
            (name, memory, change)
            for name, (memory, change) in thresholds.items()
            if name in names and change is not None
        )
        return cls(count, names, changes if count > 1 else (), count * interval)

    @property
    def variables(self) -> str:
        if self.count == 1:
            return ""
        return "n" + "".join(memory for _, memory, _ in self.changes) + ("d" if self.changes else "")

    def statements(self) -> list[Statement]:
        send = write.package(("t", *self.names))
        if self.count == 1:
            return send
        body: list[Statement] = [
            write.change("add", "n", 1),
            write.when([write.compare("n", ">=", self.count)], write.store("n", 0)),
        ]
        for name, memory, change in self.changes:
            body += [
                write.copy(name, "d"),
                write.change("sub", "d", memory),
                write.when([write.compare("d", ">=", change)], write.store("n", 0)),
                write.when([write.compare("d", "<=", -change)], write.store("n", 0)),
            ]
        kept = [write.copy(name, memory) for name, memory, _ in self.changes]
        return [
            *body,
            write.when([write.compare("w", "!=", 0)], write.store("n", 0)),
            write.when([write.compare("n", "==", 0)], *send, *kept),
        ]

    def last(self) -> list[Statement]:
        """After the loop: the last sample, unless it was sent."""
        if self.count == 1:
            return []
        return [write.when([write.compare("n", "!=", 0)], *write.package(("t", *self.names)))]
