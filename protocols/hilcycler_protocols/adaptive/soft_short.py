"""Symmetric cycling that stops by itself once the cell is softly shorted.

A short carries a part of the current, so the voltage at the end of a half-cycle falls. Half-cycles in a
row below a share of the best one before are taken as a short; a single one may be noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import ArealCapacity, ArealCurrent, Count, Duration, Share, VoltageStep
from hilcycler.protocol import Plan, Planned, ends_of
from hilcycler.steps import NEXT, ConstantCurrent, Step
from hilcycler_protocols.experiments.pieces import (
    Entry,
    Spectrum,
    around_zero,
    exit_of,
    framed,
    half_cycle,
    rest,
)


class Parameters(Strict):
    """Defaults: 1 mA/cm2 and 1 mAh/cm2 as in bn-pp; a fall by 40 % is far beyond what ageing does."""

    current: ArealCurrent = parameter("1 mA/cm2", "current of both half-cycles")
    capacity: ArealCapacity = parameter("1 mAh/cm2", "charge of each half-cycle")
    cycles: Count = parameter(1000, "how many cycles at most")
    share: Share = parameter("60 %", "of the greatest end voltage so far: below it a half-cycle is suspect")
    in_a_row: Count = parameter(2, "how many suspect half-cycles one after another are a short")
    voltage_limit: VoltageStep = parameter("0.5 V", "beyond this magnitude the test ends: polarised or dry")
    rest_before: Duration | None = parameter("10 min", "open circuit before the first cycle")
    spectrum: Spectrum | None = parameter(None, "a spectrum before the cycles and after them")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """All the cycles that there may be."""
    then = exit_of(chosen.spectrum)
    body = [
        half_cycle(process, chosen.current, chosen.capacity, chosen.voltage_limit, then)
        for process in ("plate", "strip")
    ]
    test: list[Entry] = [{"repeat": chosen.cycles, "name": "cycling", "steps": body}]
    return {
        "protocol": "symmetric cycling until a soft short",
        "description": f"{chosen.current} and {chosen.capacity} until {chosen.in_a_row} half-cycles in a row end "
        f"below {chosen.share} of the best before",
        "safety": {"voltage": around_zero(chosen.voltage_limit)},
        "record": {"every": "10 s", "voltage change": "5 mV"},
        "steps": [*rest(chosen.rest_before), *framed(test, chosen.spectrum)],
    }


def decide(steps: Sequence[Step], chosen: Parameters) -> Plan:
    """What comes before the half-cycles, the half-cycles until they look shorted, what comes after them."""
    numbered = list(enumerate(steps, start=1))
    halves = [(at, step) for at, step in numbered if isinstance(step, ConstantCurrent)]
    first, last = halves[0][0], halves[-1][0]
    for at, step in numbered[: first - 1]:
        yield Planned(step, at, 0)
    cycle = yield from _until_short(halves, chosen)
    for at, step in numbered[last:]:
        yield Planned(step, at, cycle)


def _until_short(halves: Sequence[tuple[int, Step]], chosen: Parameters) -> Any:  # noqa: ANN401  (a part of a plan)
    """The last cycle."""
    greatest, suspect, cycle = 0.0, 0, 0
    for cycle in range(1, chosen.cycles + 1):
        for at, step in halves:
            result = yield Planned(step, at, cycle)
            if result.end is not None and ends_of(step)[result.end].then != NEXT:
                return cycle
            voltage = abs(result.last_voltage or 0.0)
            suspect = suspect + 1 if voltage < chosen.share.si * greatest else 0
            greatest = max(greatest, voltage)
            if suspect >= chosen.in_a_row:
                return cycle
    return cycle


experiment = Experiment(
    name="symmetric-until-short",
    summary="symmetric cell: plate and strip until it is softly shorted",
    parameters=Parameters,
    build=build,
    decide=decide,
    version="1",
    evaluations=("overpotential", "lifetime"),
    seeds=("wng", "pota"),
)
