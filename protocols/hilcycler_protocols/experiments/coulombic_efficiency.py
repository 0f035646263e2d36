"""Coulombic efficiency of lithium on copper, cycle by cycle: plate so much, strip to a voltage.

The stripping must be ended by its cut-off, never by charge or time, or the number is the ratio of
two set-points. More stripped than plated means a short (or lithium that was dead before): beyond 1.2
times the plated charge the test ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import ArealCapacity, ArealCurrent, Count, Duration, VoltageStep, Written
from hilcycler_protocols.experiments.pieces import (
    Entry,
    Formation,
    Spectrum,
    every,
    exit_of,
    framed,
    rest,
    spectrum,
)


class Parameters(Strict):
    """Defaults: 0.5 mA/cm2, 1 mAh/cm2, stripped to 0.5 V as in wng; 1 V is as common."""

    current: ArealCurrent = parameter("0.5 mA/cm2", "current of both half-cycles")
    capacity: ArealCapacity = parameter("1 mAh/cm2", "charge plated in each cycle")
    cut_off: VoltageStep = parameter("0.5 V", "the voltage that ends stripping")
    cycles: Count = parameter(100, "how many cycles")
    plating_limit: VoltageStep = parameter("0.5 V", "below minus this, plating ends the test")
    rest_before: Duration | None = parameter("6 h", "open circuit before the first cycle: wetting")
    rest: Duration | None = parameter("5 min", "open circuit after each half-cycle")
    formation: Formation | None = parameter(None, "cycles before the others")
    spectrum: Spectrum | None = parameter(None, "a spectrum before the cycles and after them")
    spectrum_every: Count | None = parameter(None, "and after every so many cycles, on stripped copper")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Wetting, formation, then the cycles."""
    test: list[Entry] = []
    if chosen.formation:
        body = _cycle(chosen, chosen.formation.current, chosen.formation.capacity)
        test.append({"repeat": chosen.formation.cycles, "name": "formation", "steps": body})
    between = every(chosen.spectrum_every, spectrum(chosen.spectrum))
    body = [*_cycle(chosen, chosen.current, chosen.capacity), *between]
    test.append({"repeat": chosen.cycles, "name": "cycling", "steps": body})
    return {
        "protocol": "Coulombic efficiency on copper",
        "description": f"plate {chosen.capacity} at {chosen.current}, strip to {chosen.cut_off}",
        "safety": {"voltage": f"-1 V to {max(4.0, 1.2 * chosen.cut_off.si):g} V"},
        "record": {"every": "10 s", "voltage change": "5 mV"},
        "steps": [*rest(chosen.rest_before), *framed(test, chosen.spectrum)],
    }


def _cycle(chosen: Parameters, current: Written, capacity: Written) -> list[Entry]:
    then = exit_of(chosen.spectrum)
    plate = {"charge": capacity, "voltage": f"below -{chosen.plating_limit} -> {then}"}
    strip = {"voltage": f"above {chosen.cut_off}", "charge": f"{capacity.times(1.2)} -> {then}"}
    return [
        {"plate": {"current": current, "until": plate}},
        *rest(chosen.rest),
        {"strip": {"current": current, "until": strip}},
        *rest(chosen.rest),
    ]


experiment = Experiment(
    name="coulombic-efficiency",
    summary="Li||Cu: plate a charge, strip to a voltage, cycle by cycle",
    parameters=Parameters,
    build=build,
    evaluations=("coulombic-efficiency", "nucleation", "overpotential"),
    cell="{working: Cu, counter: Li, area: 1.131 cm2}",
    seeds=("wng", "bn-pp", "limmt", "pota"),
)
