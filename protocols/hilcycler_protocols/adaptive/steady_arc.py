"""Spectra at open circuit until the arc no longer changes: fresh cells whose interphase still grows.

Two spectra are compared point by point, with no model of the cell: they are the same if they lie
nowhere further apart than a share of the width of the arc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import (
    Count,
    Density,
    Duration,
    Frequency,
    Share,
    SweepRate,
    VoltageAmplitude,
)
from hilcycler.protocol import Plan, Planned
from hilcycler.steps import SpectrumPoint, Step
from hilcycler_protocols.experiments.pieces import rest, settled


class Parameters(Strict):
    """Defaults: a spectrum every hour for two days at most, 10 mV as in limmt; 2 % of the arc is steady."""

    amplitude: VoltageAmplitude = parameter("10 mV rms", "of the excitation, rms or peak")
    from_: Frequency = parameter("100 kHz", "the highest frequency")
    to: Frequency = parameter("100 mHz", "the lowest frequency")
    points_per_decade: Density = parameter(10, "how densely the frequencies lie")
    interval: Duration = parameter("1 h", "open circuit between two spectra")
    settle: SweepRate = parameter("5 mV/h", "each spectrum waits until the voltage changes less than this")
    settle_at_most: Duration = parameter("30 min", "but no longer than this")
    tolerance: Share = parameter("2 %", "of the arc's width: closer, two spectra are the same")
    in_a_row: Count = parameter(2, "how many times one after another the spectrum must be that of before")
    at_most: Count = parameter(48, "spectra, whatever they show")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """All the spectra that there may be."""
    spectrum = {
        "amplitude": chosen.amplitude,
        "from": chosen.from_,
        "to": chosen.to,
        "points per decade": chosen.points_per_decade,
        "name": "EIS",
    }
    one = [*settled(chosen.settle, chosen.settle_at_most), {"peis": spectrum}, *rest(chosen.interval)]
    return {
        "protocol": "impedance until it is steady",
        "description": f"spectra every {chosen.interval} until {chosen.in_a_row} in a row lie within "
        f"{chosen.tolerance} of the arc",
        "record": {"every": "10 s", "voltage change": "1 mV"},
        "steps": [{"repeat": chosen.at_most, "name": "series", "steps": one}],
    }


def decide(steps: Sequence[Step], chosen: Parameters) -> Plan:
    """A settling rest, a spectrum, and a longer rest if another is needed."""
    settling, spectrum, waiting = steps
    before: tuple[SpectrumPoint, ...] = ()
    same = 0
    for number in range(1, chosen.at_most + 1):
        yield Planned(settling, 1, number)
        now = (yield Planned(spectrum, 2, number)).spectrum
        same = same + 1 if distance(before, now) <= chosen.tolerance.si else 0
        if same >= chosen.in_a_row or number == chosen.at_most:
            return
        before = now
        yield Planned(waiting, 3, number)


def distance(before: Sequence[SpectrumPoint], now: Sequence[SpectrumPoint]) -> float:
    """The furthest that two spectra lie apart, as a share of the width of the second.

    Infinite where they cannot be compared: none before, other frequencies, a point that is no number.
    """
    if not now or [each.frequency for each in before] != [each.frequency for each in now]:
        return math.inf
    reals = [each.real for each in now]
    width = max(reals) - min(reals)
    apart = [math.hypot(a.real - b.real, a.imaginary - b.imaginary) for a, b in zip(before, now, strict=True)]
    found = max(apart) / width if width > 0.0 else math.inf
    return found if math.isfinite(sum(apart)) else math.inf


experiment = Experiment(
    name="impedance-until-steady",
    summary="impedance spectra at open circuit until the arc no longer changes",
    parameters=Parameters,
    build=build,
    decide=decide,
    version="1",
    evaluations=("impedance",),
    seeds=("wng", "pota"),
)
