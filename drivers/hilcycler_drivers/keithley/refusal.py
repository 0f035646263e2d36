"""What a Keithley SMU does not do, said before anything is energised."""

from __future__ import annotations

from typing import Final

from hilcycler.errors import StepRefused
from hilcycler.protocol import Envelope
from hilcycler.quantities import Volt
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    LinearSweep,
    Step,
)
from hilcycler_drivers.keithley import timing
from hilcycler_drivers.keithley.timing import Line
from hilcycler_drivers.keithley.wire.models import Model
from hilcycler_drivers.software_steps.stepping import refuse_unless_software

WINDOW: Final[tuple[Volt, Volt]] = (-20.0, 20.0)


def refuse_unless_it_can(step: Step, envelope: Envelope, model: Model, line: Line) -> None:
    """StepRefused, naming the limit, if `model` behind `line` cannot run `step` within `envelope`."""
    refuse_unless_software(step)
    low, high = envelope.voltage
    if not (WINDOW[0] <= low and high <= WINDOW[1]):
        raise StepRefused(
            f"safety limits {low:g} V to {high:g} V lie outside {WINDOW[0]:g} V to {WINDOW[1]:g} V"
        )
    for voltage in _voltages(step):
        if not low <= voltage <= high:
            raise StepRefused(f"{voltage:g} V lies outside the safety limits {low:g} V to {high:g} V")
    if isinstance(step, ConstantCurrent | ConstantCurrentConstantVoltage):
        _refuse_current(step.current, envelope, model)
    asked = timing.asked_period(step)
    best = line.fastest_sweep if isinstance(step, LinearSweep | CyclicVoltammetry) else line.fastest
    if not asked >= best:
        raise StepRefused(
            f"a sample every {asked:g} s was asked for; this channel delivers one every "
            f"{best:.3g} s at best (a round trip over this line takes {line.round_trip:.2g} s)"
        )


def _refuse_current(current: float, envelope: Envelope, model: Model) -> None:
    low, high = envelope.current
    if not low <= current <= high:
        raise StepRefused(f"{current:g} A lies outside the safety limits {low:g} A to {high:g} A")
    if abs(current) > model.most_current:
        raise StepRefused(f"{current:g} A: a {model.title} sources at most {model.most_current:g} A")


def _voltages(step: Step) -> tuple[Volt, ...]:
    """Those that `step` sets."""
    match step:
        case ConstantVoltage() | ConstantCurrentConstantVoltage():
            return (step.voltage,)
        case LinearSweep():
            return (step.start, step.stop)
        case CyclicVoltammetry():
            return (step.start, step.first_vertex, step.second_vertex)
        case _:
            return ()
