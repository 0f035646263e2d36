"""One step on a source that sets and measures: a grid that does not drift, and OFF before all else.

The order within a sample is the safety of the cell: measure, compare with the envelope, and if it is
outside switch off at once; only then is anything integrated, judged, recorded or handed on.

The first measurement comes as soon as the output is on, for the grid may be as wide as minutes, and a
cell whose voltage lies beyond the instrument's own limit is drawn upon until somebody looks. Only its
voltage is judged, for the current that charges a double layer is over before the first sample; it is
not recorded.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hilcycler.channel import ConditionMet, EnvelopeCrossed, Measured, Samples
from hilcycler.clock import loop_time
from hilcycler.errors import StepRefused
from hilcycler.protocol import Envelope, Violation, ends_of
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler.records import Status
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    LinearSweep,
    Rest,
    Sampling,
    Step,
)
from hilcycler_drivers.software_steps.judging import Ends

HAND_OVER: Second = 1.0
"""Samples are handed on in blocks of about this long: often enough for a display, seldom enough to
cost nothing."""
CATCH_UP: Second = 0.1
"""What is behind by less than this, or a period, is sampled at once and flagged; the rest stays missed."""
LIMIT_MARGIN = 1.02
STUCK_AFTER = 10
"""So many identical readings of a noisy converter while current flows mean that it is stuck."""
OFF_SET_POINT, OFF_SET_POINT_AT_LEAST = 0.05, 1e-8
MISSING_AFTER = 3
"""So many readings in a row beside the set-point: the first may still see the step before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement, volts and amperes at the same instant as nearly as the instrument can."""

    voltage: Volt
    current: Ampere
    range: int = 0
    status: int = 0


class Source(Protocol):
    """An instrument that sets and measures. Every method has its own deadline and read-back."""

    async def rest(self, envelope: Envelope) -> str:
        """Disconnect (or hold zero current) and say which, in words, with what it costs in charge."""
        ...

    async def drive_current(self, current: Ampere, envelope: Envelope) -> None:
        """Source `current`, with the instrument's own voltage limit just outside the envelope."""
        ...

    async def drive_voltage(self, voltage: Volt, most: Ampere, envelope: Envelope) -> None:
        """Source `voltage` with the current limited to `most` (magnitude); no gap if it is driving already."""
        ...

    async def measure(self) -> Reading:
        """Both quantities now."""
        ...

    async def off(self) -> None:
        """Send OFF, the bytes made ready long before; reading back is the caller's next concern."""
        ...


class Stepping:
    """Runs one step at a time on a source."""

    def __init__(self, source: Source, fastest: Second) -> None:
        self._source, self._fastest = source, fastest

    async def run(self, step: Step, envelope: Envelope) -> AsyncIterator[Measured]:
        """What the step measures, then how it ended. The source is already driving."""
        plan = _Plan(step, envelope, self._fastest)
        ends = Ends(ends_of(step))
        rows = _Rows(plan.sampling, plan.period)
        began = loop_time()
        charge = last = 0.0
        stuck = _Stuck(driven=not isinstance(step, Rest))
        contact = _Contact(step.current if isinstance(step, ConstantCurrent) else None)
        number, foreseen = 0, math.inf
        behind = max(CATCH_UP, plan.period)
        first = await self._source.measure()
        violation = _beyond(first, envelope)
        if violation is not None:
            await self._source.off()
            now = loop_time() - began
            rows.add(now, first, late=False, keep=True)
            yield rows.block()
            yield EnvelopeCrossed(violation, now)
            return
        while True:
            on_grid = (number + 1) * plan.period
            due = min(on_grid, foreseen)
            if plan.over(due):
                if len(rows):
                    yield rows.block()
                yield ConditionMet(None, plan.length)
                return
            await plan.advance(self._source, due)
            await asyncio.sleep(max(began + due - loop_time(), 0.0))
            reading = await self._source.measure()
            now = loop_time() - began
            violation = _outside(reading, envelope) or stuck.check(reading) or contact.check(reading)
            if violation is None and not abs(charge + reading.current * (now - last)) <= envelope.charge:
                violation = Violation("charge", charge, -envelope.charge, envelope.charge)
            if violation is not None:
                await self._source.off()
                rows.add(now, reading, late=False, keep=True)
                yield rows.block()
                yield EnvelopeCrossed(violation, now)
                return
            charge, last = charge + reading.current * (now - last), now
            end = ends.met(now, reading.voltage, reading.current, charge)
            rows.add(now, reading, late=now - due > plan.period, keep=end is not None or number == 0)
            if end is not None:
                yield rows.block()
                yield ConditionMet(end, now)
                return
            if number == 0 or rows.oldest <= now + plan.period - HAND_OVER:  # or it would wait longer
                yield rows.block()
                rows.clear()
            foreseen = ends.foreseen(now, reading.current, charge)
            if due == on_grid:
                number = max(number + 1, int((now - behind) / plan.period))


