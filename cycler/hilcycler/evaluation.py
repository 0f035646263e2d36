"""Evaluations as plug-ins offer them (entry points `hilcycler.evaluations`): what comes out of a run.

The same code serves a run that is going on and one that has ended: it is fed records, one by one,
and says what each of them completes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from numpy.typing import NDArray

from hilcycler.records import Event, Record, RunEnded, SampleBlock, StepEnded, StepStarted


class Finding(Protocol):
    """One number with its unit and everything needed to quote it."""

    @property
    def name(self) -> str: ...

    def text(self) -> str:
        """Value and unit for people."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        ...


class Accumulator(Protocol):
    """One evaluation of one run."""

    def put(self, record: Record) -> Sequence[Finding]:
        """Take the next record; what it completes."""
        ...

    def finish(self) -> Sequence[Finding]:
        """No more records will come; what was still open. Idempotent."""
        ...

    def summary(self, last: int | None = None) -> Sequence[Finding]:
        """What a paper would quote, over the `last` cycles or over all."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation: what it is for, and a fresh accumulator."""

    name: str
    summary: str
    start: Callable[[], Accumulator]


class Recorded(Protocol):
    """A run that can be read again; `hilcycler.journal.Run` is one."""

    def events(self) -> list[Event]: ...

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[dict[str, NDArray[Any]]]: ...


def replay(run: Recorded) -> Iterator[Record]:
    """The records of a run in the order in which they happened: samples before the end of their step.

    Sample blocks are cut at steps, not where they were cut when they were written.
    """
    blocks = _blocks(run.chunks())
    block = next(blocks, None)
    count = 0
    for event in run.events():
        if isinstance(event, StepStarted):
            count = event.step_count
        if isinstance(event, (StepStarted, StepEnded, RunEnded)):
            reached = count - 1 if isinstance(event, StepStarted) else count
            while block is not None and block.step_count <= reached:
                yield block
                block = next(blocks, None)
        yield event
    if block is not None:
        yield block
        yield from blocks


def evaluate(run: Recorded, evaluation: Evaluation) -> tuple[Accumulator, list[Finding]]:
    """Everything that `evaluation` finds in a run, and the accumulator for its summary."""
    accumulator = evaluation.start()
    found: list[Finding] = []
    for record in replay(run):
        found += accumulator.put(record)
    found += accumulator.finish()
    return accumulator, found


def _blocks(chunks: Iterable[dict[str, NDArray[Any]]]) -> Iterator[SampleBlock]:
    sequence = 0
    for chunk in chunks:
        counts = chunk["step_count"]
        edges = [0, *((counts[1:] != counts[:-1]).nonzero()[0] + 1).tolist(), len(counts)]
        for start, stop in pairwise(edges):
            if stop > start:
                yield SampleBlock(
                    sequence=sequence,
                    step_count=int(counts[start]),
                    step_index=int(chunk["step_index"][start]),
                    cycle=int(chunk["cycle"][start]),
                    columns={
                        name: column[start:stop]
                        for name, column in chunk.items()
                        if name not in {"step_count", "step_index", "cycle"}
                    },
                )
                sequence += stop - start
