"""Impedance spectra at open circuit, once or in a series: fresh cells, storage, drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import (
    Count,
    CurrentAmplitude,
    Density,
    Duration,
    Frequency,
    SweepRate,
    Voltage,
    VoltageAmplitude,
)
from hilcycler_protocols.experiments.pieces import Entry, rest, settled


class Parameters(Strict):
    """Defaults: 1 MHz to 10 mHz with 10 mV as in limmt.

    bn-pp prints "100 kHz to 0.1 kHz", which sees neither arc of a lithium cell; surely 0.1 Hz.
    """

    amplitude: VoltageAmplitude = parameter("10 mV rms", "of the excitation, rms or peak")
    current_amplitude: CurrentAmplitude | None = parameter(None, "in its place, for GEIS: 100 uA rms")
    from_: Frequency = parameter("1 MHz", "the highest frequency")
    to: Frequency = parameter("10 mHz", "the lowest frequency")
    points_per_decade: Density = parameter(10, "how densely the frequencies lie")
    bias: Voltage | None = parameter(None, "a direct voltage; the open-circuit voltage if not given")
    settle: SweepRate = parameter("5 mV/h", "each spectrum waits until the voltage changes less than this")
    settle_at_most: Duration = parameter("30 min", "but no longer than this")
    spectra: Count = parameter(1, "how many")
    interval: Duration | None = parameter(None, "open circuit between two spectra")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """A settling rest and a spectrum, as often as asked for."""
    spectrum: Entry = {
        "from": chosen.from_,
        "to": chosen.to,
        "points per decade": chosen.points_per_decade,
        "name": "EIS",
    }
    if chosen.current_amplitude is not None:
        step = {"geis": {"amplitude": chosen.current_amplitude, **spectrum}}
    else:
        step = {"peis": {"amplitude": chosen.amplitude, **spectrum, "bias": chosen.bias}}
    one = [*settled(chosen.settle, chosen.settle_at_most), step]
    several = {"repeat": chosen.spectra, "name": "series", "steps": [*one, *rest(chosen.interval)]}
    return {
        "protocol": "impedance",
        "description": f"spectra from {chosen.from_} to {chosen.to}",
        "record": {"every": "10 s", "voltage change": "1 mV"},
        "steps": [several] if chosen.spectra > 1 else one,
    }


experiment = Experiment(
    name="impedance",
    summary="impedance spectra at open circuit or a bias, one or a series in time",
    parameters=Parameters,
    build=build,
    evaluations=("impedance",),
    seeds=("wng", "bn-pp", "wn-mo2n", "limmt", "pota"),
)
