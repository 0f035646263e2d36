"""Nucleation and plateau overpotential of the first plating of a run (Li||Cu)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record, RunStarted
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.halfcycles import HalfCycle, HalfCycles
from hilcycler_protocols.evaluation.nucleation import nucleation
from hilcycler_protocols.evaluation.promised import promised
from hilcycler_protocols.evaluation.results import EvaluationRefused, Result


@dataclass
class CellNucleation:
    """Fed with the records of a run: tip, plateau and their difference, once the first plating is over."""

    refused: list[str] = field(default_factory=list)
    _header: RunStarted | None = None
    _halves: HalfCycles = field(default_factory=HalfCycles)
    _found: list[Result] = field(default_factory=list)
    _done: bool = False

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the results of the first plating when it is over."""
        if isinstance(record, RunStarted):
            self._header = record
        return [] if self._done else self._take(self._halves.put(record))

    def finish(self) -> list[Result]:
        """No more records will come."""
        return [] if self._done else self._take(self._halves.finish())

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (there is one first plating)
        return self._found

    def _take(self, halves: Iterable[HalfCycle]) -> list[Result]:
        for half in halves:
            if half.process is not Process.PLATE:
                continue
            self._done = True
            try:
                found = nucleation(half.passed, half.voltage, accuracy=promised(self._header))
            except EvaluationRefused as refusal:
                self.refused.append(str(refusal))
                return []
            self._found = [found.tip, found.plateau, found.barrier, found.shoulder]
            return self._found
        return []


evaluation = Evaluation(
    name="nucleation",
    summary="nucleation and plateau overpotential of the first plating on copper",
    start=CellNucleation,
)
