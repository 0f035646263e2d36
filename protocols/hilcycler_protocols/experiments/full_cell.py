"""Full cells: activation, a ladder of rates, and cycling, with spectra between.

C-rates refer to the nominal capacity of the cell, which should be given as so many mAh/g of active
mass: papers mean different things by 1 C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilcycler.language.experiment import Experiment, parameter
from hilcycler.language.strict_model import Strict
from hilcycler.language.words import Choice, Count, Current, Duration, Flag, Voltage, Written, listed
from hilcycler.quantities import CRate
from hilcycler_protocols.experiments.pieces import Entry, Spectrum, every, exit_of, framed, rest, spectrum


class Parameters(Strict):
    """Defaults: Li||LFP as in wng, one cycle at 0.1 C, then 300 at 1 C; the window is ours."""

    upper: Voltage = parameter("4.0 V", "ends charging")
    lower: Voltage = parameter("2.5 V", "ends discharging")
    charge: Current = parameter("1 C", "of the long cycling")
    discharge: Current = parameter("1 C", "of the long cycling")
    cycles: Count | None = parameter(300, "of the long cycling; nothing: only the ladder")
    hold: Current | None = parameter(None, "hold the upper voltage down to this current (CC-CV)")
    activation: Count | None = parameter(1, "cycles at the activation current first")
    activation_current: Current = parameter("0.1 C", "of charge and discharge")
    ladder: Annotated[tuple[Current, ...], BeforeValidator(listed)] = parameter(
        (), "rates, one after another"
    )
    ladder_cycles: Count = parameter(5, "at each rate")
    and_back: Flag = parameter(False, "end the ladder with its first rate again")
    first: Annotated[str, Choice(("charge", "discharge"))] = parameter(
        "charge", "how a fresh cell begins; sulfur comes charged"
    )
    rest_before: Duration | None = parameter("6 h", "open circuit before the first cycle: wetting")
    rest: Duration | None = parameter("5 min", "open circuit after each half-cycle")
    spectrum: Spectrum | None = parameter(None, "a spectrum before the cycles and after them")
    spectrum_every: Count | None = parameter(None, "and after every so many cycles, discharged")
    longest: Duration = parameter("40 h", "no half-cycle lasts longer, nor twice as long as its C-rate means")


def build(chosen: Parameters) -> Mapping[str, Any]:
    """Activation, ladder, cycling: each only if asked for."""
    test: list[Entry] = []
    if chosen.activation:
        slow = _cycle(chosen, chosen.activation_current, chosen.activation_current)
        test.append({"repeat": chosen.activation, "name": "activation", "steps": slow})
    rungs = [*chosen.ladder, *(chosen.ladder[:1] if chosen.and_back else ())]
    test += [
        {
            "repeat": chosen.ladder_cycles,
            "name": f"rung {number}, {rate}",
            "steps": _cycle(chosen, rate, rate),
        }
        for number, rate in enumerate(rungs, 1)
    ]
    if chosen.cycles:
        between = every(chosen.spectrum_every, spectrum(chosen.spectrum))
        body = [*_cycle(chosen, chosen.charge, chosen.discharge), *between]
        test.append({"repeat": chosen.cycles, "name": "cycling", "steps": body})
    return {
        "protocol": "full-cell cycling",
        "description": f"{chosen.lower} to {chosen.upper}",
        "safety": {"voltage": f"{chosen.lower.si - 0.5:g} V to {chosen.upper.si + 0.2:g} V"},
        "record": {"every": "30 s", "voltage change": "5 mV"},
        "steps": [*rest(chosen.rest_before), *framed(test, chosen.spectrum)],
    }


def _cycle(chosen: Parameters, charge: Written, discharge: Written) -> list[Entry]:
    """Charge, with a hold if asked for, and discharge."""
    late = {"time": f"{chosen.longest} -> {exit_of(chosen.spectrum)}"}
    if chosen.hold is None:
        up: Entry = {"current": charge, "until": {"voltage": f"above {chosen.upper}", **late}}
    else:
        up = {
            "current": charge,
            "hold at": chosen.upper,
            "until": {"current": f"below {chosen.hold}", **late},
        }
    down = {"current": discharge, "until": {"voltage": f"below {chosen.lower}", **late}}
    halves = [[{"charge": up}, *rest(chosen.rest)], [{"discharge": down}, *rest(chosen.rest)]]
    return [step for half in (halves if chosen.first == "charge" else reversed(halves)) for step in half]


def _late(chosen: Parameters, current: Written) -> Entry:
    """The test ends when a half-cycle takes twice the time that its C-rate means, or the longest allowed."""
    longest = str(chosen.longest)
    if isinstance(current.value, CRate):
        longest = f"{min(2.0 / current.value.per_hour, chosen.longest.si / 3600.0):.4g} h"
    return {"time": f"{longest} -> {exit_of(chosen.spectrum)}"}


experiment = Experiment(
    name="full-cell",
    summary="Li||cathode: activation, rates, cycle life",
    parameters=Parameters,
    build=build,
    evaluations=("retention", "overpotential"),
    cell="{working: {material: LFP, active mass: 13.6 mg}, counter: Li, area: 1.131 cm2, nominal capacity: 170 mAh/g}",
    seeds=("wng", "bn-pp", "wn-mo2n", "limmt", "pota"),
)
