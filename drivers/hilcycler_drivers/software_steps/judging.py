"""Is a step over? Judged on every sample, scalar by scalar, with nothing allocated of note."""

from __future__ import annotations

import math
from collections import deque
from typing import assert_never

from hilcycler.errors import StepRefused
from hilcycler.quantities import Ampere, Coulomb, Second, Volt
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


class Window:
    """A value over the last `span` seconds: how fast it changed, once there is that much of it."""

    def __init__(self, span: Second) -> None:
        self._span = span
        self._held: deque[tuple[Second, float]] = deque()

    def add(self, time: Second, value: float) -> None:
        self._held.append((time, value))
        while len(self._held) > 2 and time - self._held[1][0] >= self._span:
            self._held.popleft()

    @property
    def rate(self) -> float | None:
        """Change per second over the whole span, signed; None until the span is filled."""
        (first, was), (last, now) = self._held[0], self._held[-1]
        if last - first < self._span or last == first:
            return None
        return (now - was) / (last - first)


class Ends:
    """The ends of one step, judged in their order; the first that is met counts."""

    def __init__(self, ends: tuple[End, ...]) -> None:
        self._ends = ends
        self._windows: dict[int, Window] = {}
        for end in ends:
            self._prepare(end.condition)

    def _prepare(self, condition: Condition) -> None:
        match condition:
            case VoltageSettled() | CurrentSettled():
                self._windows[id(condition)] = Window(condition.window)
            case AllOf(conditions):
                for each in conditions:
                    self._prepare(each)
            case TemperatureSettled():
                raise StepRefused("this channel has no thermometer, so no step can end by temperature")
            case _:
                pass

    def met(self, time: Second, voltage: Volt, current: Ampere, charge: Coulomb) -> int | None:
        """Position of the first end that is met by this sample. Call once a sample, in order."""
        found: int | None = None
        for at, end in enumerate(self._ends):
            if self._holds(end.condition, time, voltage, current, charge) and found is None:
                found = at
        return found

    def foreseen(self, time: Second, current: Ampere, charge: Coulomb) -> Second:
        """When, after `time`, the next time or charge end falls due if the current stays: sample then.

        A charge that is judged only on a grid passes up to a period too much: 0.03 % of an hour at 1 s.
        """
        soonest = math.inf
        for end in self._ends:
            match end.condition:
                case TimeReached(after) if after > time:
                    soonest = min(soonest, after)
                case ChargeReached(most) if current != 0.0 and most > abs(charge):
                    soonest = min(soonest, time + (most - abs(charge)) / abs(current))
                case _:
                    continue
        return soonest

    def _holds(
        self, condition: Condition, time: Second, voltage: Volt, current: Ampere, charge: Coulomb
    ) -> bool:
        match condition:
            case TimeReached(after):
                return time >= after
            case VoltageAbove(limit):
                return voltage >= limit
            case VoltageBelow(limit):
                return voltage <= limit
            case CurrentBelow(limit):
                return abs(current) <= limit
            case CurrentAbove(limit):
                return abs(current) >= limit
            case ChargeReached(most):
                return abs(charge) >= most
            case VoltageSettled(limit):
                window = self._windows[id(condition)]
                window.add(time, voltage)
                return window.rate is not None and abs(window.rate) <= limit
            case CurrentSettled(limit):
                window = self._windows[id(condition)]
                window.add(time, current)
                return window.rate is not None and abs(window.rate) <= limit * abs(current)
            case AllOf(conditions):
                # Every one is asked, because those with a window must see every sample.
                held = [self._holds(each, time, voltage, current, charge) for each in conditions]
                return all(held)
            case TemperatureSettled():
                return False
            case _:
                assert_never(condition)
