"""Symmetric cells, plated and stripped galvanostatically: overpotential, lifetime, shorts.

What most papers show first for a lithium-metal electrode or separator: `1 mA/cm2, 1 mAh/cm2`, hour
after hour. Charge ends each half-cycle, not time. Beyond the voltage limit the test ends in good
order; the safety limits lie further out and switch the cell off.
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
    around_zero,
    every,
    exit_of,
    framed,
    half_cycle,
    rest,
    spectrum,
)


class Parameters(Strict):
    """Defaults: Li||Li at 1 mA/cm2 and 1 mAh/cm2, as in bn-pp (13 mV after 4000 h)."""

    current: ArealCurrent = parameter("1 mA/cm2", "current of both half-cycles")
    capacity: ArealCapacity = parameter("1 mAh/cm2", "charge of each half-cycle")
    cycles: Count = parameter(100, "how many cycles")
    voltage_limit: VoltageStep = parameter("0.5 V", "beyond this magnitude the test ends: polarised or dry")
    rest_before: Duration | None = parameter("10 min", "open circuit before the first cycle")
    rest: Duration | None = parameter(None, "open circuit after each half-cycle")
    formation: Formation | None = parameter(None, "cycles before the others")
    spectrum: Spectrum | None = parameter(None, "a spectrum before the cycles and after them")
    spectrum_every: Count | None = parameter(None, "and after every so many cycles")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Formation, then the cycles, with spectra where they are asked for."""
    test: list[Entry] = []
    if chosen.formation:
        body = _cycle(chosen, chosen.formation.current, chosen.formation.capacity)
        test.append({"repeat": chosen.formation.cycles, "name": "formation", "steps": body})
    between = every(chosen.spectrum_every, spectrum(chosen.spectrum))
    body = [*_cycle(chosen, chosen.current, chosen.capacity), *between]
    test.append({"repeat": chosen.cycles, "name": "cycling", "steps": body})
    return {
        "protocol": "symmetric cycling",
        "description": f"{chosen.cycles} cycles of {chosen.current} and {chosen.capacity} in a symmetric cell",
        "safety": {"voltage": around_zero(chosen.voltage_limit)},
        "record": {"every": "10 s", "voltage change": "5 mV"},
        "steps": [*rest(chosen.rest_before), *framed(test, chosen.spectrum)],
    }


def _cycle(chosen: Parameters, current: Written, capacity: Written) -> list[Entry]:
    """Plating first, as in the papers, each half-cycle with its rest."""
    limit, then = chosen.voltage_limit, exit_of(chosen.spectrum)
    return [
        half_cycle("plate", current, capacity, limit, then),
        *rest(chosen.rest),
        half_cycle("strip", current, capacity, limit, then),
        *rest(chosen.rest),
    ]


experiment = Experiment(
    name="symmetric-cycling",
    summary="symmetric cell: plate and strip; overpotential over time",
    parameters=Parameters,
    build=build,
    evaluations=("overpotential", "lifetime"),
    seeds=("wng", "bn-pp", "wn-mo2n", "limmt", "pota"),
)
