"""What is left of a step: of one that was cut off, and of one whose set-point depends on the cell."""

from __future__ import annotations

import math
from dataclasses import replace

from hilcycler.errors import StepRefused
from hilcycler.protocol import ends_of
from hilcycler.quantities import Ampere, Coulomb, Second, Volt
from hilcycler.steps import (
    AllOf,
    ChargeReached,
    Condition,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    SetTemperature,
    Step,
    TimeReached,
)


def used_up(step: Step, elapsed: Second, charge: Coulomb) -> int | None:
    """Position of the first time or charge end that is already met, if one is. None for a rest."""
    if isinstance(step, Rest):
        return None
    for at, end in enumerate(ends_of(step)):
        match end.condition:
            case TimeReached(after) if elapsed >= after:
                return at
            case ChargeReached(most) if abs(charge) >= most:
                return at
            case _:
                continue
    return None


def held_charge(step: Step, most: Ampere, blind: Second) -> Coulomb:
    """The most that `step` can have passed, unseen, on an instrument that holds it for ever (magnitude).

    No end of the step's own bounds it, nor a limit on the charge: nobody was there to see them met.
    `most` is the limit on the current that was loaded into the instrument.
    """
    match step:
        case ConstantCurrent():
            return abs(step.current) * blind
        case ConstantCurrentConstantVoltage():
            return min(abs(step.current), most) * blind
        case Rest() | SetTemperature() | OperatorPause():
            return 0.0
        case _:
            return most * blind if blind > 0.0 else 0.0


def most_charge(step: Step, elapsed: Second, charge: Coulomb, blind: Second) -> Coulomb:
    """The most that `step` can have passed, unseen, in `blind` seconds after `elapsed` (magnitude).

    For an instrument that ends the step by itself. Infinite where the current is not known from the
    step; the caller bounds it by the envelope.
    """
    match step:
        case ConstantCurrent():
            most = abs(step.current) * blind
            for end in step.ends:
                match end.condition:
                    case TimeReached(after):
                        most = min(most, abs(step.current) * max(after - elapsed, 0.0))
                    case ChargeReached(total):
                        most = min(most, max(total - abs(charge), 0.0))
                    case _:
                        continue
            return most
        case Rest() | SetTemperature() | OperatorPause():
            return 0.0
        case _:
            return 0.0 if blind == 0.0 else math.inf


def remainder(step: Step, elapsed: Second, charge: Coulomb) -> Step:
    """`step` with its time and charge ends reduced by what has already passed; see `used_up` first.

    Sweeps and spectra cannot be continued in the middle: they are done again from their beginning. A rest
    is never over unseen: nothing passes in it, and what comes next may need its last voltage.
    """
    match step:
        case Rest():
            return replace(step, ends=_left(step.ends, elapsed, charge, least=step.sampling.decide))
        case ConstantCurrent() | ConstantVoltage() | ConstantCurrentConstantVoltage() | SetTemperature():
            return replace(step, ends=_left(step.ends, elapsed, charge))
        case _:
            return step


def at_open_circuit(step: Step, open_circuit: Volt | None) -> Step:
    """`step` with voltages given against open circuit replaced by absolute ones.

    `open_circuit` is the last voltage seen at rest; StepRefused if the step needs one and there is
    none.
    """
    match step:
        case ConstantVoltage(versus_open_circuit=True):
            return replace(step, voltage=step.voltage + _known(open_circuit), versus_open_circuit=False)
        case LinearSweep(versus_open_circuit=True):
            rest = _known(open_circuit)
            return replace(step, start=step.start + rest, stop=step.stop + rest, versus_open_circuit=False)
        case CyclicVoltammetry(versus_open_circuit=True):
            rest = _known(open_circuit)
            return replace(
                step,
                start=step.start + rest,
                first_vertex=step.first_vertex + rest,
                second_vertex=step.second_vertex + rest,
                versus_open_circuit=False,
            )
        case PotentiostaticImpedance(bias=None):
            return replace(step, bias=_known(open_circuit))
        case _:
            return step


def _known(open_circuit: Volt | None) -> Volt:
    if open_circuit is None:
        raise StepRefused(
            "this step is set against the open-circuit voltage, but no rest came before it; add a rest"
        )
    return open_circuit


def _left(ends: tuple[End, ...], elapsed: Second, charge: Coulomb, *, least: Second = 0.0) -> tuple[End, ...]:
    return tuple(End(_less(end.condition, elapsed, charge, least), end.then) for end in ends)


def _less(condition: Condition, elapsed: Second, charge: Coulomb, least: Second) -> Condition:
    match condition:
        case AllOf():
            return AllOf(tuple(_less(each, elapsed, charge, least) for each in condition.conditions))
        case TimeReached():
            return replace(condition, after=max(condition.after - elapsed, least))
        case ChargeReached():
            return replace(condition, charge=condition.charge - abs(charge))
        case _:
            return condition
