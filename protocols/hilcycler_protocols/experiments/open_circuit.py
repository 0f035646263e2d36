"""Open-circuit voltage over time with spectra between: storage, self-discharge, wetting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Count, Duration, VoltageStep
from hilcycler_protocols.experiments.pieces import Spectrum, peis


class Parameters(Strict):
    """Defaults are ours: pota shows spectra "over storage time" without naming it."""

    interval: Duration = parameter("6 h", "open circuit before each spectrum")
    spectra: Count = parameter(28, "how many")
    every: Duration = parameter("1 min", "how often the voltage is recorded")
    voltage_step: VoltageStep = parameter("1 mV", "and whenever it has moved this far")
    spectrum: Spectrum = parameter({}, "what is measured")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """A spectrum of the fresh cell, then waiting and spectra."""
    eis = peis(chosen.spectrum)
    return {
        "protocol": "open circuit",
        "description": f"{chosen.spectra} spectra, one every {chosen.interval}",
        "record": {"every": chosen.every, "voltage change": chosen.voltage_step},
        "steps": [
            {"rest": chosen.every},  # a spectrum is taken about the voltage that was last seen at rest
            eis,
            {"repeat": chosen.spectra, "name": "storage", "steps": [{"rest": chosen.interval}, eis]},
        ],
    }


experiment = Experiment(
    name="open-circuit",
    summary="open-circuit voltage over time, with spectra",
    parameters=Parameters,
    build=build,
    evaluations=("impedance",),
    seeds=("pota",),
)
