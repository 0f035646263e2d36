"""Coulombic efficiency of a run, cycle by cycle and by the reservoir method, with the instrument's share.

The error bar comes from what the header says of the current range in use: an offset of the current
adds to one half-cycle what it takes from the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record, RunStarted
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.aurbach import reservoir_efficiency
from hilcycler_protocols.evaluation.coulombic_efficiency import Cycle, Efficiencies, efficiencies, efficiency
from hilcycler_protocols.evaluation.passages import Passage, Passages
from hilcycler_protocols.evaluation.promised import promised
from hilcycler_protocols.evaluation.results import EvaluationRefused, Result
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy

_INTO = frozenset({Process.PLATE, Process.CHARGE})


@dataclass
class CellEfficiency:
    """Fed with the records of a run: CE of every cycle as it is completed.

    A cell that begins with what comes out (a sulfur cell is made charged) is paired across cycles as it
    comes: every half-cycle in with the next one out.
    """

    cycles: list[Cycle] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _header: RunStarted | None = None
    _passages: Passages = field(default_factory=Passages)
    _into: Passage | None = None

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the efficiency of the cycle that it completes."""
        if isinstance(record, RunStarted):
            self._header = record
        return self._take(self._passages.put(record))

    def finish(self) -> list[Result]:
        """No more records will come."""
        return self._take(self._passages.finish())

    def summary(self, last: int | None = None) -> list[Result]:
        """The mean over the `last` cycles (or all) and the ratio of the sums; nothing without a cycle."""
        try:
            found = self.over(self.cycles[-last:] if last else self.cycles)
        except EvaluationRefused as refusal:
            self.refused.append(str(refusal))
            return []
        return [found.mean, found.cumulative]

    def over(self, cycles: list[Cycle]) -> Efficiencies:
        """Everything that these cycles say together; EvaluationRefused without a usable one."""
        return efficiencies(cycles, self._accuracy(cycles))

    def _take(self, passages: Iterable[Passage]) -> list[Result]:
        found: list[Result] = []
        for each in passages:
            if each.passed.process in _INTO:
                self._into = each
                continue
            into, self._into = self._into, None
            if into is None:
                continue
            cycle = Cycle(each.cycle, into.passed, each.passed, into.rest + each.rest)
            self.cycles.append(cycle)
            try:
                one = efficiency(cycle, self._accuracy([cycle]))
            except EvaluationRefused as refusal:
                self.refused.append(str(refusal))
                continue
            found.append(replace(one, inputs={**one.inputs, "cycles": f"{each.cycle}"}))
        return found

    def _accuracy(self, cycles: Iterable[Cycle]) -> Accuracy:
        """Of the range with the largest offset among those that were used."""
        used = {passed.current_range for cycle in cycles for passed in (cycle.into, cycle.out)}
        return max(
            (promised(self._header, each) for each in used), key=lambda a: a.current_offset, default=PERFECT
        )


@dataclass
class CellReservoir:
    """Fed with the records of a reservoir test (conditioning, reservoir, cycles, final stripping)."""

    refused: list[str] = field(default_factory=list)
    _header: RunStarted | None = None
    _passages: Passages = field(default_factory=Passages)
    _seen: list[Passage] = field(default_factory=list)
    _found: list[Result] = field(default_factory=list)

    def put(self, record: Record) -> list[Result]:
        """Take the next record; nothing is known before the final stripping has ended."""
        if isinstance(record, RunStarted):
            self._header = record
        self._seen += self._passages.put(record)
        return []

    def finish(self) -> list[Result]:
        """No more records will come: the average, and the efficiency of the conditioning."""
        self._seen += self._passages.finish()
        if self._found or not self._seen:
            return []
        ranges = {each.passed.current_range for each in self._seen}
        accuracy = max((promised(self._header, each) for each in ranges), key=lambda a: a.current_offset)
        try:
            found = reservoir_efficiency(
                [each.passed for each in self._seen],
                accuracy,
                connected_rest=sum(each.rest for each in self._seen),
            )
        except EvaluationRefused as refusal:
            self.refused.append(str(refusal))
            return []
        self._found = [found.average, *([found.conditioning] if found.conditioning else [])]
        return self._found

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (there is one number)
        """The average and the conditioning."""
        return self._found


evaluation = Evaluation(
    name="coulombic-efficiency",
    summary="stripped over plated (discharged over charged) charge, cycle by cycle, with error bars",
    start=CellEfficiency,
)

reservoir = Evaluation(
    name="reservoir-efficiency",
    summary="average Coulombic efficiency by the reservoir method (Aurbach; method 3 of Adams)",
    start=CellReservoir,
)
