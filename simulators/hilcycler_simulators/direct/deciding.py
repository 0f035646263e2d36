"""What a measurement script decides at each sample, decided in columns: limits, ends, what is recorded.

The meaning is that of `hilcycler_drivers.emstat.judging` and `.recording`, statement by statement, and
the tests hold the two against each other over the wire. Limits are what they are as literals of a script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

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
from hilcycler_drivers.emstat.judging import LIMITS, SLOTS
from hilcycler_drivers.emstat.recording import Recording
from hilcycler_drivers.emstat.wire.script import number

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

_Watched: TypeAlias = tuple[str, Floats, float]  # a variable, its values, how much is a change

_AHEAD: Final = 32
"""Recording periods that are looked at together; more would be thrown away at the next change."""


@dataclass(slots=True)
class Ledger:
    """The charge since the step began, by rectangles: each current held since the sample before it."""

    charge: float = 0.0
    time: Second = 0.0

    def after(self, time: Floats, current: Floats) -> Floats:
        """The charge at each sample, signed; nothing is booked yet."""
        passed = np.diff(time, prepend=self.time) * current
        return np.add.accumulate(np.concatenate(([self.charge], passed)))[1:]


@dataclass(slots=True)
class Judge:
    """Judges the samples of one loop, `period` apart. Call `first` once for every stretch, in order.

    `current`: the loop measures one. `integrate`: a limit on the charge is judged.
    """

    envelope: Envelope
    ends: Sequence[tuple[int, End]]
    period: Second
    ledger: Ledger
    current: bool = True
    integrate: bool = False
    _rows: int = 0
    _kept: dict[int, list[float]] = field(default_factory=dict)

    @property
    def only_voltages(self) -> bool:
        """Whether nothing but plain limits on the voltage can end the loop early."""
        plain = all(isinstance(end.condition, VoltageAbove | VoltageBelow) for _, end in self.ends)
        return plain and not self._counts

    @property
    def _counts(self) -> bool:
        return self.integrate and (
            math.isfinite(self.envelope.charge) or any(_needs_charge(end.condition) for _, end in self.ends)
        )

    def bounds(self) -> tuple[float, float]:
        """Between which voltages nothing can happen."""
        low, high = self.envelope.voltage
        for _, end in self.ends:
            match end.condition:
                case VoltageAbove(limit):
                    high = min(high, limit)
                case VoltageBelow(limit):
                    low = max(low, limit)
                case _:
                    continue
        return low, high

    def first(self, time: Floats, voltage: Floats, current: Floats) -> tuple[int, int]:
        """How many samples passed up to and with the first that ends the loop, and its outcome.

        The outcome is the position of the end plus one, a negative number for a limit, 0 if none ends it.
        """
        charge = self.ledger.after(time, current) if self._counts else np.empty(0)
        outcomes = np.zeros(len(time), np.intp)
        for position, end in reversed(self.ends):
            # The last to be written wins, so the first end is tried last.
            outcomes[self._holds(end.condition, time, voltage, current, charge)] = position + 1
        for quantity, inside in reversed(self._limits(voltage, current, charge)):
            outcomes[~inside] = quantity
        ended = np.flatnonzero(outcomes)
        rows = int(ended[0]) + 1 if len(ended) else len(time)
        self._rows += rows
        if len(charge):
            self.ledger.charge, self.ledger.time = float(charge[rows - 1]), float(time[rows - 1])
        return rows, int(outcomes[ended[0]]) if len(ended) else 0

    def skip(self, rows: int) -> None:
        """Some samples were inside all limits, and need not be looked at."""
        self._rows += rows

    def _limits(self, voltage: Floats, current: Floats, charge: Floats) -> list[tuple[int, Mask]]:
        limits = [(LIMITS["voltage"], _within(voltage, self.envelope.voltage))]
        if self.current:
            limits.append((LIMITS["current"], _within(current, self.envelope.current)))
        if len(charge) and math.isfinite(self.envelope.charge):
            limits.append((LIMITS["charge"], np.abs(charge) <= _literal(self.envelope.charge)))
        return limits

    def _holds(
        self, condition: Condition, time: Floats, voltage: Floats, current: Floats, charge: Floats
    ) -> Mask:
        match condition:
            case TimeReached(after):
                return time >= _literal(after)
            case VoltageAbove(limit):
                return voltage >= _literal(limit)
            case VoltageBelow(limit):
                return voltage <= _literal(limit)
            case CurrentAbove(limit):
                return np.abs(current) >= _literal(limit)
            case CurrentBelow(limit):
                return np.abs(current) <= _literal(limit)
            case ChargeReached(most):
                return np.abs(charge) >= _literal(most)
            case VoltageSettled(rate, window):
                return self._settled(id(condition), voltage, rate, window, relative=False)
            case CurrentSettled(rate, window):
                return self._settled(id(condition), current, rate, window, relative=True)
            case AllOf(conditions):
                held = [self._holds(each, time, voltage, current, charge) for each in conditions]
                everywhere: Mask = np.logical_and.reduce(held)
                return everywhere
            case TemperatureSettled():
                raise StepRefused("this instrument measures no temperature, so it cannot wait for one")
            case _:
                assert_never(condition)

    def _settled(self, key: int, values: Floats, rate: float, window: Second, *, relative: bool) -> Mask:
        """Each `stride`-th sample against that of a window before it."""
        samples = max(1, math.ceil(window / self.period - 1e-9))
        stride = math.ceil(samples / SLOTS)
        slots = math.ceil(samples / stride)
        span = _literal(rate * slots * stride * self.period)
        rows = np.arange((-self._rows) % stride, len(values), stride)
        kept = self._kept.setdefault(key, [])
        before = len(kept)
        kept += values[rows].tolist()
        held = np.array(kept)
        settled = np.zeros(len(values), bool)
        at = np.arange(max(before, slots), len(held))
        allowed = np.abs(held[at]) * span if relative else span
        settled[rows[at - before]] = np.abs(held[at - slots] - held[at]) <= allowed
        return settled


@dataclass(slots=True)
class Gate:
    """Which samples are recorded; what is remembered from one stretch, or loop, to the next."""

    recording: Recording
    _since: int = -1  # samples since the last that was recorded; below zero before the first
    _last: dict[str, float] = field(default_factory=dict)  # what was recorded last, by variable
    _next: Second = 0.0  # from when the next sample is due, where they are spread by decades

    @property
    def open(self) -> bool:
        """Whether the last sample was not recorded."""
        return self._since > 0

    @property
    def next_due(self) -> int:
        """How many samples pass before the next that is recorded by its number alone."""
        return self.recording.count - 1 - self._since if self._since >= 0 else 0

    @property
    def voltage_change(self) -> float | None:
        """By how much the voltage must move to be recorded."""
        return next((_literal(change) for name, _, change in self.recording.changes if name == "u"), None)

    @property
    def last_voltage(self) -> float | None:
        """As it was recorded last."""
        return self._last.get("u")

    def pass_by(self, rows: int, due: NDArray[np.intp], columns: Mapping[str, Floats]) -> None:
        """Some samples passed without a change; those that were `due` were recorded, as `columns`."""
        if len(due):
            self._since = rows - 1 - int(due[-1])
            self._last = {name: float(columns[name][len(due) - 1]) for name, _, _ in self.recording.changes}
        else:
            self._since += rows

    def chosen(self, time: Floats, voltage: Floats, current: Floats, *, ended: bool) -> NDArray[np.intp]:
        """The samples that are recorded, by position; with `ended` the last one is."""
        count, rows = self.recording.count, len(voltage)
        if count == 1:
            return np.arange(rows)
        columns = {"u": voltage, "i": current}
        watched = [(name, columns[name], _literal(change)) for name, _, change in self.recording.changes]
        chosen: list[NDArray[np.intp]] = []
        at = -1 - self._since if self._since >= 0 else -count
        while True:
            if self.recording.growth is None:
                found = self._until_a_change(at, rows, watched)
            else:
                due = max(at + 1, int(np.searchsorted(time, self._next)))
                found = self._until_a_change(at, min(rows, due + 1, at + count + 1), watched)
                if not len(found) and due < min(rows, at + count):
                    found = np.array([due])
            if not len(found):
                break
            chosen.append(found)
            at = int(found[-1])
            self._remember(at, time, watched)
        if ended and at != rows - 1:
            at = rows - 1
            chosen.append(np.array([at]))
            self._remember(at, time, watched)
        self._since = rows - 1 - at
        return np.concatenate(chosen) if chosen else np.empty(0, np.intp)

    def _remember(self, at: int, time: Floats, watched: Sequence[_Watched]) -> None:
        self._last = {name: float(column[at]) for name, column, _ in watched}
        if self.recording.growth is not None:
            self._next = float(time[at]) * self.recording.growth.value

    def _until_a_change(self, at: int, rows: int, watched: Sequence[_Watched]) -> NDArray[np.intp]:
        """What is recorded after `at`, up to the first change if there is one soon."""
        count = self.recording.count
        if not watched:
            return np.arange(at + count, rows, count)
        last = min(rows, at + _AHEAD * count)
        look = np.arange(max(at + 1, 0), last)
        if not len(look):
            return look
        since = (look - at) // count
        changed = np.zeros(len(look), bool)
        for name, column, change in watched:
            reference = column[np.maximum(at + since * count, 0)]
            reference[since == 0] = self._last.get(name, 0.0)
            difference = column[look] - reference
            changed |= (difference >= change) | (difference <= -change)
        due = (look - at) % count == 0
        first = int(np.argmax(changed)) if changed.any() else len(look)
        found: NDArray[np.intp] = look[: first + 1][due[: first + 1] | changed[: first + 1]]
        return found


def _needs_charge(condition: Condition) -> bool:
    match condition:
        case ChargeReached():
            return True
        case AllOf(conditions):
            return any(map(_needs_charge, conditions))
        case _:
            return False


def _within(values: Floats, bounds: tuple[float, float]) -> Mask:
    lowest, highest = (_literal(bound) if math.isfinite(bound) else bound for bound in bounds)
    return (values >= lowest) & (values <= highest)


@lru_cache(maxsize=1024)
def _literal(value: float) -> float:
    return number(value).value
