"""When a step ends: what is an instant, known beforehand, and what has to be judged at each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hilcycler.protocol import Envelope
from hilcycler.quantities import Ampere, Second
from hilcycler.steps import AllOf, ChargeReached, Condition, End, TimeReached
from hilcycler_drivers.emstat import timing
from hilcycler_drivers.emstat.program import Cause, Limit

NO_END = "end none"
"""Said when a step has run its course."""


def at_end(position: int) -> str:
    """Said when an end was met; two digits, so that no lost byte makes one end of another."""
    return f"end {position:02d}"


@dataclass(frozen=True, slots=True)
class Span:
    """How long a loop may last, and which end or limit that stands for (neither: for ever)."""

    seconds: Second
    end: int | None
    limit: Limit | None

    @property
    def text(self) -> str:
        """What the script says when the loop runs out."""
        if self.limit is not None:
            return f"time limit {self.limit}"
        return NO_END if self.end is None else f"time {at_end(self.end)}"

    def cause(self, seconds: Second) -> Cause:
        """What that means, where the loop really lasts `seconds`."""
        return Cause(self.end, self.limit, seconds)


def time_limit(ends: Sequence[End], current: Ampere | None, envelope: Envelope) -> Span:
    """The earliest end that is an instant. With constant `current`, a charge is one too."""
    spans = [Span(timing.FOREVER, None, None)]
    if current is not None and math.isfinite(envelope.charge):
        spans.append(Span(envelope.charge / abs(current), None, "charge"))
    for at, end in enumerate(ends):
        match _in_time(end.condition, current):
            case TimeReached(after):
                spans.append(Span(after, at, None))
            case _:
                continue
    return min(spans, key=lambda span: span.seconds)


def judged(ends: Sequence[End], current: Ampere | None) -> list[tuple[int, End]]:
    """The ends that are not instants, with their positions."""
    converted = [
        (at, replace(end, condition=_in_time(end.condition, current))) for at, end in enumerate(ends)
    ]
    return [(at, end) for at, end in converted if not isinstance(end.condition, TimeReached)]


def _in_time(condition: Condition, current: Ampere | None) -> Condition:
    """`condition` with charges turned into the time that `current` needs for them."""
    match condition:
        case ChargeReached(charge) if current is not None:
            return TimeReached(charge / abs(current))
        case AllOf(conditions):
            return AllOf(tuple(_in_time(each, current) for each in conditions))
        case _:
            return condition
