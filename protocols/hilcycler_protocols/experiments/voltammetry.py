"""Sweeps: LSV for stability windows and Tafel lines, CV, and CV at several scan rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import (
    Choice,
    Count,
    Current,
    Duration,
    Flag,
    SweepRate,
    Voltage,
    VoltageStep,
    listed,
)
from hilcycler_protocols.experiments.pieces import Entry, rest


class Parameters(Strict):
    """Defaults: the sweep of bn-pp for exchange currents, -200 to 200 mV at 1 mV/s."""

    kind: Annotated[str, Choice(("linear", "cyclic"))] = parameter("linear", "linear (LSV) or cyclic (CV)")
    from_: Voltage = parameter("-200 mV", "where a linear sweep starts; the first vertex of a cyclic one")
    to: Voltage = parameter("200 mV", "where a linear sweep stops; the second vertex of a cyclic one")
    start: Voltage = parameter("0 V", "where a cyclic scan starts and ends")
    rates: Annotated[tuple[SweepRate, ...], BeforeValidator(listed)] = parameter(
        ("1 mV/s",), "one after another"
    )
    scans: Count = parameter(1, "of each rate, if cyclic")
    step: VoltageStep = parameter("1 mV", "of the staircase")
    versus_open_circuit: Flag = parameter(False, "voltages are added to the open-circuit voltage")
    current_limit: Current | None = parameter(None, "ends a sweep before its course")
    rest: Duration = parameter("10 min", "open circuit before each sweep")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """A rest and a sweep for each rate."""
    common: Entry = {
        "step": chosen.step,
        "versus": "open circuit" if chosen.versus_open_circuit else None,
        "until": {"current": f"above {chosen.current_limit}"} if chosen.current_limit else None,
    }
    steps: list[Entry] = []
    for rate in chosen.rates:
        steps += rest(chosen.rest)
        if chosen.kind == "linear":
            sweep = {"from": chosen.from_, "to": chosen.to, "rate": rate, **common, "name": f"LSV {rate}"}
            steps.append({"linear sweep": sweep})
        else:
            vertices = {"start": chosen.start, "first vertex": chosen.from_, "second vertex": chosen.to}
            scan = {**vertices, "rate": rate, "scans": chosen.scans, **common, "name": f"CV {rate}"}
            steps.append({"cyclic voltammetry": scan})
    low, high = sorted((chosen.from_.si, chosen.to.si))
    margin = 0.5
    return {
        "protocol": f"{chosen.kind} sweep voltammetry",
        "description": f"{chosen.from_} to {chosen.to} at {', '.join(map(str, chosen.rates))}",
        "safety": None
        if chosen.versus_open_circuit
        else {"voltage": f"{min(low, 0.0) - margin:g} V to {max(high, chosen.start.si, 0.0) + margin:g} V"},
        "steps": steps,
    }


experiment = Experiment(
    name="voltammetry",
    summary="LSV and CV: stability, Tafel, scan-rate series",
    parameters=Parameters,
    build=build,
    seeds=("bn-pp", "wn-mo2n", "limmt", "pota"),
)
