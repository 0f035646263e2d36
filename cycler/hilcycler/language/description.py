"""A protocol in plain words, line by line, with everything resolved: what a person checks before starting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import assert_never

from hilcycler.language.course import longest_of
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat, count_steps, ends_of
from hilcycler.quantities import (
    AMPERE_HOUR,
    ZERO_CELSIUS,
    Ampere,
    Coulomb,
    Kelvin,
    Volt,
    duration,
    engineering,
)
from hilcycler.steps import (
    NEXT,
    STOP,
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
    Process,
    Rest,
    Sampling,
    SetTemperature,
    Step,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)


def describe(protocol: Protocol) -> list[str]:
    """The safety limits, how it is recorded, the steps with their numbers, how many and how long at most."""
    limits = describe_envelope(protocol.safety) or "the bench's limits only"
    samplings = list(_samplings(protocol.body))
    usual = max(samplings, key=samplings.count, default=None)
    lines = [f"safety: {limits}"]
    if usual is not None:
        lines.append(f"{_sampling(usual)}{', unless said otherwise' if len(set(samplings)) > 1 else ''}")
    lines += _Numbered(usual).lines(protocol.body)
    lines.append(f"{count_steps(protocol.body)} steps, {duration(longest_of(protocol.body))} at most")
    return lines


def describe_step(step: Step, usual: Sampling | None = None) -> str:
    """One step in one line; how it is recorded only where that is not as `usual`."""
    words = [_what(step), *_ends(ends_of(step))]
    sampling = getattr(step, "sampling", usual)
    if sampling is not None and sampling != usual:
        words.append(_sampling(sampling))
    name = f" ({step.name})" if step.name else ""
    return "; ".join(words) + name


def _samplings(nodes: Sequence[Node]) -> Iterator[Sampling]:
    for node in nodes:
        match node:
            case Repeat() | Group() | Insert():
                yield from _samplings(node.body)
            case _:
                if (sampling := getattr(node, "sampling", None)) is not None:
                    yield sampling


class _Numbered:
    """Numbers steps as written, from 1, as `protocol.walk` does."""

    def __init__(self, usual: Sampling | None) -> None:
        self._usual = usual
        self._index = 0

    def lines(self, nodes: Sequence[Node], indent: str = "") -> Iterator[str]:
        for node in nodes:
            match node:
                case Repeat():
                    name = f" ({node.name})" if node.name else ""
                    yield f"{indent}repeat {node.times} times{name}:"
                    yield from self.lines(node.body, indent + "  ")
                case Group():
                    also = "; ".join(_ends(node.ends))
                    yield f"{indent}{node.name or 'together'}{f' (each step also {also})' if also else ''}:"
                    yield from self.lines(node.body, indent + "  ")
                case Insert():
                    yield f"{indent}{_passes(node)}:"
                    yield from self.lines(node.body, indent + "  ")
                case _:
                    self._index += 1
                    yield f"{indent}{self._index}. {describe_step(node, self._usual)}"


def _what(step: Step) -> str:
    match step:
        case Rest():
            return "rest at open circuit"
        case ConstantCurrent():
            return _driven(step.process, step.current)
        case ConstantCurrentConstantVoltage():
            return f"{_driven(step.process, step.current)} up to {_volt(step.voltage)}, then hold it"
        case ConstantVoltage():
            versus = " versus open circuit" if step.versus_open_circuit else ""
            process = f" ({step.process})" if step.process else ""
            return f"hold {_volt(step.voltage)}{versus}{process}"
        case PotentiostaticImpedance():
            bias = "open circuit" if step.bias is None else _volt(step.bias)
            return f"impedance, {_band(step)}, {engineering(step.amplitude, 'V')} rms about {bias}"
        case GalvanostaticImpedance():
            return f"impedance, {_band(step)}, {engineering(step.amplitude, 'A')} rms about {engineering(step.bias, 'A')}"
        case LinearSweep():
            versus = " versus open circuit" if step.versus_open_circuit else ""
            return f"sweep from {_volt(step.start)} to {_volt(step.stop)}{versus} at {engineering(step.rate, 'V/s')}"
        case CyclicVoltammetry():
            vertices = (
                f"{_volt(step.start)} to {_volt(step.first_vertex)} to {_volt(step.second_vertex)} and back"
            )
            versus = " versus open circuit" if step.versus_open_circuit else ""
            return f"{step.scans} scans from {vertices}{versus} at {engineering(step.rate, 'V/s')}"
        case SetTemperature():
            return f"bring the chamber to {_celsius(step.temperature)}"
        case OperatorPause():
            return f"wait for the operator: {step.message}"
        case _:
            assert_never(step)


def _driven(process: Process | None, current: Ampere) -> str:
    if process is None:
        return f"constant current of {engineering(current, 'A')}"
    return f"{process} at {engineering(abs(current), 'A')}"


def _band(step: PotentiostaticImpedance | GalvanostaticImpedance) -> str:
    return (
        f"{engineering(step.highest, 'Hz')} to {engineering(step.lowest, 'Hz')}"
        f" with {step.points_per_decade} points a decade"
    )


def _ends(ends: tuple[End, ...]) -> Iterator[str]:
    """`until ... or ...` for the usual course, then each way out."""
    usual = [describe_condition(end.condition) for end in ends if end.then == NEXT]
    if usual:
        yield f"until {' or '.join(usual)}"
    for end in ends:
        if end.then == STOP:
            yield f"stop the run if {describe_condition(end.condition)}"
        elif end.then != NEXT:
            yield f"leave {end.then} if {describe_condition(end.condition)}"


def describe_condition(condition: Condition) -> str:
    """When an end is met, in a few words."""
    match condition:
        case TimeReached():
            return f"{duration(condition.after)} have passed"
        case VoltageAbove():
            return f"the voltage is at or above {_volt(condition.limit)}"
        case VoltageBelow():
            return f"the voltage is at or below {_volt(condition.limit)}"
        case CurrentBelow():
            return f"the current is at or below {engineering(condition.limit, 'A')}"
        case CurrentAbove():
            return f"the current is at or above {engineering(condition.limit, 'A')}"
        case ChargeReached():
            return f"{_charge(condition.charge)} have passed"
        case VoltageSettled():
            rate = engineering(condition.rate * 3600.0, "V/h")
            return f"the voltage changes by less than {rate} over {duration(condition.window)}"
        case CurrentSettled():
            share = condition.relative_rate * condition.window * 100.0
            return f"the current changes by less than {share:.3g} % over {duration(condition.window)}"
        case TemperatureSettled():
            return f"the temperature is within {condition.tolerance:.3g} K for {duration(condition.window)}"
        case AllOf():
            return " and ".join(describe_condition(inner) for inner in condition.conditions)
        case _:
            assert_never(condition)


def _passes(insert: Insert) -> str:
    periodic = [f"every {insert.every} cycles"] if insert.every else []
    listed = (
        [f"in {'cycle' if len(insert.at) == 1 else 'cycles'} {', '.join(map(str, insert.at))}"]
        if insert.at
        else []
    )
    return " and ".join([*periodic, *listed])


def _sampling(sampling: Sampling) -> str:
    density = sampling.points_per_decade
    parts = [f"1/{density} decade of time"] if density is not None else []
    parts += [duration(sampling.every)] if sampling.every is not None else []
    if sampling.voltage_change is not None:
        parts.append(engineering(sampling.voltage_change, "V"))
    if sampling.current_change is not None:
        parts.append(engineering(sampling.current_change, "A"))
    return f"record every {' or '.join(parts)}, decide every {duration(sampling.decide)}"


def describe_envelope(envelope: Envelope) -> str:
    """The limits of an envelope; empty if it has none."""
    open_ended = Envelope()
    parts = []
    for unit, span, widest in (
        ("V", envelope.voltage, open_ended.voltage),
        ("A", envelope.current, open_ended.current),
    ):
        if span != widest:
            parts.append(_span(*(engineering(value, unit) if isfinite(value) else "" for value in span)))
    if envelope.charge != open_ended.charge:
        parts.append(f"at most {_charge(envelope.charge)} a step")
    if envelope.temperature != open_ended.temperature:
        low, high = envelope.temperature
        parts.append(_span(_celsius(low) if low > 0.0 else "", _celsius(high) if isfinite(high) else ""))
    return ", ".join(parts)


def _span(low: str, high: str) -> str:
    return f"{low} to {high}" if low and high else f"above {low}" if low else f"below {high}"


def _volt(value: Volt) -> str:
    return engineering(value, "V")


def _charge(value: Coulomb) -> str:
    return engineering(value / AMPERE_HOUR, "Ah")


def _celsius(value: Kelvin) -> str:
    return f"{value - ZERO_CELSIUS:.4g} degC"
