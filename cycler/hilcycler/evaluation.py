"""Evaluations as plug-ins offer them (entry points `hilcycler.evaluations`): what comes out of a run.

The same code serves a run that is going on and one that has ended: it is fed records, one by one,
and says what each of them completes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    return evaluate_all(run, {evaluation.name: evaluation})[evaluation.name]


def evaluate_all(
    run: Recorded, evaluations: Mapping[str, Evaluation]
) -> dict[str, tuple[Accumulator, list[Finding]]]:
    """As `evaluate`, for several evaluations; the run is read once."""
    found: dict[str, tuple[Accumulator, list[Finding]]] = {
        name: (each.start(), []) for name, each in evaluations.items()
    }
    for record in replay(run):
        for accumulator, findings in found.values():
            findings.extend(accumulator.put(record))
    for accumulator, findings in found.values():
        findings.extend(accumulator.finish())
    return found


def in_columns(finding: Finding) -> dict[str, str]:
    """One number for a table that people read: what it is, of which cycle, how sure, how defined."""
    known = finding.as_dict()
    interval, inputs = known.get("interval95"), known.get("inputs", {})
    scale = float(getattr(getattr(finding, "unit", None), "factor", 1.0))  # from SI to what `text` shows
    where = inputs.get("cycles", inputs.get("cycle", ""))
    defined = (
        inputs.get("definition") or known.get("formula"),
        inputs.get("electrodes"),
        known.get("window"),
    )
    return {
        "quantity": str(known["name"]),
        "cycle": f"{where:g}" if isinstance(where, float) else str(where),
        "value": finding.text(),
        "95 %": "" if interval is None else _interval(interval[0] * scale, interval[1] * scale),
        "definition": "; ".join(str(each) for each in defined if each),
        "reservations": "; ".join(known.get("flags", {}).values()),
    }


def _interval(low: float, high: float) -> str:
    """In two digits of its half-width: more would be invented."""
    half = 0.5 * (high - low)
    if not half > 0.0:
        return f"{low:.6g}"
    if not 1e-6 <= half < 1e6:
        return f"{low:.4g} to {high:.4g}"
    places = max(1 - math.floor(math.log10(half)), 0)
    return f"{low:.{places}f} to {high:.{places}f}"


def refusals(accumulator: Accumulator) -> list[str]:
    """Why an accumulator gave no number where somebody might have expected one."""
    refused = getattr(accumulator, "refused", ())
    return [str(each) for each in (refused.values() if isinstance(refused, Mapping) else refused)]


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
