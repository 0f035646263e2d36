"""Pieces that several experiments share: entries of `steps`, as a file would hold them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from hilcycler.language.experiment import parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Count, Duration, Frequency, SweepRate, VoltageAmplitude, Written

Entry: TypeAlias = dict[str, Any]


class Spectrum(Strict):
    """An impedance spectrum at open circuit, after a rest that lasts until the voltage has settled."""

    amplitude: VoltageAmplitude = parameter("10 mV rms", "of the excitation, rms or peak")
    from_: Frequency = parameter("100 kHz", "the highest frequency")
    to: Frequency = parameter("100 mHz", "the lowest frequency")
    points_per_decade: Count = parameter(10, "how densely the frequencies lie")
    settle: SweepRate = parameter("5 mV/h", "the rest ends when the voltage changes less than this")
    settle_at_most: Duration = parameter("30 min", "the rest ends after this time at the latest")


def spectrum(chosen: Spectrum, name: str = "EIS") -> list[Entry]:
    """The rest and the spectrum."""
    return [
        {
            "rest": {
                "for": chosen.settle_at_most,
                "until": {"voltage change": f"below {chosen.settle} over 2 min"},
            }
        },
        {
            "peis": {
                "amplitude": chosen.amplitude,
                "from": chosen.from_,
                "to": chosen.to,
                "points per decade": chosen.points_per_decade,
                "name": name,
            }
        },
    ]


def rest(time: Written | None) -> list[Entry]:
    """A rest, or nothing."""
    return [{"rest": time}] if time is not None else []


def half_cycle(
    process: Literal["plate", "strip"], current: Written, capacity: Written, limit: Written
) -> Entry:
    """A galvanostatic half-cycle that its charge ends; a voltage beyond `limit` ends the run."""
    bound = f"below -{limit}" if process == "plate" else f"above {limit}"
    return {process: {"current": current, "until": {"charge": capacity, "voltage": f"{bound} -> stop"}}}