def refuse_unless_software(step: Step) -> None:
    """StepRefused for steps that setting and measuring cannot do."""
    if not isinstance(
        step,
        Rest
        | ConstantCurrent
        | ConstantVoltage
        | ConstantCurrentConstantVoltage
        | LinearSweep
        | CyclicVoltammetry,
    ):
        raise StepRefused(f"{step.kind}: this instrument sets and measures; it cannot do that")


async def drive(source: Source, step: Step, envelope: Envelope) -> str:
    """Energise for `step`: its first set-point, with the instrument's own limits behind it.

    Returns what is worth telling about it, or nothing.
    """
    most = _backstop(envelope)
    match step:
        case Rest():
            return await source.rest(envelope)
        case ConstantCurrent(current):
            await source.drive_current(current, envelope)
        case ConstantCurrentConstantVoltage(current, voltage):
            # The voltage is sourced from the start and the current limited: no hand-over, no gap.
            await source.drive_voltage(voltage, abs(current), envelope)
        case ConstantVoltage(voltage):
            await source.drive_voltage(voltage, most, envelope)
        case LinearSweep(start=start) | CyclicVoltammetry(start=start):
            await source.drive_voltage(start, most, envelope)
        case _:
            refuse_unless_software(step)
    return ""


def _backstop(envelope: Envelope) -> Ampere:
    """The instrument's own limit on the current: just outside the envelope, so that the host trips first."""
    return LIMIT_MARGIN * max(abs(envelope.current[0]), abs(envelope.current[1]))


def _outside(reading: Reading, envelope: Envelope) -> Violation | None:
    """Written so that NaN is outside."""
    low, high = envelope.current
    if not low <= reading.current <= high:
        return _beyond(reading, envelope) or Violation("current", reading.current, low, high)
    return _beyond(reading, envelope)


def _beyond(reading: Reading, envelope: Envelope) -> Violation | None:
    low, high = envelope.voltage
    return None if low <= reading.voltage <= high else Violation("voltage", reading.voltage, low, high)


class _Stuck:
    """A converter that repeats itself to the last digit while current flows is not measuring."""

    def __init__(self, *, driven: bool) -> None:
        self._driven, self._last, self._same = driven, (math.nan, math.nan), 0

    def check(self, reading: Reading) -> Violation | None:
        seen = (reading.voltage, reading.current)
        self._same = self._same + 1 if self._driven and seen == self._last else 0
        self._last = seen
        if self._same < STUCK_AFTER:
            return None
        return Violation("identical readings in a row", float(self._same), 0.0, float(STUCK_AFTER - 1))


class _Contact:
    """Current that was set and does not flow: a lead is off, or a limit or a protection holds it back."""

    def __init__(self, asked: Ampere | None) -> None:
        self._asked, self._missing = asked, 0

    def check(self, reading: Reading) -> Violation | None:
        if self._asked is None:
            return None
        margin = OFF_SET_POINT * abs(self._asked) + OFF_SET_POINT_AT_LEAST
        self._missing = 0 if abs(reading.current - self._asked) <= margin else self._missing + 1
        if self._missing < MISSING_AFTER:
            return None
        low, high = self._asked - margin, self._asked + margin
        return Violation("current (contact lost or held back)", reading.current, low, high)


