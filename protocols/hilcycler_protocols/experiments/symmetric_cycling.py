"""Symmetric cells, plated and stripped galvanostatically: overpotential, lifetime, shorts.

What most papers show first for a lithium-metal electrode or separator: `1 mA/cm2, 1 mAh/cm2`, hour
after hour. Charge ends each half-cycle, not time. Beyond the voltage limit the run stops in good
order; the safety limits lie further out and switch the cell off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import ArealCapacity, ArealCurrent, Count, Duration, VoltageStep, Written
from hilcycler_protocols.experiments.pieces import Entry, Spectrum, half_cycle, rest, spectrum


class Parameters(Strict):
    """Defaults: Li||Li at 1 mA/cm2 and 1 mAh/cm2, as in bn-pp (13 mV after 4000 h)."""

    current: ArealCurrent = parameter("1 mA/cm2", "current of both half-cycles")
    capacity: ArealCapacity = parameter("1 mAh/cm2", "charge of each half-cycle")
    cycles: Count = parameter(100, "how many cycles")
    voltage_limit: VoltageStep = parameter("0.5 V", "beyond this magnitude the run stops: polarised or dry")
    rest_before: Duration | None = parameter("10 min", "open circuit before the first cycle")
    rest: Duration | None = parameter(None, "open circuit after each half-cycle")
    formation_cycles: Count | None = parameter(None, "cycles at the formation current, before the others")
    formation_current: ArealCurrent = parameter("0.1 mA/cm2", "current of the formation cycles")
    formation_capacity: ArealCapacity = parameter("0.1 mAh/cm2", "charge of each formation half-cycle")
    spectrum: Spectrum | None = parameter(None, "spectra before the cycles, between them and after")
    spectrum_every: Count | None = parameter(None, "a spectrum also after every so many cycles")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Formation, then the cycles, with spectra where they are asked for."""
    eis = spectrum(chosen.spectrum) if chosen.spectrum else []
    between = (
        [{"every": f"{chosen.spectrum_every} cycles", "steps": eis}] if eis and chosen.spectrum_every else []
    )
    formation: list[Entry] = []
    if chosen.formation_cycles:
        body = _cycle(chosen, chosen.formation_current, chosen.formation_capacity)
        formation = [{"repeat": chosen.formation_cycles, "name": "formation", "steps": body}]
    cycling = {
        "repeat": chosen.cycles,
        "name": "cycling",
        "steps": [*_cycle(chosen, chosen.current, chosen.capacity), *between],
    }
    margin = 2.0 * chosen.voltage_limit.si
    return {
        "protocol": "symmetric cycling",
        "description": f"{chosen.cycles} cycles of {chosen.current}, {chosen.capacity} in a symmetric cell",
        "safety": {"voltage": f"-{margin:g} V to {margin:g} V"},
        "record": {"every": "10 s", "voltage change": "5 mV"},
        "steps": [*rest(chosen.rest_before), *eis, *formation, cycling, *eis],
    }


def _cycle(chosen: Parameters, current: Written, capacity: Written) -> list[Entry]:
    """Plating first, as in the papers, each half-cycle with its rest."""
    limit = chosen.voltage_limit
    return [
        half_cycle("plate", current, capacity, limit),
        *rest(chosen.rest),
        half_cycle("strip", current, capacity, limit),
        *rest(chosen.rest),
    ]


experiment = Experiment(
    name="symmetric-cycling",
    summary="Li||Li (or any symmetric cell): plate and strip, overpotential over time",
    parameters=Parameters,
    build=build,
    evaluations=("overpotential",),
    seeds=("wng", "bn-pp", "wn-mo2n", "limmt", "pota"),
)
