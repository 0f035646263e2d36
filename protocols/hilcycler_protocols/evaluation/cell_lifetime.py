"""How long the cell of a run lived: shorts, runaway polarisation, or still alive when the run ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hilcycler.evaluation import Evaluation
from hilcycler.records import Record
from hilcycler_protocols.evaluation.halfcycles import HalfCycle, HalfCycles
from hilcycler_protocols.evaluation.lifetime import (
    Criteria,
    HalfCycleMarks,
    Lifetime,
    Sign,
    Watch,
    lifetime,
    marks,
)
from hilcycler_protocols.evaluation.results import EvaluationRefused, Result


@dataclass
class CellLifetime:
    """Fed with the records of a run: watches every half-cycle; `signs` are those of the latest."""

    criteria: Criteria = field(default_factory=Criteria)
    marked: list[HalfCycleMarks] = field(default_factory=list)
    signs: frozenset[Sign] = frozenset()
    refused: list[str] = field(default_factory=list)
    _halves: HalfCycles = field(default_factory=HalfCycles)
    _watch: Watch | None = None

    def put(self, record: Record) -> list[Result]:
        """Take the next record; the verdict is in `signs` as it comes, and in the summary."""
        self._take(self._halves.put(record))
        return []

    def finish(self) -> list[Result]:
        """No more records will come."""
        self._take(self._halves.finish())
        return []

    def summary(self, last: int | None = None) -> list[Result]:  # noqa: ARG002  (a life is one number)
        """The lifetime; a bound if the cell outlived the run."""
        return [self.verdict.alive] if self.marked else []

    @property
    def verdict(self) -> Lifetime:
        """The whole verdict; EvaluationRefused without a half-cycle."""
        return lifetime(self.marked, self.criteria)

    def _take(self, halves: Iterable[HalfCycle]) -> None:
        if self._watch is None:
            self._watch = Watch(self.criteria)
        for half in halves:
            try:
                one = marks(half.test_time, half.voltage)
            except EvaluationRefused as refusal:
                self.refused.append(str(refusal))
                continue
            self.marked.append(one)
            self.signs = self._watch.judge(one)


evaluation = Evaluation(
    name="lifetime",
    summary="hours until a soft or hard short or runaway polarisation; a bound where the cell outlived the run",
    start=CellLifetime,
)
