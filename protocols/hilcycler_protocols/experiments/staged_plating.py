"""Plating in stages, stopping at each for a look: the deposits of every paper's micrographs.

Each stage plates up to a total charge (or strips back down to one). Where a pause is asked for, the
run waits at open circuit until somebody says to go on, or takes the cell out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilcycler.errors import RequestError
from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import ArealCharge, ArealCurrent, Duration, Flag, VoltageStep, Written, listed
from hilcycler.quantities import Dimension, Quantity
from hilcycler_protocols.experiments.pieces import Entry, rest


class Parameters(Strict):
    """Defaults: the staged deposit of pota, 2, 4, back to 2 and to nothing at 1 mA/cm2."""

    current: ArealCurrent = parameter("1 mA/cm2", "of every stage")
    stages: Annotated[tuple[ArealCharge, ...], BeforeValidator(listed)] = parameter(
        ("2 mAh/cm2", "4 mAh/cm2", "2 mAh/cm2", "0 mAh/cm2"), "the charge on the electrode after each stage"
    )
    cut_off: VoltageStep = parameter("1 V", "ends stripping that finds no more lithium")
    plating_limit: VoltageStep = parameter("0.5 V", "below minus this, plating ends the run")
    rest_before: Duration | None = parameter("6 h", "open circuit before the first stage: wetting")
    rest: Duration | None = parameter("10 min", "open circuit after each stage")
    pause: Flag = parameter(False, "wait for the operator after each stage")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """A plating or stripping step from each stage to the next."""
    steps: list[Entry] = [*rest(chosen.rest_before)]
    for before, after in pairwise((None, *chosen.stages)):
        assert after is not None
        steps += [_stage(chosen, before, after), *rest(chosen.rest)]
        if chosen.pause:
            steps.append({"pause": f"{after} is on the electrode."})
    return {
        "protocol": "staged plating",
        "description": f"deposits of {', '.join(map(str, chosen.stages))} at {chosen.current}",
        "safety": {"voltage": f"-1 V to {max(4.0, 1.2 * chosen.cut_off.si):g} V"},
        "record": {"every": "10 s", "voltage change": "5 mV"},
        "steps": steps,
    }


def _stage(chosen: Parameters, before: Written | None, after: Written) -> Entry:
    """From `before` to `after`; to nothing means to the cut-off."""
    start = before.si if before is not None else 0.0
    if before is not None and _kind(before) != _kind(after):
        raise RequestError(f"stages: '{before}' and '{after}' must both be per area, or both not")
    if after.si == start:
        raise RequestError(f"stages: '{after}' stands twice in a row")
    larger = after if before is None or after.si > before.si else before
    passed = larger.times(abs(after.si - start) / larger.si)
    name = f"to {after}"
    if after.si > start:
        until = {"charge": passed, "voltage": f"below -{chosen.plating_limit} -> stop"}
        return {"plate": {"current": chosen.current, "until": until, "name": name}}
    most = passed if after.si > 0.0 else larger.times(1.2)
    until = {"charge": most, "voltage": f"above {chosen.cut_off}"}
    return {"strip": {"current": chosen.current, "until": until, "name": name}}


def _kind(written: Written) -> Dimension | None:
    return written.value.dimension if isinstance(written.value, Quantity) else None


experiment = Experiment(
    name="staged-plating",
    summary="plate to given charges, strip back, stop for a look",
    parameters=Parameters,
    build=build,
    evaluations=("nucleation",),
    cell="{working: Cu, counter: Li, area: 1.131 cm2}",
    seeds=("wng", "bn-pp", "wn-mo2n", "limmt", "pota"),
)
