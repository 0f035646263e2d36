"""A18, the numbers of long cycling: retention, fade, resistance from a current step, N/P and E/C.

"Retention" needs its reference (first cycle, first at this rate, best) and "fade per cycle" its law:
0.0597 and 0.0657 % are the same 82.1 % after 300 cycles, linear and geometric. Both are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hilcycler.quantities import Second
from hilcycler_protocols.evaluation.charges import Passed, total
from hilcycler_protocols.evaluation.results import (
    COUNT,
    ELECTROLYTE_RATIO,
    OHM,
    PER_CYCLE,
    PERCENT,
    RATIO,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    required,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import (
    PERFECT,
    Accuracy,
    Known,
    propagated,
    scatter,
    stated,
    within,
)

SOURCE: Final = "arithmetic; the reference is part of the number"


class Reference(StrEnum):
    """What counts as 100 %."""

    FIRST = "first cycle"
    FIRST_AT_RATE = "first cycle at the same current"
    BEST = "best cycle"


@dataclass(frozen=True, slots=True)
class Discharge:
    """The capacity of one cycle, with its number."""

    number: int
    passed: Passed


@dataclass(frozen=True, slots=True)
class Retention:
    """`retained` of the reference, `linear` and `geometric` loss per cycle since then."""

    retained: Result
    linear: Result
    geometric: Result


_SAME_RATE: Final = 0.02


def retention(cycles: Sequence[Discharge], *, reference: Reference, number: int | None = None) -> Retention:
    """Of cycle `number` (the last if None), all half-cycles ended by their cut-off.

    A gain and an offset of the current cancel at one current. The decision of the cut-offs does not, but
    both capacities are late by half a period on average, so half a period either way remains.
    """
    if not cycles:
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, "no cycle, no retention")
    last = cycles[-1] if number is None else next((c for c in cycles if c.number == number), None)
    if last is None:
        raise EvaluationRefused(Refusal.MISSING_INPUT, f"there is no cycle {number}")
    first = _reference(cycles, last, reference)
    for cycle in (first, last):
        if not cycle.passed.to_cutoff:
            raise EvaluationRefused(
                Refusal.NOT_TO_CUTOFF, f"cycle {cycle.number} did not end by its cut-off: that is no capacity"
            )
    now, then = total([last.passed]), total([first.passed])
    ratio = now.charge / then.charge
    between = last.number - first.number
    inputs: dict[str, float | str] = {"reference": reference, "Q": now.charge, "Q reference": then.charge}
    window = Window("cycles", float(first.number), float(last.number), COUNT)
    budget = [
        within("cut-off decision", 0.5 * ratio * now.late / now.charge),
        within("cut-off decision of the reference", 0.5 * ratio * then.late / then.charge),
    ]
    retained = with_budget(
        Result("capacity retention", ratio, PERCENT, "Q_N/Q_ref", SOURCE, window=window, inputs=inputs),
        budget,
    )
    if not _same_current(first, last):
        retained = retained.flagged(Flag("other-rate", "reference and cycle ran at different currents"))
    if between < 1:
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA, "a fade per cycle needs a later cycle than its reference"
        )
    return Retention(
        retained,
        _fade("linear", (1.0 - ratio) / between, 1.0 / between, retained),
        _fade(
            "geometric", 1.0 - ratio ** (1.0 / between), ratio ** (1.0 / between - 1.0) / between, retained
        ),
    )


_LAW: Final = {"linear": "(1 - Q_N/Q_1)/(N - 1)", "geometric": "1 - (Q_N/Q_1)^(1/(N - 1))"}


def _fade(law: str, value: float, slope: float, retained: Result) -> Result:
    bare = Result(
        f"fade per cycle, {law}",
        value,
        PER_CYCLE,
        _LAW[law],
        SOURCE,
        window=retained.window,
        inputs=retained.inputs,
    )
    return with_budget(bare, [c.scaled(slope) for c in retained.budget])


def _reference(cycles: Sequence[Discharge], last: Discharge, reference: Reference) -> Discharge:
    earlier = [c for c in cycles if c.number <= last.number]
    match reference:
        case Reference.FIRST:
            return earlier[0]
        case Reference.FIRST_AT_RATE:
            return next(c for c in earlier if _same_current(c, last))
        case Reference.BEST:
            return max(earlier, key=lambda c: c.passed.charge)


def _same_current(a: Discharge, b: Discharge) -> bool:
    first, second = (c.passed.charge / c.passed.duration for c in (a, b))
    return abs(first / second - 1.0) <= _SAME_RATE


def step_resistance(
    time: ArrayLike,
    voltage: ArrayLike,
    current: ArrayLike,
    *,
    at: Second,
    after: Second,
    accuracy: Accuracy = PERFECT,
) -> Result:
    """DCIR: change of voltage over change of current, `after` seconds past the step at time `at`.

    10 ms, 1 s and 10 s are three quantities (bulk, interfaces, diffusion), so `after` has no default.
    The voltage before is the mean of up to five samples before the step; after it is interpolated.
    """
    t, v, i = (np.asarray(a, dtype=np.float64) for a in (time, voltage, current))
    before, wanted = t < at, at + required(after, "a time after the step")
    if before.sum() < 1 or not t[-1] >= wanted or np.sum((t >= at) & (t <= wanted)) < 1:
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA, f"no samples on both sides of the step up to {after:g} s after it"
        )
    rest, level = v[before][-5:], float(np.interp(wanted, t, v))
    change = float(np.interp(wanted, t, i)) - float(i[before][-5:].mean())
    if change == 0.0:
        raise EvaluationRefused(Refusal.OUTSIDE_VALIDITY, "the current did not change")
    noise = float(rest.std(ddof=1)) if len(rest) > 2 else 0.0
    ohm = (level - float(rest.mean())) / change
    bare = Result(
        "direct-current resistance", ohm, OHM, "dV/dI", SOURCE,
        inputs={"after": after, "dI": change, "dV": level - float(rest.mean())},
    )  # fmt: skip
    spacing = float(np.min(np.diff(t[t >= at]))) if np.sum(t >= at) > 1 else math.inf
    result = with_budget(
        bare,
        [
            scatter(
                "noise of the voltage",
                noise / abs(change) * math.sqrt(1.0 + 1.0 / len(rest)),
                max(len(rest) - 1, 1),
            ),
            within("voltage gain", ohm * accuracy.voltage_gain),
            within("current gain", ohm * accuracy.current_gain),
        ],
    )
    if spacing > after:
        return result.flagged(
            Flag("coarse", f"samples {spacing:g} s apart say little about {after:g} s after a step")
        )
    return result


def capacity_ratio(negative: Known, positive: Known) -> Result:
    """N/P: areal lithium capacity over areal cathode capacity, both in C/m2."""
    value = required(negative.value, "the areal capacity of lithium") / required(
        positive.value, "the areal capacity of the cathode"
    )
    bare = Result(
        "N/P", value, RATIO, "Q_Li/Q_cathode", SOURCE, inputs={"N": negative.value, "P": positive.value}
    )
    return with_budget(
        bare, propagated(lambda n, p: n / p, stated("lithium", negative), stated("cathode", positive))
    )


def electrolyte_ratio(mass: Known, capacity: Known) -> Result:
    """E/C: kg of electrolyte over C of capacity; papers print g/Ah."""
    value = required(mass.value, "the mass of electrolyte") / required(
        capacity.value, "the capacity of the cell"
    )
    bare = Result(
        "E/C", value, ELECTROLYTE_RATIO, "m/Q", SOURCE, inputs={"m": mass.value, "Q": capacity.value}
    )
    return with_budget(
        bare, propagated(lambda m, q: m / q, stated("electrolyte", mass), stated("capacity", capacity))
    )
