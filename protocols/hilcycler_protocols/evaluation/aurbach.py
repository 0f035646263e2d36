"""A3, the reservoir method for Coulombic efficiency (Aurbach; Adams "method 3").

Copper is conditioned by plating and stripping to the cut-off once; a reservoir Q_T is plated; n
times Q_C is stripped and plated again; what is left is stripped to the cut-off, Q_S. Then

    CE = (n Q_C + Q_S) / (n Q_C + Q_T),

which is everything stripped over everything plated since the conditioning. It is computed from what
was passed, not from n: a series that begins its cycles with plating has another count, the same sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hilcycler.quantities import Second
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.charges import Passed, ratio_budget, total
from hilcycler_protocols.evaluation.coulombic_efficiency import Cycle, efficiency
from hilcycler_protocols.evaluation.results import (
    PERCENT,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy

SOURCE: Final = "Adams et al., Adv. Energy Mater. 8 (2018) 1702097, method 3"


@dataclass(frozen=True, slots=True)
class ReservoirEfficiency:
    """`average` over the cycles; `conditioning` is the efficiency of the first cycle, None without one."""

    average: Result
    conditioning: Result | None
    cycles: int


def reservoir_efficiency(
    half_cycles: Sequence[Passed], accuracy: Accuracy = PERFECT, *, connected_rest: Second = 0.0
) -> ReservoirEfficiency:
    """CE from the half-cycles in the order in which they were run, conditioning included.

    Refused: a last stripping that did not reach its cut-off, a cut-off that was hit before (the
    reservoir was exhausted), anything partly observed. Without a conditioning cycle the first plating on
    bare copper is part of the number, which is flagged.
    """
    for passed in half_cycles:
        if passed.process not in {Process.PLATE, Process.STRIP}:
            raise EvaluationRefused(
                Refusal.MISSING_INPUT, f"the reservoir method plates and strips, no {passed.process}"
            )
    if len(half_cycles) < 2 or half_cycles[0].process is not Process.PLATE:
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, "the reservoir method begins with plating")
    if half_cycles[-1].process is not Process.STRIP or not half_cycles[-1].to_cutoff:
        raise EvaluationRefused(Refusal.NOT_TO_CUTOFF, "the last half-cycle must strip to the cut-off")
    conditioning, body = _split(half_cycles)
    strips = [p for p in body if p.process is Process.STRIP]
    if any(p.to_cutoff for p in strips[:-1]):
        at = next(n for n, p in enumerate(strips, 1) if p.to_cutoff)
        raise EvaluationRefused(
            Refusal.RESERVOIR_EXHAUSTED,
            f"stripping {at} of {len(strips)} hit the cut-off: the reservoir was exhausted before the end",
        )
    out, into = total(strips), total([p for p in body if p.process is Process.PLATE])
    bare = Result(
        "average Coulombic efficiency",
        out.charge / into.charge,
        PERCENT,
        "(n Q_C + Q_S)/(n Q_C + Q_T)",
        SOURCE,
        inputs={
            "n": float(len(strips) - 1),
            "Q_T": body[0].charge,
            "Q_S": body[-1].charge,
            "plated": into.charge,
        },
        flags=() if conditioning else (_UNCONDITIONED,),
    )
    average = with_budget(bare, ratio_budget(out, into, accuracy, connected_rest))
    if average.interval is not None and average.interval[0] > 1.0:
        average = average.flagged(
            Flag("above-one", "more was stripped than plated: a leak through a soft short")
        )
    first = efficiency(Cycle(0, *conditioning), accuracy) if conditioning else None
    return ReservoirEfficiency(average, first, len(strips) - 1)


_UNCONDITIONED: Final = Flag(
    "unconditioned", "no conditioning cycle: the first plating on bare copper lowers this number"
)


def _split(half_cycles: Sequence[Passed]) -> tuple[tuple[Passed, Passed] | None, Sequence[Passed]]:
    """The conditioning cycle, if the first stripping went to its cut-off, and the rest."""
    first, second = half_cycles[0], half_cycles[1]
    if len(half_cycles) > 3 and second.process is Process.STRIP and second.to_cutoff:
        return (first, second), half_cycles[2:]
    return None, half_cycles