class _Plan:
    """The grid of a step and, for sweeps, the set-point at each instant."""

    def __init__(self, step: Step, envelope: Envelope, fastest: Second) -> None:
        self._most = _backstop(envelope)
        self._envelope = envelope
        self.sampling = getattr(step, "sampling", Sampling(every=None))
        self._corners: tuple[Volt, ...] = ()
        self.length: Second = math.inf
        match step:
            case LinearSweep():
                self._corners, rate, height = (step.start, step.stop), step.rate, step.step
            case CyclicVoltammetry():
                scan = (step.first_vertex, step.second_vertex, step.start)
                self._corners, rate, height = (step.start, *scan * step.scans), step.rate, step.step
            case _:
                self.period = max(self.sampling.decide, fastest)
                return
        self.period = height / rate
        if self.period < fastest:
            raise StepRefused(
                f"{step.kind} at {rate:g} V/s in steps of {height:g} V needs a sample every {self.period:g} s; "
                f"the fastest this channel can is {fastest:g} s"
            )
        self._rate = rate
        self.length = sum(abs(b - a) for a, b in zip(self._corners, self._corners[1:], strict=False)) / rate

    def over(self, time: Second) -> bool:
        return time > self.length * (1.0 + 1e-9)

    async def advance(self, source: Source, time: Second) -> None:
        """Set what is to be set until `time`; nothing for steps with one set-point."""
        if self._corners:
            await source.drive_voltage(self._at(time), self._most, self._envelope)

    def _at(self, time: Second) -> Volt:
        left = time * self._rate
        for a, b in zip(self._corners, self._corners[1:], strict=False):
            if left <= abs(b - a):
                return a + math.copysign(left, b - a)
            left -= abs(b - a)
        return self._corners[-1]


class _Rows:
    """Samples to be handed on: those that the recording rule keeps."""

    def __init__(self, sampling: Sampling, period: Second) -> None:
        self._rule = sampling
        # Readings come a little early or late: what is due within half a period is due now.
        self._due_after = math.inf if sampling.every is None else sampling.every - 0.5 * period
        self._all = sampling == Sampling(sampling.decide, every=None)
        self._growth = math.inf if sampling.growth is None else sampling.growth
        self._held: list[tuple[Second, Volt, Ampere, int, int]] = []
        self._last: tuple[Second, Volt, Ampere] | None = None

    def __len__(self) -> int:
        return len(self._held)

    @property
    def oldest(self) -> Second:
        """When the first row that waits was taken; infinity: none waits."""
        return self._held[0][0] if self._held else math.inf

    def add(self, time: Second, reading: Reading, *, late: bool, keep: bool) -> None:
        if not (keep or self._due(time, reading)):
            return
        status = reading.status | (Status.TIMING_MISSED if late else 0)
        self._held.append((time, reading.voltage, reading.current, reading.range, int(status)))
        self._last = (time, reading.voltage, reading.current)

    def _due(self, time: Second, reading: Reading) -> bool:
        rule = self._rule
        if self._last is None or self._all:
            return True
        since, voltage, current = self._last
        return (
            time - since >= self._due_after
            or time >= since * self._growth
            or (rule.voltage_change is not None and abs(reading.voltage - voltage) >= rule.voltage_change)
            or (rule.current_change is not None and abs(reading.current - current) >= rule.current_change)
        )

    def clear(self) -> None:
        self._held = []

    def block(self) -> Samples:
        columns = list(zip(*self._held, strict=True)) or [()] * 5
        return Samples(
            {
                "step_time": np.array(columns[0], np.float64),
                "voltage": np.array(columns[1], np.float64),
                "current": np.array(columns[2], np.float64),
                "range": np.array(columns[3], np.uint8),
                "status": np.array(columns[4], np.uint8),
            }
        )
