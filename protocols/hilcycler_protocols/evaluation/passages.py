"""The charge of half-cycles from the records of a run, as they come.

Steps of one process in one cycle are one half-cycle (a constant current and the hold after it): it is
known as soon as its last step has ended, which the next step says, or the end of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hilcycler.quantities import Second
from hilcycler.records import Gap, Record, RunEnded, SampleBlock, StepEnded, StepStarted
from hilcycler.steps import ConstantCurrent
from hilcycler_protocols.evaluation.charges import Passed, of_step


@dataclass(frozen=True, slots=True)
class Passage:
    """One half-cycle: what it passed and in which cycle; `rest` is time at 0 A with the output on before it."""

    cycle: int
    passed: Passed
    ends: Second
    rest: Second = 0.0


@dataclass
class Passages:
    """Groups the records of a run into half-cycles; holds no samples."""

    _open: Passage | None = None
    _step: StepStarted | None = None
    _ranges: set[int] = field(default_factory=set)
    _rest: Second = 0.0
    _gap: bool = False

    def put(self, record: Record) -> Iterator[Passage]:
        """The half-cycle that `record` shows to be over."""
        match record:
            case StepStarted():
                self._step, self._gap = record, record.continues is not None
                self._ranges = set()
            case SampleBlock() if len(record):
                self._ranges.update(np.unique(record.columns["range"]).tolist())
            case Gap():
                self._gap = True
            case StepEnded() if self._step is not None:
                yield from self._ended(self._step, record)
            case RunEnded():
                yield from self.finish()
            case _:
                pass

    def finish(self) -> Iterator[Passage]:
        """The half-cycle that was still open."""
        if self._open is not None:
            yield self._open
        self._open = None

    def _ended(self, started: StepStarted, ended: StepEnded) -> Iterator[Passage]:
        used = self._ranges.pop() if len(self._ranges) == 1 else None
        passed = of_step(started.step, ended.result, used)
        if passed is None:
            if isinstance(started.step, ConstantCurrent) and started.step.current == 0.0:
                self._rest += ended.result.elapsed
            return
        if self._gap:
            passed = replace(passed, partial=True)
        before = self._open
        if before is not None and before.cycle == started.cycle and before.passed.process is passed.process:
            self._open = replace(before, passed=_joined(before.passed, passed), ends=ended.test_time)
            return
        yield from self.finish()
        self._open = Passage(started.cycle, passed, ended.test_time, self._rest)
        self._rest = 0.0


def _joined(first: Passed, then: Passed) -> Passed:
    return replace(
        then,
        charge=first.charge + then.charge,
        duration=first.duration + then.duration,
        partial=first.partial or then.partial,
        current_range=first.current_range if first.current_range == then.current_range else None,
    )
