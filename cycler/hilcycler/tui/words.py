"""Steps and readings in the words of a lab, short enough for one line of a screen."""

from __future__ import annotations

import math
from typing import Final, assert_never

from hilcycler.quantities import AMPERE_HOUR, ZERO_CELSIUS, duration, engineering
from hilcycler.steps import (
    AllOf,
    ChargeReached,
    Condition,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentAbove,
    CurrentBelow,
    CurrentSettled,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    SetTemperature,
    Step,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)
from hilcycler.tui.plain import plain

_PREFIXES: Final = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def step_in_words(step: Step) -> str:
    """What the step does and when it ends: `plate, −1.131 mA, until 1 h or V ≤ −500 mV`."""
    words = _doing(step)
    match step:
        case PotentiostaticImpedance() | GalvanostaticImpedance() | OperatorPause():
            return plain(words)
        case _:
            ends = " or ".join(_end(end) for end in step.ends)
            return plain(f"{words}, until {ends}" if ends else words)


def condition_in_words(condition: Condition) -> str:
    """`V ≥ 1 V`, `1 h`, `1.131 mAh`."""
    match condition:
        case TimeReached(after):
            return duration(after)
        case VoltageAbove(limit):
            return f"V ≥ {_si(limit, 'V')}"
        case VoltageBelow(limit):
            return f"V ≤ {_si(limit, 'V')}"
        case CurrentBelow(limit):
            return f"|I| ≤ {_si(limit, 'A')}"
        case CurrentAbove(limit):
            return f"|I| ≥ {_si(limit, 'A')}"
        case ChargeReached(charge):
            return _si(charge / AMPERE_HOUR, "Ah")
        case VoltageSettled(rate, window):
            return f"|dV/dt| ≤ {_si(rate, 'V/s')} over {duration(window)}"
        case CurrentSettled(relative_rate, window):
            return f"|dI/dt|/|I| ≤ {relative_rate * 360_000.0:.3g} %/h over {duration(window)}"
        case TemperatureSettled(tolerance, window):
            return f"T within {tolerance:.3g} K for {duration(window)}"
        case AllOf(conditions):
            return " and ".join(condition_in_words(each) for each in conditions)
        case _:
            assert_never(condition)


def reading(value: float, unit: str) -> str:
    """Four significant digits with an SI prefix, always 11 characters or more, so that digits stand still."""
    if not math.isfinite(value):
        return f"{'—':>8} {unit:<2}"
    exponent = -12 if value == 0.0 else 3 * math.floor(math.log10(abs(value)) / 3)
    exponent = max(-12, min(9, exponent))
    scaled = value / 10.0**exponent
    if abs(scaled) >= 999.95 and exponent < 9:
        exponent, scaled = exponent + 3, scaled / 1000.0
    if value == 0.0:
        exponent = 0
    decimals = 3 - (abs(scaled) >= 9.9995) - (abs(scaled) >= 99.995)
    return f"{scaled:>8.{decimals}f} {_PREFIXES[exponent] + unit:<2}".replace("-", "−")


def _doing(step: Step) -> str:
    match step:
        case Rest():
            words = "rest"
        case ConstantCurrent():
            words = f"{step.process or 'constant current'}, {_si(step.current, 'A')}"
        case ConstantVoltage():
            words = f"{step.process or 'hold'} at {_volt(step.voltage, versus_ocv=step.versus_open_circuit)}"
        case ConstantCurrentConstantVoltage():
            words = f"{step.process or 'constant current'}, {_si(step.current, 'A')} to {_si(step.voltage, 'V')}, held"
        case PotentiostaticImpedance():
            words = f"impedance, {_si(step.amplitude, 'V')} rms, {_span(step)}"
        case GalvanostaticImpedance():
            words = f"impedance, {_si(step.amplitude, 'A')} rms, {_span(step)}"
        case LinearSweep():
            versus = step.versus_open_circuit
            words = (
                f"sweep, {_volt(step.start, versus_ocv=versus)} to {_volt(step.stop, versus_ocv=versus)}"
                f" at {_si(step.rate, 'V/s')}"
            )
        case CyclicVoltammetry():
            words = (
                f"cyclic voltammetry, {_si(step.first_vertex, 'V')} to {_si(step.second_vertex, 'V')}"
                f" at {_si(step.rate, 'V/s')}, {step.scans} scan{'s' if step.scans != 1 else ''}"
            )
        case SetTemperature():
            words = f"to {step.temperature - ZERO_CELSIUS:.4g} °C"
        case OperatorPause():
            words = f"waiting for the operator: {step.message}"
        case _:
            assert_never(step)
    return f"{step.name}: {words}" if step.name else words


def _end(end: End) -> str:
    words = condition_in_words(end.condition)
    match end.then:
        case "next":
            return words
        case "stop":
            return f"{words} (ends the run)"
        case there:
            return f"{words} (leaves {there})"


def _span(step: PotentiostaticImpedance | GalvanostaticImpedance) -> str:
    return f"{_si(step.highest, 'Hz')} to {_si(step.lowest, 'Hz')}"


def _volt(voltage: float, *, versus_ocv: bool) -> str:
    return f"{_si(voltage, 'V')}{' vs OCV' if versus_ocv else ''}"


def _si(value: float, unit: str) -> str:
    return engineering(value, unit).replace("-", "−")
