"""Coulombic efficiency by the reservoir method (Aurbach; method 3 of Adams et al. 2018).

The copper is conditioned by one full cycle, a reservoir is plated, a part of it is stripped and
plated n times, and what is left is stripped to the cut-off. If the cut-off is met before the end,
the reservoir is exhausted and the run ends there: there is no number then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import ArealCapacity, ArealCurrent, Count, Duration, VoltageStep
from hilcycler_protocols.experiments.pieces import Entry, rest


class Parameters(Strict):
    """Defaults: the usual 5 and 1 mAh/cm2, ten cycles at 0.5 mA/cm2, cut-off 1 V."""

    current: ArealCurrent = parameter("0.5 mA/cm2", "of every half-cycle")
    conditioning: ArealCapacity = parameter("5 mAh/cm2", "plated on bare copper first, and stripped again")
    reservoir: ArealCapacity = parameter("5 mAh/cm2", "plated before the cycles")
    capacity: ArealCapacity = parameter("1 mAh/cm2", "stripped and plated in each cycle")
    cycles: Count = parameter(10, "how many")
    cut_off: VoltageStep = parameter("1 V", "the voltage that ends the first and the last stripping")
    plating_limit: VoltageStep = parameter("0.5 V", "below minus this, plating ends the run")
    rest_before: Duration | None = parameter("6 h", "open circuit before the first step: wetting")
    rest: Duration | None = parameter("5 min", "open circuit after the conditioning and the reservoir")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Condition, fill, cycle, empty."""
    low = f"below -{chosen.plating_limit} -> stop"

    def plate(charge: object, name: str) -> Entry:
        return {
            "plate": {"current": chosen.current, "until": {"charge": charge, "voltage": low}, "name": name}
        }

    def empty(most: str, name: str) -> Entry:
        until = {"voltage": f"above {chosen.cut_off}", "charge": f"{most} -> stop"}
        return {"strip": {"current": chosen.current, "until": until, "name": name}}

    partly = {"charge": chosen.capacity, "voltage": f"above {chosen.cut_off} -> stop"}
    cycle = [
        {"strip": {"current": chosen.current, "until": partly, "name": "partial stripping"}},
        plate(chosen.capacity, "replating"),
    ]
    return {
        "protocol": "Coulombic efficiency, reservoir method",
        "description": f"{chosen.cycles} cycles of {chosen.capacity} on a reservoir of {chosen.reservoir}",
        "safety": {"voltage": f"-1 V to {max(4.0, 1.2 * chosen.cut_off.si):g} V"},
        "record": {"every": "10 s", "voltage change": "5 mV"},
        "steps": [
            *rest(chosen.rest_before),
            plate(chosen.conditioning, "conditioning"),
            *rest(chosen.rest),
            empty(chosen.conditioning.times(1.2), "stripping the conditioning"),
            *rest(chosen.rest),
            plate(chosen.reservoir, "reservoir"),
            *rest(chosen.rest),
            {"repeat": chosen.cycles, "name": "cycling", "steps": cycle},
            empty(chosen.reservoir.times(1.2), "final stripping"),
        ],
    }


experiment = Experiment(
    name="aurbach-ce",
    summary="Li||Cu: average Coulombic efficiency with a reservoir, method 3",
    parameters=Parameters,
    build=build,
    evaluations=("reservoir-efficiency",),
    cell="{working: Cu, counter: Li, area: 1.131 cm2}",
    seeds=("pota",),
)
