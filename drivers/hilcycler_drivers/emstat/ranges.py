"""Which ranges a step is measured in.

Constant current: one range, chosen by the magnitude alone, so that both half-cycles of a cycle are
measured in the same one and its gain error cancels from their ratio. Constant voltage and sweeps:
ranging automatically, from the smallest useful range to the largest that may be needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from hilcycler.errors import StepRefused
from hilcycler.protocol import Envelope
from hilcycler.quantities import Ampere, Hertz, Volt, engineering
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.wire.devices import Device, Range
from hilcycler_drivers.emstat.wire.script import Literal, Statement, VarType, number

SMALLEST_USEFUL: Ampere = 1e-6
"""Automatic ranging goes no lower: smaller ranges are slow, and no cell is cycled there."""


def for_current(magnitude: Ampere, device: Device) -> Range:
    """The smallest galvanostat range that holds `magnitude`; StepRefused beyond the model's maximum."""
    if not magnitude <= device.max_current:
        most = engineering(device.max_current, "A")
        raise StepRefused(f"{engineering(magnitude, 'A')} is beyond the {most} of the {device.name}")
    fitting = [r for r in device.set_current_ranges if r.nominal >= magnitude * (1.0 - 1e-9)]
    return fitting[0] if fitting else device.set_current_ranges[-1]


def galvanostat(magnitude: Ampere, device: Device) -> list[Statement]:
    nominal = number(for_current(abs(magnitude), device).nominal)
    return _set("db", nominal, nominal)


def voltage(envelope: Envelope, device: Device) -> list[Statement]:
    """Ranges of the voltage reading, up to what the envelope lets happen."""
    if not device.potential_ranges:
        return []
    allowed = max(map(abs, envelope.voltage))
    most = min(allowed, max(map(abs, device.voltage)))
    return _set("ab", number(device.potential_ranges[0].nominal), number(float(f"{most:.3g}")))


def current(envelope: Envelope, device: Device) -> list[Statement]:
    """Automatic ranging up to what the envelope lets flow."""
    allowed = max(map(abs, envelope.current))
    most = allowed if math.isfinite(allowed) else device.max_current
    return _automatic(device, min(most, device.max_current))


def impedance_at_voltage(bias: Volt, amplitude: Volt, highest: Hertz, device: Device) -> list[Statement]:
    """`amplitude` as root mean square."""
    peak = amplitude * math.sqrt(2.0)
    return [
        *_fast(3, highest),
        write.call("set_range_minmax", VarType("da"), number(bias - peak), number(bias + peak)),
        *_automatic(device, device.max_current),
        write.call("set_e", number(bias)),
    ]


def impedance_at_current(bias: Ampere, amplitude: Ampere, highest: Hertz, device: Device) -> list[Statement]:
    """`amplitude` as root mean square."""
    peak = abs(bias) + amplitude * math.sqrt(2.0)
    return [
        *_fast(6, highest),
        *voltage(Envelope(), device),
        *galvanostat(peak, device),
        write.call("set_i", number(bias)),
    ]


def _fast(mode: int, highest: Hertz) -> list[Statement]:
    return [
        write.call("set_pgstat_chan", Literal(0)),
        write.call("set_pgstat_mode", Literal(mode)),
        write.call("set_max_bandwidth", number(highest)),
    ]


def _automatic(device: Device, most: Ampere) -> list[Statement]:
    ranges = [r.nominal for r in device.current_ranges]
    low = min((n for n in ranges if n >= SMALLEST_USEFUL * (1 - 1e-9)), default=ranges[-1])
    high = min((n for n in ranges if n >= most * (1 - 1e-9)), default=ranges[-1])
    return _set("ba", number(min(low, high)), number(high))


def _set(vartype: str, lowest: Literal, highest: Literal) -> list[Statement]:
    """Start in the highest range and range down from there."""
    commands: Iterable[Statement] = (
        write.call("set_range", VarType(vartype), highest),
        write.call("set_autoranging", VarType(vartype), lowest, highest),
    )
    return list(commands)
