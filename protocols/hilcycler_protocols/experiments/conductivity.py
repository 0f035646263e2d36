"""Conductivity of a wetted separator between blocking electrodes (SS||SS).

The high-frequency intercept is a few ohm, of the size of cables and contacts: the same spectrum of
the shorted leads belongs to it and is taken first if asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Count, Density, Duration, Flag, Frequency, VoltageAmplitude
from hilcycler_protocols.experiments.pieces import Entry, rest


class Parameters(Strict):
    """Defaults: 1 MHz to 100 Hz; a blocking cell has nothing to show below."""

    amplitude: VoltageAmplitude = parameter("10 mV rms", "of the excitation, rms or peak")
    from_: Frequency = parameter("1 MHz", "the highest frequency")
    to: Frequency = parameter("100 Hz", "the lowest frequency")
    points_per_decade: Density = parameter(10, "how densely the frequencies lie")
    repeats: Count = parameter(3, "how many spectra, for the scatter")
    leads: Flag = parameter(True, "ask the operator to short the leads first, and measure them")
    rest_before: Duration | None = parameter("1 h", "open circuit before the spectra: wetting")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """The leads, the cell, the same spectrum for both."""

    def spectrum(name: str) -> Entry:
        return {
            "peis": {
                "amplitude": chosen.amplitude,
                "from": chosen.from_,
                "to": chosen.to,
                "points per decade": chosen.points_per_decade,
                "bias": "0 V",
                "drift check": "no",
                "name": name,
            }
        }

    leads: list[Entry] = [
        {"pause": "Short the leads where the cell will sit."},
        spectrum("leads"),
        {"pause": "Connect the cell."},
    ]
    return {
        "protocol": "conductivity",
        "description": "bulk resistance between blocking electrodes",
        "safety": {"voltage": "-1 V to 1 V"},
        "steps": [
            *(leads if chosen.leads else []),
            *rest(chosen.rest_before),
            {"repeat": chosen.repeats, "name": "spectra", "steps": [spectrum("cell")]},
        ],
    }


experiment = Experiment(
    name="conductivity",
    summary="SS||SS: bulk resistance of a wetted separator, with the leads",
    parameters=Parameters,
    build=build,
    evaluations=("conductivity",),
    cell="{working: SS, counter: SS, area: 1.131 cm2, separator thickness: 25 um}",
    seeds=("wng", "bn-pp"),
)
