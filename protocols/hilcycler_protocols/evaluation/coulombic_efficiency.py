"""A2, Coulombic efficiency cycle by cycle: stripped over plated, with the instrument's error bar.

CE_n = Q_strip,n / Q_plate,n in Li||Cu, stripped to a voltage cut-off. In a full cell it is discharged
over charged, another quantity with the same name. The mean of CE_n and the ratio of the sums differ;
both are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hilcycler.quantities import Second
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.charges import Passed, ratio_budget, total
from hilcycler_protocols.evaluation.results import (
    COUNT,
    PERCENT,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy, scatter

SOURCE: Final = "Adams et al., Adv. Energy Mater. 8 (2018) 1702097, method 1"
_PAIRS: Final = {Process.PLATE: Process.STRIP, Process.CHARGE: Process.DISCHARGE}
_FORMULA: Final = {Process.PLATE: "Q_strip/Q_plate", Process.CHARGE: "Q_discharge/Q_charge"}


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle: what went in (plate, charge) and what came out (strip, discharge).

    `connected_rest` is time at rest with the output on at 0 A; at open circuit it is 0.
    """

    number: int
    into: Passed
    out: Passed
    connected_rest: Second = 0.0


@dataclass(frozen=True, slots=True)
class Efficiencies:
    """All cycles that have an efficiency, and what they say together.

    `mean` is over `window`; its uncertainty holds the scatter of the cycles and the instrument's share,
    which no averaging removes. `deviation` is the standard deviation of a cycle. `cumulative` is the
    ratio of the sums over the same cycles. `excluded` says why a cycle has none.
    """

    cycles: tuple[tuple[int, Result], ...]
    mean: Result
    deviation: float
    cumulative: Result
    excluded: tuple[tuple[int, str], ...]


def efficiency(cycle: Cycle, accuracy: Accuracy = PERFECT) -> Result:
    """CE of one cycle.

    Refused: a partly observed half-cycle, stripping that ended by time or charge instead of its
    voltage cut-off (that would be the ratio of two set-points), half-cycles that are no pair.
    """
    _check(cycle)
    out, into = total([cycle.out]), total([cycle.into])
    bare = Result(
        "Coulombic efficiency",
        out.charge / into.charge,
        PERCENT,
        _FORMULA[cycle.into.process],
        SOURCE,
        inputs={"cycle": float(cycle.number), "into": into.charge, "out": out.charge},
    )
    result = with_budget(bare, ratio_budget(out, into, accuracy, cycle.connected_rest))
    return result.flagged(*_doubts(result))


def efficiencies(
    cycles: Sequence[Cycle], accuracy: Accuracy = PERFECT, *, skip: int = 0, last: int | None = None
) -> Efficiencies:
    """CE of every cycle, and their mean without the first `skip` (activation) up to number `last`."""
    found: list[tuple[int, Result]] = []
    used: list[Cycle] = []
    excluded: list[tuple[int, str]] = []
    for place, cycle in enumerate(cycles):
        try:
            result = efficiency(cycle, accuracy)
        except EvaluationRefused as refused:
            excluded.append((cycle.number, str(refused)))
            continue
        found.append((cycle.number, result))
        if place >= skip and (last is None or cycle.number <= last):
            used.append(cycle)
    if not used:
        reasons = "; ".join(f"cycle {n}: {why}" for n, why in excluded[:3])
        raise EvaluationRefused(
            Refusal.TOO_LITTLE_DATA,
            f"no cycle after the first {skip} has an efficiency ({reasons or 'none given'})",
        )
    numbers = {cycle.number for cycle in used}
    values = [result.value for number, result in found if number in numbers]
    deviation = _deviation(values)
    return Efficiencies(
        tuple(found),
        _mean(used, values, deviation, accuracy),
        deviation,
        _cumulative(used, accuracy),
        tuple(excluded),
    )


def _check(cycle: Cycle) -> None:
    if _PAIRS.get(cycle.into.process) is not cycle.out.process:
        raise EvaluationRefused(
            Refusal.MISSING_INPUT,
            f"cycle {cycle.number}: {cycle.into.process} and {cycle.out.process} are no pair; name plate and "
            "strip, or charge and discharge",
        )
    if not cycle.out.to_cutoff and not cycle.out.partial:
        raise EvaluationRefused(
            Refusal.NOT_TO_CUTOFF,
            f"cycle {cycle.number}: the {cycle.out.process} did not reach its cut-off, so what is left is unknown",
        )


def _doubts(result: Result) -> list[Flag]:
    if result.interval is not None and result.interval[0] > 1.0:
        return [
            Flag(
                "above-one",
                "more came out than went in: dead lithium reconnected, or a leak through a soft short",
            )
        ]
    return []


def _mean(used: Sequence[Cycle], values: Sequence[float], deviation: float, accuracy: Accuracy) -> Result:
    out, into = total([c.out for c in used]), total([c.into for c in used])
    rest = sum(c.connected_rest for c in used)
    mean = math.fsum(values) / len(values)
    bare = Result(
        "mean Coulombic efficiency",
        mean,
        PERCENT,
        f"mean of {_FORMULA[used[0].into.process]}",
        SOURCE,
        window=Window("cycles", float(used[0].number), float(used[-1].number), COUNT),
        inputs={"cycles": float(len(values)), "standard deviation": deviation},
    )
    budget = ratio_budget(out, into, accuracy, rest)
    if len(values) > 1:
        budget.append(scatter("scatter of the cycles", deviation / math.sqrt(len(values)), len(values) - 1))
    result = with_budget(bare, budget)
    return result.flagged(*_doubts(result))


def _cumulative(used: Sequence[Cycle], accuracy: Accuracy) -> Result:
    out, into = total([c.out for c in used]), total([c.into for c in used])
    bare = Result(
        "cumulative Coulombic efficiency",
        out.charge / into.charge,
        PERCENT,
        f"sums of {_FORMULA[used[0].into.process]}",
        SOURCE,
        window=Window("cycles", float(used[0].number), float(used[-1].number), COUNT),
        inputs={"cycles": float(len(used)), "into": into.charge, "out": out.charge},
    )
    return with_budget(bare, ratio_budget(out, into, accuracy, sum(c.connected_rest for c in used)))


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
