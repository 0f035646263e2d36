"""Transference number after Bruce, Vincent and Evans: spectrum, small polarisation, spectrum.

The bias must stay far below RT/F (25.7 mV at 25 degC): 10 mV is the custom. The current is taken as
steady by a criterion, not by the clock; a time limit stands behind it. In liquid electrolyte the
number is ill-conditioned: the resistances before and after must be good to a fraction of a per cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.errors import RequestError
from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Current, Duration, Frequency, Share, VoltageStep
from hilcycler_protocols.experiments.pieces import Formation, Spectrum, formed, peis, rest, spectrum

THERMAL = 0.0257
"""RT/F at 25 degC, in V."""


class BruceVincentSpectrum(Spectrum):
    """From 1 MHz, to see the bulk resistance, down to 0.1 Hz."""

    from_: Frequency = parameter("1 MHz", "the highest frequency")


class Parameters(Strict):
    """Defaults: 10 mV for at most 1500 s as in bn-pp, ended earlier by 1 % in 10 min."""

    bias: VoltageStep = parameter("10 mV", "the polarisation")
    steady: Share = parameter("1 %", "steady when the current changes by less than this in the window")
    window: Duration = parameter("10 min", "over which the change is taken")
    at_most: Duration = parameter("1500 s", "the polarisation ends after this time, steady or not")
    sampling: Duration = parameter("100 ms", "the instrument's own period, for the first moments")
    resolution: Current = parameter("1 uA", "recorded whenever the current has changed by this")
    formation: Formation | None = parameter(None, "cycles before: fresh interphases are not steady")
    spectrum: BruceVincentSpectrum = parameter({}, "the spectra before and after")
    rest_before: Duration | None = parameter("2 h", "open circuit before the first spectrum")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Formation if asked for, then EIS, polarisation, EIS."""
    if not chosen.bias.si < THERMAL:
        raise RequestError(
            f"bias: '{chosen.bias}' is not small against RT/F (25.7 mV); expected 10 mV or less"
        )
    polarisation = {
        "voltage": chosen.bias,
        "versus": "open circuit",
        "for": chosen.at_most,
        "until": {"current change": f"below {chosen.steady} over {chosen.window}"},
        "record": {"every": "1 s", "current change": chosen.resolution, "decide every": chosen.sampling},
        "name": "polarisation",
    }
    return {
        "protocol": "Bruce-Vincent",
        "description": f"transference number: EIS, {chosen.bias} until steady, EIS",
        "safety": {"voltage": "-1 V to 1 V"},
        "record": {"every": "10 s", "voltage change": "1 mV"},
        "steps": [
            *rest(chosen.rest_before),
            *formed(chosen.formation),
            *spectrum(chosen.spectrum, "EIS before"),
            {"constant voltage": polarisation},
            peis(chosen.spectrum, "EIS after"),
        ],
    }


experiment = Experiment(
    name="bruce-vincent",
    summary="Li||Li: transference number from EIS, a small polarisation, EIS",
    parameters=Parameters,
    build=build,
    evaluations=("transference", "impedance"),
    seeds=("wng", "bn-pp", "limmt", "pota"),
)
