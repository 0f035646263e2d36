"""How long a step can last at most, and which set-points it has: what every file is judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, assert_never

from hilcycler.protocol import Envelope, Node, Protocol, total
from hilcycler.quantities import Ampere, Hertz, Second, Volt
from hilcycler.steps import (
    AllOf,
    ChargeReached,
    Condition,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    SetTemperature,
    Step,
    TimeReached,
)

MOST_STEPS: Final = 10_000_000
LONGEST: Final[Second] = 100 * 365.25 * 86400.0


def longest(step: Step) -> Second:
    """The longest that `step` can last; infinite if nothing ends it for certain.

    Time ends any step, charge only one whose current is constant, voltages and rates none. A pause
    counts as nothing: it waits for a person.
    """
    match step:
        case ConstantCurrent():
            return _bound(step.ends, abs(step.current))
        case Rest() | ConstantVoltage() | ConstantCurrentConstantVoltage() | SetTemperature():
            return _bound(step.ends, 0.0)
        case LinearSweep():
            return min(abs(step.stop - step.start) / step.rate, _bound(step.ends, 0.0))
        case CyclicVoltammetry():
            return min(step.scans * _scan(step) / step.rate, _bound(step.ends, 0.0))
        case PotentiostaticImpedance() | GalvanostaticImpedance():
            return sum(max(step.periods / frequency, 1e-3) for frequency in frequencies(step))
        case OperatorPause():
            return 0.0
        case _:
            assert_never(step)


def longest_of(nodes: Sequence[Node]) -> Second:
    """The longest that a whole tree can last, pauses apart."""
    return total(nodes, longest)


def frequencies(step: PotentiostaticImpedance | GalvanostaticImpedance) -> list[Hertz]:
    """From the highest to the lowest, equally spaced in log f, both included."""
    decades = math.log10(step.highest / step.lowest)
    intervals = max(1, math.ceil(decades * step.points_per_decade - 1e-9))
    return [step.highest * 10.0 ** (-decades * k / intervals) for k in range(intervals + 1)]


def set_points(step: Step) -> tuple[tuple[Volt, ...], tuple[Ampere, ...]]:
    """The voltages and currents that `step` commands, as far as they are known before it runs."""
    match step:
        case ConstantCurrent():
            return (), (step.current,)
        case ConstantCurrentConstantVoltage():
            return (step.voltage,), (step.current,)
        case ConstantVoltage():
            return () if step.versus_open_circuit else (step.voltage,), ()
        case LinearSweep():
            return () if step.versus_open_circuit else (step.start, step.stop), ()
        case CyclicVoltammetry():
            vertices = (step.start, step.first_vertex, step.second_vertex)
            return () if step.versus_open_circuit else vertices, ()
        case PotentiostaticImpedance():
            peak = step.amplitude * math.sqrt(2.0)
            return () if step.bias is None else (step.bias - peak, step.bias + peak), ()
        case GalvanostaticImpedance():
            peak = step.amplitude * math.sqrt(2.0)
            return (), (step.bias - peak, step.bias + peak)
        case Rest() | SetTemperature() | OperatorPause():
            return (), ()
        case _:
            assert_never(step)


def outside(step: Step, envelope: Envelope) -> str | None:
    """Which set-point of `step` lies outside `envelope`, in words; None if all are inside."""
    voltages, currents = set_points(step)
    for quantity, unit, values, (lowest, highest) in (
        ("voltage", "V", voltages, envelope.voltage),
        ("current", "A", currents, envelope.current),
    ):
        for value in values:
            if not lowest <= value <= highest:
                return f"the {quantity} {value:.6g} {unit} is outside the safety limits {lowest:.6g} to {highest:.6g} {unit}"
    if (
        isinstance(step, SetTemperature)
        and not envelope.temperature[0] <= step.temperature <= envelope.temperature[1]
    ):
        return f"the temperature {step.temperature:.6g} K is outside the safety limits"
    return None


def too_large(protocol: Protocol) -> str | None:
    """Why no one could mean this protocol: more steps or a longer time than any experiment; else None."""
    steps, seconds = total(protocol.body, lambda _: 1), longest_of(protocol.body)
    if not steps <= MOST_STEPS:
        return f"the repeats come to {steps:.3g} steps; at most {MOST_STEPS} are allowed"
    if not seconds <= LONGEST:
        return f"the steps could last {seconds / 3.15576e7:.3g} years; at most 100 are allowed"
    return None


def _bound(ends: tuple[End, ...], current: Ampere) -> Second:
    return min((_certain(end.condition, current) for end in ends), default=math.inf)


def _certain(condition: Condition, current: Ampere) -> Second:
    """When `condition` is met at the latest, at the constant magnitude `current` (0: it may vary)."""
    match condition:
        case TimeReached():
            return condition.after
        case ChargeReached() if current > 0.0:
            return condition.charge / current
        case AllOf():
            return max((_certain(inner, current) for inner in condition.conditions), default=math.inf)
        case _:
            return math.inf


def _scan(step: CyclicVoltammetry) -> Volt:
    return (
        abs(step.first_vertex - step.start)
        + abs(step.second_vertex - step.first_vertex)
        + abs(step.start - step.second_vertex)
    )
