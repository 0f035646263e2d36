"""Nucleation on copper at constant potential: the current transient that Scharifker and Hills describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Duration, Voltage, VoltageStep
from hilcycler_protocols.experiments.pieces import rest


class Parameters(Strict):
    """Defaults are ours: limmt names the analysis, not the potential."""

    potential: Voltage = parameter("-150 mV", "the step, against the counter or reference electrode")
    duration: Duration = parameter("120 s", "how long it is held")
    sampling: Duration = parameter("10 ms", "the instrument's own period")
    before: Voltage = parameter("50 mV", "held first, so that the interphase forms before the deposit")
    before_for: Duration = parameter("10 min", "how long")
    cut_off: VoltageStep = parameter("1 V", "how far the deposit is stripped afterwards")
    rest_before: Duration | None = parameter("6 h", "open circuit before the first step: wetting")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Hold above 0 V, step below, then clean the copper."""
    fine = {"every": chosen.sampling, "decide every": chosen.sampling}
    transient = {"voltage": chosen.potential, "for": chosen.duration, "process": "plate", "record": fine}
    return {
        "protocol": "potentiostatic nucleation",
        "description": f"current transient at {chosen.potential} for {chosen.duration}",
        "safety": {"voltage": "-1 V to 4 V"},
        "steps": [
            *rest(chosen.rest_before),
            {"constant voltage": {"voltage": chosen.before, "for": chosen.before_for, "name": "interphase"}},
            {"constant voltage": {**transient, "name": "transient"}},
            {
                "constant voltage": {
                    "voltage": chosen.cut_off,
                    "for": "30 min",
                    "process": "strip",
                    "name": "cleaning",
                }
            },
        ],
    }


experiment = Experiment(
    name="potentiostatic-nucleation",
    summary="Li||Cu: current transient after a potential step",
    parameters=Parameters,
    build=build,
    cell="{working: Cu, counter: Li, area: 1.131 cm2}",
    seeds=("limmt",),
)
