"""What a model cannot do: every refusal names the limit that forbids the step."""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import Final

from hilcycler.errors import StepRefused
from hilcycler.protocol import Envelope, ends_of
from hilcycler.quantities import Ampere, Hertz, Second, Volt, engineering
from hilcycler.steps import (
    AllOf,
    Condition,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentAbove,
    CurrentBelow,
    CyclicVoltammetry,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    SetTemperature,
    Step,
    VoltageAbove,
    VoltageBelow,
)
from hilcycler_drivers.emstat import ranges, timing
from hilcycler_drivers.emstat.wire.devices import SCRIPT_BITS, Device

COMMANDS: Final[dict[type, tuple[str, ...]]] = {
    Rest: ("meas_loop_ocp",),
    ConstantCurrent: ("set_i", "meas_loop_cp"),
    ConstantVoltage: ("set_e", "meas_loop_ca"),
    ConstantCurrentConstantVoltage: ("set_i", "meas_loop_cp", "set_e", "meas_loop_ca"),
    PotentiostaticImpedance: ("set_e", "meas_loop_eis"),
    GalvanostaticImpedance: ("set_i", "meas_loop_geis"),
    LinearSweep: ("set_e", "meas_loop_lsv"),
    CyclicVoltammetry: ("set_e", "meas_loop_cv"),
}
"""The techniques of the family, and the script commands each needs."""


ALWAYS: Final = (
    "var", "store_var", "copy_var", "add_var", "sub_var", "mul_var", "if", "elseif", "else", "endif", "breakloop",
    "endloop", "timer_start", "timer_get", "pck_start", "pck_add", "pck_end", "send_string", "set_pgstat_chan",
    "set_pgstat_mode", "set_max_bandwidth", "set_range", "set_range_minmax", "set_autoranging", "cell_on", "cell_off",
)  # fmt: skip
"""Script commands that nearly every script uses."""


def missing(kind: type, bits: int) -> list[str]:
    """Script commands that a technique needs and a firmware with these capabilities does not know."""
    return [command for command in (*ALWAYS, *COMMANDS[kind]) if not bits >> SCRIPT_BITS[command] & 1]


def techniques(bits: int) -> frozenset[type]:
    """Those that a firmware with these script capabilities can do."""
    return frozenset(kind for kind in COMMANDS if not missing(kind, bits))


def check(step: Step, envelope: Envelope, device: Device, bits: int) -> None:
    """StepRefused, with the reason, if `device` with script capabilities `bits` cannot do `step`."""
    if type(step) not in COMMANDS:
        raise StepRefused(f"the {device.name} cannot do {step.kind}")
    if unknown := missing(type(step), bits):
        raise StepRefused(f"the firmware of this {device.name} does not know {', '.join(unknown)}")
    if any(map(math.isnan, (*envelope.voltage, *envelope.current, envelope.charge))):
        raise StepRefused("a safety limit is not a number")
    match step:
        case Rest(sampling=sampling):
            _period(sampling.decide)
            _must_end(step)
        case ConstantCurrent(current=current, sampling=sampling):
            _current(current, device)
            _period(sampling.decide)
            _must_end(step)
        case ConstantVoltage(voltage=voltage, sampling=sampling):
            _absolute(step.versus_open_circuit)
            _voltage("holding", voltage, envelope, device)
            _period(sampling.decide)
            _must_end(step)
        case ConstantCurrentConstantVoltage(current=current, voltage=voltage, sampling=sampling):
            _current(current, device)
            _voltage("holding", voltage, envelope, device)
            _period(sampling.decide)
            _must_end(step)
        case LinearSweep():
            _absolute(step.versus_open_circuit)
            _sweep((step.start, step.stop), step.rate, step.step, envelope, device)
        case CyclicVoltammetry():
            _absolute(step.versus_open_circuit)
            _sweep(
                (step.start, step.first_vertex, step.second_vertex), step.rate, step.step, envelope, device
            )
            if step.scans < 1:
                raise StepRefused("a cyclic voltammogram has at least one scan")
        case PotentiostaticImpedance():
            _frequencies(step.highest, step.lowest, device)
            _potentiostatic_impedance(step, envelope, device)
        case GalvanostaticImpedance():
            _frequencies(step.highest, step.lowest, device)
            _galvanostatic_impedance(step, envelope, device)
        case SetTemperature() | OperatorPause():
            raise StepRefused(f"a potentiostat cannot do {step.kind}")
    for end in ends_of(step):
        _reachable(end.condition, device)


