"""Galvanostatic intermittent titration (Weppner and Huggins): pulses and relaxations.

A relaxation ends when the voltage has settled. The pulse must stay short against the time of
diffusion, and the beginning of each is sampled finely, to tell the ohmic step from the transient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Count, Current, Duration, SweepRate, Voltage, VoltageStep
from hilcycler_protocols.experiments.pieces import Entry


class Parameters(Strict):
    """Defaults are ours, for Li||LCO as in pota, which gives no pulse: C/10 for 10 min, 3.0 to 4.4 V."""

    current: Current = parameter("C/10", "of the pulses")
    pulse: Duration = parameter("10 min", "how long each lasts")
    upper: Voltage = parameter("4.4 V", "ends the titration upwards")
    lower: Voltage = parameter("3.0 V", "ends the titration downwards")
    settle: SweepRate = parameter("1 mV/h", "a relaxation ends when the voltage changes less than this")
    relax_at_least: Duration = parameter("30 min", "but no earlier than this")
    relax_at_most: Duration = parameter("4 h", "and no later")
    pulses: Count = parameter(200, "at most, in each direction")
    voltage_step: VoltageStep = parameter("1 mV", "recorded whenever the voltage has moved this far")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Up by pulses, down by pulses."""
    return {
        "protocol": "GITT",
        "description": f"pulses of {chosen.current} for {chosen.pulse}, each relaxed to {chosen.settle}",
        "safety": {"voltage": f"{chosen.lower.si - 0.3:g} V to {chosen.upper.si + 0.2:g} V"},
        "record": {"every": "30 s", "voltage change": chosen.voltage_step, "decide every": "100 ms"},
        "steps": [
            {"rest": "1 h"},
            _titration(chosen, "charge", f"above {chosen.upper}"),
            _titration(chosen, "discharge", f"below {chosen.lower}"),
        ],
    }


def _titration(chosen: Parameters, process: str, limit: str) -> Entry:
    name = f"{process} titration"
    calm = {"voltage change": f"below {chosen.settle} over 10 min", "time": chosen.relax_at_least}
    pulse = {
        "current": chosen.current,
        "for": chosen.pulse,
        "until": {"voltage": f"{limit} -> {name}"},
        "name": "pulse",
    }
    relaxation = {"for": chosen.relax_at_most, "until": {"all of": calm}, "name": "relaxation"}
    return {"repeat": chosen.pulses, "name": name, "steps": [{process: pulse}, {"rest": relaxation}]}


experiment = Experiment(
    name="gitt",
    summary="pulses and relaxations: diffusivity over voltage",
    parameters=Parameters,
    build=build,
    cell="{working: {material: LFP, active mass: 13.6 mg}, counter: Li, area: 1.131 cm2, nominal capacity: 170 mAh/g}",
    seeds=("pota",),
)
