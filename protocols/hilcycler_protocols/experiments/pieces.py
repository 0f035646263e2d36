"""Pieces that several experiments share: entries of `steps`, as a file would hold them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from hilcycler.language.experiment import parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import (
    ArealCapacity,
    ArealCurrent,
    Count,
    Density,
    Duration,
    Frequency,
    SweepRate,
    VoltageAmplitude,
    Written,
)

Entry: TypeAlias = dict[str, Any]


class Spectrum(Strict):
    """An impedance spectrum at open circuit, after a rest that ends when the voltage has settled."""

    amplitude: VoltageAmplitude = parameter("10 mV rms", "of the excitation, rms or peak")
    from_: Frequency = parameter("100 kHz", "the highest frequency")
    to: Frequency = parameter("100 mHz", "the lowest frequency")
    points_per_decade: Density = parameter(10, "how densely the frequencies lie")
    settle: SweepRate = parameter("5 mV/h", "the rest ends when the voltage changes less than this")
    settle_at_most: Duration = parameter("30 min", "the rest ends after this time at the latest")


class Formation(Strict):
    """Cycles that form the interphase before the test begins."""

    cycles: Count = parameter(3, "how many")
    current: ArealCurrent = parameter("0.1 mA/cm2", "of both half-cycles")
    capacity: ArealCapacity = parameter("0.1 mAh/cm2", "of each half-cycle")


def spectrum(chosen: Spectrum | None, name: str = "EIS") -> list[Entry]:
    """The rest and the spectrum; nothing if none is wanted."""
    return [*settled(chosen.settle, chosen.settle_at_most), peis(chosen, name)] if chosen else []


def peis(chosen: Spectrum, name: str = "EIS") -> Entry:
    """The spectrum alone."""
    return {
        "peis": {
            "amplitude": chosen.amplitude,
            "from": chosen.from_,
            "to": chosen.to,
            "points per decade": None if chosen.points_per_decade == 10 else chosen.points_per_decade,
            "name": name,
        }
    }


def settled(rate: Written, at_most: Written) -> list[Entry]:
    """A rest until the voltage changes by less than `rate`."""
    return [{"rest": {"for": at_most, "until": {"voltage change": f"below {rate} over 5 min"}}}]


def rest(time: Written | None) -> list[Entry]:
    """A rest, or nothing."""
    return [{"rest": time}] if time is not None else []


def half_cycle(
    process: Literal["plate", "strip"],
    current: Written,
    capacity: Written,
    limit: Written,
    then: str = "stop",
) -> Entry:
    """A galvanostatic half-cycle that its charge ends; a voltage beyond `limit` ends the test."""
    bound = f"below -{limit}" if process == "plate" else f"above {limit}"
    return {process: {"current": current, "until": {"charge": capacity, "voltage": f"{bound} -> {then}"}}}


def formed(chosen: Formation | None) -> list[Entry]:
    """Formation cycles of a symmetric cell, before something else; nothing if none are wanted."""
    if chosen is None:
        return []
    current, capacity = chosen.current, chosen.capacity
    body = [{process: {"current": current, "until": {"charge": capacity}}} for process in ("plate", "strip")]
    return [{"repeat": chosen.cycles, "name": "formation", "steps": body}]


def every(cycles: int | None, steps: list[Entry]) -> list[Entry]:
    """`steps` after every so many cycles; nothing if there is nothing to do."""
    return [{"every": f"{cycles} cycles", "steps": steps}] if cycles and steps else []


def framed(test: list[Entry], eis: Spectrum | None) -> list[Entry]:
    """`test` between a spectrum before and one after, which is also taken when a voltage limit ended it.

    The ends of `test` leave it by the target `exit_of(eis)`. A safety trip is no such end: after
    one the cell stays off.
    """
    if eis is None:
        return test
    return [*spectrum(eis, "EIS before"), {"group": "test", "steps": test}, *spectrum(eis, "EIS after")]


def exit_of(eis: Spectrum | None) -> str:
    """Where a limit that ends the test leads: out of it, to the spectrum after it, or to the end."""
    return "stop" if eis is None else "test"


def around_zero(*voltages: Written, margin: float = 2.0) -> str:
    """A safety range for a cell without an open-circuit voltage: `margin` times the largest of `voltages`."""
    largest = max(abs(voltage.si) for voltage in voltages) * margin
    return f"-{largest:g} V to {largest:g} V"
