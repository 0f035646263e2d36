"""Capacity of every discharge, per active mass where it is known, and what is left of the first.

The reference of the retention is the first cycle at the same current: an activation cycle at a low
rate is no reference for the cycles after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record, RunStarted
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.charges import total
from hilcycler_protocols.evaluation.cycling import Discharge, Reference, retention
from hilcycler_protocols.evaluation.passages import Passage, Passages
from hilcycler_protocols.evaluation.promised import promised
from hilcycler_protocols.evaluation.results import (
    COULOMB,
    SPECIFIC_CHARGE,
    EvaluationRefused,
    Flag,
    Result,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import within


@dataclass
class CellCapacity:
    """Fed with the records of a run: the capacity of every discharge, as it ends."""

    discharges: list[Discharge] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    reference: Reference = Reference.FIRST_AT_RATE
    _header: RunStarted | None = None
    _passages: Passages = field(default_factory=Passages)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the capacity of the discharge that it completes."""
        if isinstance(record, RunStarted):
            self._header = record
        return self._take(self._passages.put(record))

    def finish(self) -> list[Result]:
        """No more records will come."""
        return self._take(self._passages.finish())

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (the reference decides)
        """Capacity of the last cycle, retention and both fades."""
        if not self.discharges:
            return []
        try:
            found = retention(self.discharges, reference=self.reference)
        except EvaluationRefused as refusal:
            self.refused.append(str(refusal))
            return [self.capacity(self.discharges[-1])]
        return [self.capacity(self.discharges[-1]), found.retained, found.linear, found.geometric]

    def capacity(self, discharge: Discharge) -> Result:
        """What one discharge gave; EvaluationRefused if it was partly unobserved."""
        one = total([discharge.passed])
        accuracy = promised(self._header, discharge.passed.current_range)
        mass = None if self._header is None else self._header.cell.working.active_mass
        per = mass or 1.0
        bare = Result(
            "discharged capacity",
            one.charge / per,
            SPECIFIC_CHARGE if mass else COULOMB,
            "Q/m" if mass else "Q",
            "arithmetic",
            inputs={
                "cycles": f"{discharge.number}",
                "definition": "to the cut-off" if discharge.passed.to_cutoff else "not to the cut-off",
                **({"active mass": mass} if mass else {}),
            },
        )
        result = with_budget(
            bare,
            [
                within("current gain", bare.value * accuracy.current_gain),
                within("current offset", accuracy.current_offset * one.duration / per),
                within("cut-off decision", one.late / per),
            ],
        )
        if discharge.passed.to_cutoff:
            return result
        return result.flagged(Flag("no-capacity", "the discharge did not end by its cut-off"))

    def _take(self, passages: Iterable[Passage]) -> list[Result]:
        found: list[Result] = []
        for each in passages:
            if each.passed.process is not Process.DISCHARGE:
                continue
            discharge = Discharge(each.cycle, each.passed)
            try:
                found.append(self.capacity(discharge))
            except EvaluationRefused as refusal:
                self.refused.append(str(refusal))
                continue
            self.discharges.append(discharge)
        return found


evaluation = Evaluation(
    name="retention",
    summary="capacity of every discharge, per active mass, and the retention of the first at the same current",
    start=CellCapacity,
)