def _must_end(step: Step) -> None:
    if not ends_of(step):
        raise StepRefused(f"{step.kind} has no end")


def _absolute(versus_open_circuit: bool) -> None:  # noqa: FBT001
    if versus_open_circuit:
        raise StepRefused("the voltage is against open circuit, and no open-circuit voltage is known")


def _period(decide: Second) -> None:
    if not decide >= timing.FASTEST:
        raise StepRefused(f"deciding every {decide:g} s is faster than every {timing.FASTEST:g} s")


def _current(current: Ampere, device: Device) -> None:
    if current == 0.0:
        raise StepRefused("constant current of zero: a rest disconnects the cell, and says so")
    ranges.for_current(abs(current), device)


def _voltage(what: str, voltage: Volt, envelope: Envelope, device: Device) -> None:
    lowest, highest = device.voltage
    if not lowest <= voltage <= highest:
        window = f"{lowest:g} V to {highest:g} V"
        raise StepRefused(f"{what} {engineering(voltage, 'V')} is outside {window} of the {device.name}")
    if not envelope.voltage[0] <= voltage <= envelope.voltage[1]:
        allowed = f"{envelope.voltage[0]:g} V to {envelope.voltage[1]:g} V"
        raise StepRefused(f"{what} {engineering(voltage, 'V')} is outside the safety limits {allowed}")


def _sweep(turns: tuple[Volt, ...], rate: float, step: Volt, envelope: Envelope, device: Device) -> None:
    for voltage in turns:
        _voltage("sweeping to", voltage, envelope, device)
    if not (rate > 0.0 and step > 0.0 and math.isfinite(rate)):
        raise StepRefused("the rate and the step of a sweep are positive")
    if not step <= max(turns) - min(turns):
        raise StepRefused(f"a step of {engineering(step, 'V')} is larger than the sweep")
    _period(step / rate)


def _frequencies(highest: Hertz, lowest: Hertz, device: Device) -> None:
    if not device.lowest_frequency <= lowest <= highest <= device.highest_frequency:
        band = f"{device.lowest_frequency:g} Hz to {device.highest_frequency:g} Hz"
        raise StepRefused(
            f"a spectrum from {highest:g} Hz down to {lowest:g} Hz does not lie in {band} of the {device.name}"
        )


def _potentiostatic_impedance(step: PotentiostaticImpedance, envelope: Envelope, device: Device) -> None:
    if step.bias is None:
        raise StepRefused("the bias is the open-circuit voltage, and none is known; add a rest before it")
    if not 0.0 < step.amplitude <= device.highest_amplitude:
        most = f"{device.highest_amplitude:g} V"
        raise StepRefused(
            f"an amplitude of {step.amplitude:g} V rms is not within {most} of the {device.name}"
        )
    for sign in (-1.0, 1.0):
        _voltage("impedance reaching", step.bias + sign * step.amplitude * math.sqrt(2.0), envelope, device)


def _galvanostatic_impedance(step: GalvanostaticImpedance, envelope: Envelope, device: Device) -> None:
    if not step.amplitude > 0.0:
        raise StepRefused("an amplitude is positive")
    for sign in (-1.0, 1.0):
        peak = step.bias + sign * step.amplitude * math.sqrt(2.0)
        _current(peak, device)
        if not envelope.current[0] <= peak <= envelope.current[1]:
            raise StepRefused(f"impedance reaching {engineering(peak, 'A')} is outside the safety limits")


def _reachable(condition: Condition, device: Device) -> None:
    """A cut-off beyond what the instrument can measure would never be met."""
    lowest, highest = device.voltage
    match condition:
        case VoltageAbove(limit) | VoltageBelow(limit) if not lowest <= limit <= highest:
            window = f"{lowest:g} V to {highest:g} V"
            raise StepRefused(
                f"a cut-off at {engineering(limit, 'V')} is outside {window} of the {device.name}"
            )
        case CurrentAbove(limit) | CurrentBelow(limit) if not 0.0 <= limit <= device.max_current:
            most = engineering(device.max_current, "A")
            raise StepRefused(
                f"a cut-off at {engineering(limit, 'A')} is beyond the {most} of the {device.name}"
            )
        case AllOf(conditions):
            for each in conditions:
                _reachable(each, device)
        case _ if any(isinstance(value, float) and math.isnan(value) for value in astuple(condition)):
            raise StepRefused(f"an end by {condition.kind} is not a number")
        case _:
            return
