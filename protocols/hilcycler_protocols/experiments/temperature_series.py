"""Impedance at several temperatures: activation energies.

Each temperature is held until chamber and cell have settled; going up and down again shows ageing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Duration, Flag, Temperature, TemperatureStep, listed
from hilcycler_protocols.experiments.pieces import Entry, Spectrum, spectrum


class Parameters(Strict):
    """Defaults are ours: the papers name neither temperatures nor dwell (wn-mo2n, limmt, pota)."""

    temperatures: Annotated[tuple[Temperature, ...], BeforeValidator(listed)] = parameter(
        ("25 degC", "35 degC", "45 degC", "55 degC"), "one after another; at least four make a line"
    )
    and_back: Flag = parameter(True, "the same again in reverse order")
    tolerance: TemperatureStep = parameter("0.5 K", "settled when this near to the set-point")
    dwell: Duration = parameter("1 h", "for this long")
    at_most: Duration = parameter("4 h", "not settled after this time: the run stops")
    spectrum: Spectrum = parameter({}, "what is measured at each")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Up, and down again."""
    order = [*chosen.temperatures, *(reversed(chosen.temperatures[:-1]) if chosen.and_back else ())]
    settle = {
        "temperature": f"within {chosen.tolerance} for {chosen.dwell}",
        "time": f"{chosen.at_most} -> stop",
    }
    steps: list[Entry] = []
    for temperature in order:
        steps.append({"temperature": {"to": temperature, "until": settle, "name": str(temperature)}})
        steps += spectrum(chosen.spectrum, f"EIS {temperature}")
    return {
        "protocol": "temperature series",
        "description": f"spectra at {', '.join(map(str, chosen.temperatures))}",
        "record": {"every": "1 min"},
        "steps": steps,
    }


experiment = Experiment(
    name="temperature-series",
    summary="spectra over temperature: activation energies",
    parameters=Parameters,
    build=build,
    evaluations=("arrhenius", "impedance"),
    seeds=("wn-mo2n", "limmt", "pota"),
)
