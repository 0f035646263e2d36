"""Nucleation on copper at constant current: the dip of the first plating, finely sampled.

What comes out are the lowest voltage, the plateau and the difference of the two; the deposit starts
where the voltage crosses 0 V, after the interphase has formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import ArealCapacity, ArealCurrent, Duration, VoltageStep
from hilcycler_protocols.experiments.pieces import rest


class Parameters(Strict):
    """Defaults: 0.5 mA/cm2 to 1 mAh/cm2; the papers do not say (limmt, pota)."""

    current: ArealCurrent = parameter("0.5 mA/cm2", "of the first plating")
    capacity: ArealCapacity = parameter("1 mAh/cm2", "plated in all")
    fine: ArealCapacity = parameter("0.1 mAh/cm2", "the beginning that is sampled finely")
    sampling: Duration = parameter("100 ms", "at least this often at the beginning")
    voltage_step: VoltageStep = parameter("0.5 mV", "and whenever the voltage has moved this far")
    plating_limit: VoltageStep = parameter("0.5 V", "below minus this, the run ends")
    rest_before: Duration | None = parameter("6 h", "open circuit before plating: wetting")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """One plating in two pieces, of which the first is sampled finely."""
    low = f"below -{chosen.plating_limit} -> stop"
    share = chosen.capacity.si - chosen.fine.si
    later = chosen.capacity.times(share / chosen.capacity.si)
    fine = {"every": chosen.sampling, "voltage change": chosen.voltage_step, "decide every": chosen.sampling}
    first = {"current": chosen.current, "until": {"charge": chosen.fine, "voltage": low}, "record": fine}
    then = {"current": chosen.current, "until": {"charge": later, "voltage": low}}
    return {
        "protocol": "galvanostatic nucleation",
        "description": f"first plating of {chosen.capacity} at {chosen.current}",
        "safety": {"voltage": "-1 V to 4 V"},
        "record": {"every": "10 s", "voltage change": "1 mV"},
        "steps": [
            *rest(chosen.rest_before),
            {"plate": {**first, "name": "nucleation"}},
            *([{"plate": {**then, "name": "plateau"}}] if share > 0.0 else []),
        ],
    }


experiment = Experiment(
    name="galvanostatic-nucleation",
    summary="Li||Cu: nucleation overpotential from the first plating",
    parameters=Parameters,
    build=build,
    evaluations=("nucleation",),
    cell="{working: Cu, counter: Li, area: 1.131 cm2}",
    seeds=("wn-mo2n", "limmt", "pota"),
)
