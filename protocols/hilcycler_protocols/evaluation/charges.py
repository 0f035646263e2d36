"""Charge that passed in half-cycles, named by what it did to the cell, and what its ratios are worth.

Stripping copper is "charge" in the sign convention used here: any formula with discharge over charge
returns the inverse of a Coulombic efficiency. Nothing below looks at a sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hilcycler.quantities import Coulomb, Second
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentBelow,
    CurrentSettled,
    Process,
    Step,
    StepResult,
    VoltageAbove,
    VoltageBelow,
)
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal
from hilcycler_protocols.evaluation.uncertainty import Accuracy, Component, within


@dataclass(frozen=True, slots=True)
class Passed:
    """What one half-cycle passed: a magnitude in coulomb, and how it ended.

    `to_cutoff`: ended by its voltage limit, so the electrode is empty (or full). `decided` is the
    period at which that limit was judged: the half-cycle may have gone on that much too long.
    `partial`: part of it was not observed. `current_range` is the instrument's index, None unknown.
    """

    process: Process
    charge: Coulomb
    duration: Second
    to_cutoff: bool = False
    partial: bool = False
    decided: Second = 0.0
    current_range: int | None = None


def of_step(step: Step, result: StepResult, current_range: int | None = None) -> Passed | None:
    """What one step passed, as the run recorded it; None for a step without a named process.

    It went to its cut-off if it ended by a voltage, or by the current of a hold at one.
    """
    match step:
        case ConstantCurrent() | ConstantVoltage() | ConstantCurrentConstantVoltage() if (
            step.process is not None
        ):
            ended = None if result.end is None else step.ends[result.end].condition
            held = not isinstance(step, ConstantCurrent)
            return Passed(
                step.process,
                abs(result.charge),
                result.elapsed,
                to_cutoff=isinstance(ended, VoltageAbove | VoltageBelow)
                or (held and isinstance(ended, CurrentBelow | CurrentSettled)),
                partial=result.partial,
                decided=step.sampling.decide,
                current_range=current_range,
            )
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Total:
    """Several half-cycles of one direction together."""

    charge: Coulomb
    duration: Second
    count: int
    late: Coulomb
    ranges: frozenset[int | None]


def total(half_cycles: Sequence[Passed]) -> Total:
    """The sum; refuses partial ones and charges that are no positive number."""
    for passed in half_cycles:
        if passed.partial:
            raise EvaluationRefused(
                Refusal.PARTIAL, f"a {passed.process} was partly unobserved: its charge is only bounded"
            )
        if not (math.isfinite(passed.charge) and passed.charge > 0.0 and passed.duration > 0.0):
            raise EvaluationRefused(
                Refusal.NOT_FINITE,
                f"{passed.process}: {passed.charge!r} C in {passed.duration!r} s is no half-cycle",
            )
    return Total(
        sum(p.charge for p in half_cycles),
        sum(p.duration for p in half_cycles),
        len(half_cycles),
        sum(p.charge / p.duration * p.decided for p in half_cycles if p.to_cutoff),
        frozenset(p.current_range for p in half_cycles),
    )


def ratio_budget(
    out: Total, into: Total, accuracy: Accuracy, connected_rest: Second = 0.0
) -> list[Component]:
    """What the ratio `out`/`into` may be off by, cause by cause.

    A gain error cancels within one current range, and so does one of the time base; an offset of the
    current does not: it adds to one direction what it takes from the other. `connected_rest` is the
    time spent at "0 A with the output on", in which the offset goes on unseen.
    """
    ratio = out.charge / into.charge
    outward = out.duration / out.charge
    inward = (into.duration + connected_rest) / into.charge
    if len(out.ranges | into.ranges) == 1:
        currents = [within("current offset", ratio * accuracy.current_offset * (outward + inward))]
    else:  # two ranges: two offsets, two gains, nothing cancels
        currents = [
            within("current offset, outward range", ratio * accuracy.current_offset * outward),
            within("current offset, inward range", ratio * accuracy.current_offset * inward),
            within("current gain, outward range", ratio * accuracy.current_gain),
            within("current gain, inward range", ratio * accuracy.current_gain),
        ]
    jitter = math.hypot(math.sqrt(out.count) / out.duration, math.sqrt(into.count) / into.duration)
    return [
        *currents,
        within("cut-off decision", ratio * out.late / out.charge),
        within("timing", ratio * accuracy.time_jitter * jitter),
    ]
