"""What can be said against a protocol by reading it, beside what an instrument can do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel, CurrentRange
from hilcycler.engine import at_open_circuit
from hilcycler.errors import StepRefused
from hilcycler.language import describe_step, longest
from hilcycler.preflight.findings import Finding, error, note, warning
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat, ends_of
from hilcycler.quantities import AMPERE_HOUR, Ampere, Second, Volt, duration, engineering
from hilcycler.steps import (
    ChargeReached,
    Condition,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentAbove,
    CurrentBelow,
    CurrentSettled,
    CyclicVoltammetry,
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

THERMAL_VOLTAGE: Final[Volt] = 8.314462618 * 298.15 / 96485.33212
"""RT/F at 25 degC, 25.7 mV: beyond it the current is no longer proportional to the voltage."""
BRUCE_VINCENT_BIAS: Final[Volt] = 10e-3
MISSED_ARC: Final = 100.0
"""Hz. The arcs of a lithium electrode lie mostly below; a spectrum that stops here shows none."""
_METALS: Final = ("li", "na", "k", "lithium", "sodium", "potassium")
_POOR: Final = 0.02
_TOO_MUCH: Final = 1.5  # of the nominal capacity: no cell gives that


def written(nodes: Sequence[Node], index: int = 1) -> Iterator[tuple[int, Step]]:
    """Each step as written with its number, from 1, as `protocol.walk` numbers them."""
    for node in nodes:
        match node:
            case Repeat() | Group() | Insert():
                inner = list(written(node.body, index))
                yield from inner
                index += len(inner)
            case _:
                yield index, node
                index += 1


def read(protocol: Protocol, cell: Cell, channel: Channel, envelope: Envelope) -> Iterator[Finding]:
    """All findings that need no rehearsal. `envelope` is the protocol's within the bench's."""
    capabilities = channel.capabilities
    if not all(map(math.isfinite, (*protocol.safety.voltage, *protocol.safety.current))):
        yield note(
            "no-safety-limits",
            "the protocol sets no limit of its own on voltage or current; the bench's hold",
        )
    for index, step in written(protocol.body):
        found = list(_instrument(step, index, capabilities))
        yield from found
        yield from _conditions(step, index, envelope)
        yield from _electrochemistry(step, index, cell)
        if not any(each.severity == "error" for each in found):
            yield from _refused(step, index, channel, envelope)


def _refused(step: Step, index: int, channel: Channel, envelope: Envelope) -> Iterator[Finding]:
    if isinstance(step, OperatorPause | SetTemperature):
        return
    low, high = envelope.voltage
    try:
        channel.check(at_open_circuit(step, 0.0 if low < 0.0 < high else 0.5 * (low + high)), envelope)
    except StepRefused as refused:
        yield error("refused", f"the instrument refuses: {refused}", index)


# --- what the instrument can do -------------------------------------------------------------


def _instrument(step: Step, index: int, able: Capabilities) -> Iterator[Finding]:
    if isinstance(step, SetTemperature):
        yield note("chamber", "needs a chamber; the rehearsal imagines one", index)
    elif not isinstance(step, OperatorPause) and type(step) not in able.techniques:
        yield error("technique-missing", f"this instrument cannot do {step.kind}", index)
    if able.host_death.holds_for_ever and _energised(step) and longest(step) > 300.0:
        yield warning("holds-for-ever", f"if this computer dies in it: {able.host_death.in_words}", index)
    current = working_current(step)
    if current is not None:
        most = max((each.full_scale for each in able.current_ranges), default=0.0)
        if not abs(current) <= most:
            yield error(
                "current-above-range",
                f"{engineering(abs(current), 'A')} is beyond the largest range, {engineering(most, 'A')}",
                index,
            )
        elif (accuracy := current_error(current, able)) > _POOR * abs(current):
            yield warning(
                "poor-accuracy",
                f"{engineering(abs(current), 'A')} is known only to {accuracy / abs(current):.1%}",
                index,
            )
    for voltage in _voltages(step):
        if not able.voltage[0] <= voltage <= able.voltage[1]:
            yield error(
                "voltage-outside-window",
                f"{engineering(voltage, 'V')} is outside the instrument's {able.voltage[0]:g} V to {able.voltage[1]:g} V",
                index,
            )
    yield from _sampling(step, index, able)


def _sampling(step: Step, index: int, able: Capabilities) -> Iterator[Finding]:
    match step:
        case PotentiostaticImpedance() | GalvanostaticImpedance():
            if not (able.lowest_frequency <= step.lowest and step.highest <= able.highest_frequency):
                band = f"{engineering(able.lowest_frequency, 'Hz')} to {engineering(able.highest_frequency, 'Hz')}"
                yield error("frequency-outside-band", f"the instrument measures {band}", index)
            return
        case LinearSweep() | CyclicVoltammetry():
            wanted = step.step / step.rate
        case OperatorPause():
            return
        case _:
            wanted = min(step.sampling.decide, step.sampling.every or math.inf)
    if not wanted >= able.fastest_sampling:
        yield error(
            "sampling-too-fast",
            f"a sample every {wanted:.3g} s is asked for; this instrument delivers one every {able.fastest_sampling:.3g} s",
            index,
        )


def working_current(step: Step) -> Ampere | None:
    """The current that a step drives, None where the cell decides."""
    match step:
        case ConstantCurrent() | ConstantCurrentConstantVoltage():
            return step.current
        case GalvanostaticImpedance():
            return abs(step.bias) + step.amplitude * math.sqrt(2.0)
        case _:
            return None


def range_of(current: Ampere, able: Capabilities) -> CurrentRange | None:
    """The smallest range that holds `current`."""
    fitting = [each for each in able.current_ranges if each.full_scale >= abs(current) * (1.0 - 1e-9)]
    return min(fitting, key=lambda each: each.full_scale, default=None)


def current_error(current: Ampere, able: Capabilities) -> Ampere:
    """How far a reading of `current` may be wrong; infinite beyond all ranges."""
    found = range_of(current, able)
    return math.inf if found is None else found.gain * abs(current) + found.offset


def _voltages(step: Step) -> Iterator[Volt]:
    match step:
        case ConstantVoltage(versus_open_circuit=False) | ConstantCurrentConstantVoltage():
            yield step.voltage
        case LinearSweep(versus_open_circuit=False):
            yield from (step.start, step.stop)
        case CyclicVoltammetry(versus_open_circuit=False):
            yield from (step.start, step.first_vertex, step.second_vertex)
        case _:
            pass
    for end in ends_of(step):
        match end.condition:
            case VoltageAbove(limit) | VoltageBelow(limit):
                yield limit
            case _:
                continue


def _energised(step: Step) -> bool:
    return not isinstance(step, Rest | SetTemperature | OperatorPause)


# --- when it ends ---------------------------------------------------------------------------


def _conditions(step: Step, index: int, envelope: Envelope) -> Iterator[Finding]:
    ends = ends_of(step)
    certain = longest(step)
    if not math.isfinite(certain):
        yield error("never-ends", "nothing ends this step for certain; give it a time", index)
    for end in ends:
        reason = never(end.condition, step, certain)
        if reason:
            yield warning("never-fires", f"{end.condition.kind} can never end this step: {reason}", index)
        match end.condition:
            case VoltageAbove(limit) if limit > envelope.voltage[1]:
                yield warning("beyond-safety", _tripped(limit, envelope.voltage[1]), index)
            case VoltageBelow(limit) if limit < envelope.voltage[0]:
                yield warning("beyond-safety", _tripped(limit, envelope.voltage[0]), index)
            case ChargeReached(charge) if charge > envelope.charge:
                most = engineering(envelope.charge / AMPERE_HOUR, "Ah")
                yield error(
                    "beyond-safety", f"the safety limit on charge, {most}, trips before its end", index
                )
            case _:
                continue
    yield from _sides(step, index)


def _tripped(limit: Volt, safe: Volt) -> str:
    return (
        f"the safety limit at {engineering(safe, 'V')} trips before the cut-off at {engineering(limit, 'V')}"
    )


def never(condition: Condition, step: Step, certain: Second) -> str | None:
    """Why `condition` cannot be what ends `step`, which lasts at most `certain`; None if it can."""
    current = abs(step.current) if isinstance(step, ConstantCurrent) else None
    match condition:
        case TimeReached(after) if after > certain * (1.0 + 1e-9):
            return f"the step is over after {duration(certain)}"
        case ChargeReached(charge) if current and charge / current > certain * (1.0 + 1e-9):
            needed = duration(charge / current)
            return f"it needs {needed} at this current, and the step is over after {duration(certain)}"
        case CurrentBelow(limit) if current is not None and current > limit:
            return "the current is constant and larger"
        case CurrentAbove(limit) if current is not None and current < limit:
            return "the current is constant and smaller"
        case VoltageSettled(_, window) | CurrentSettled(_, window) | TemperatureSettled(_, window) if (
            window >= certain
        ):
            return f"its window of {duration(window)} is no shorter than the step"
        case ChargeReached() | CurrentAbove() | CurrentSettled() if isinstance(step, Rest | SetTemperature):
            return "no current flows at open circuit"
        case TemperatureSettled() if not isinstance(step, SetTemperature):
            return "only a temperature step has a set-point to settle at"
        case _:
            return None


def _sides(step: Step, index: int) -> Iterator[Finding]:
    """A current moves the voltage one way; a cut-off on the other side is met at once or never."""
    if not isinstance(step, ConstantCurrent):
        return
    limits = [e.condition for e in step.ends if isinstance(e.condition, VoltageAbove | VoltageBelow)]
    right = VoltageAbove if step.current > 0.0 else VoltageBelow
    if limits and not any(isinstance(each, right) for each in limits):
        way, side = ("up", "below") if step.current > 0.0 else ("down", "above")
        yield error(
            "cut-off-on-wrong-side",
            f"this current drives the voltage {way}; its only voltage cut-off is '{side}'",
            index,
        )


# --- electrochemistry -----------------------------------------------------------------------


def _electrochemistry(step: Step, index: int, cell: Cell) -> Iterator[Finding]:
    match step:
        case PotentiostaticImpedance() | GalvanostaticImpedance():
            if step.lowest >= MISSED_ARC and _is_metal(cell):
                yield warning(
                    "spectrum-misses-the-arc",
                    f"down to {engineering(step.lowest, 'Hz')} only: the arcs of a metal electrode lie below; "
                    "0.1 kHz is often a misprint for 0.1 Hz",
                    index,
                )
            if isinstance(step, PotentiostaticImpedance) and step.amplitude > THERMAL_VOLTAGE:
                yield warning(
                    "amplitude-not-small", f"{engineering(step.amplitude, 'V')} rms is beyond RT/F", index
                )
        case ConstantVoltage() if any(isinstance(e.condition, CurrentSettled) for e in step.ends):
            yield from _polarisation(abs(step.voltage), index, cell)
        case ConstantCurrent() | ConstantCurrentConstantVoltage():
            yield from _capacity(step, index, cell)
        case _:
            return


def _polarisation(bias: Volt, index: int, cell: Cell) -> Iterator[Finding]:
    """Bruce and Vincent's steady state: a symmetric metal cell, a bias well within RT/F."""
    if not (_metal(cell.working.material) and _metal(cell.counter.material)):
        return
    said = f"a bias of {engineering(bias, 'V')}"
    if not bias <= THERMAL_VOLTAGE:
        yield error("bias-beyond-thermal-voltage", f"{said} is beyond RT/F, 25.7 mV: not linear", index)
    elif not bias <= BRUCE_VINCENT_BIAS * (1.0 + 1e-9):
        yield warning(
            "bias-above-10-mV", f"{said}: a transference number is measured at 10 mV or less", index
        )


def _capacity(
    step: ConstantCurrent | ConstantCurrentConstantVoltage, index: int, cell: Cell
) -> Iterator[Finding]:
    nominal = cell.nominal_capacity
    for end in step.ends:
        match end.condition:
            case ChargeReached(charge) if nominal is not None and charge > _TOO_MUCH * nominal:
                asked, has = (engineering(each / AMPERE_HOUR, "Ah") for each in (charge, nominal))
                yield error("unreachable-capacity", f"{asked} is asked of a cell of {has}", index)
            case _:
                continue
    if step.process in {"plate", "discharge"} and step.current > 0.0:
        yield error("wrong-sign", f"a positive current does not {step.process}", index)
    if step.process in {"strip", "charge"} and step.current < 0.0:
        yield error("wrong-sign", f"a negative current does not {step.process}", index)


def _metal(material: str) -> bool:
    return material.strip().lower() in _METALS


def _is_metal(cell: Cell) -> bool:
    return _metal(cell.working.material) or _metal(cell.counter.material)


__all__ = ["current_error", "describe_step", "never", "range_of", "read", "working_current", "written"]
