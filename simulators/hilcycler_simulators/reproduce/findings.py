"""What a reproduction says: numbers beside the cell's truth and the paper's, and which rows are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final


class Status(StrEnum):
    """Of a number or of a whole row."""

    PASSED = "passed"
    FAILED = "failed"
    EXECUTED = "executed"
    NOT_DONE = "not done"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the evaluation of a run says, in the unit of the target; `interval` holds the truth with 95 %.

    `how`: sampling interval, what of the life went through the wire, which formula.
    """

    value: float
    how: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a row: measured through the wire, the cell's truth, what was published."""

    cell: str
    quantity: str
    unit: str
    measured: float
    truth: float
    published: float
    at_least: bool
    conflict: str
    rule: str
    status: Status
    how: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of a paper's table: its numbers, or what was executed, or why not."""

    paper: str
    row: int
    what: str
    status: Status
    reason: str = ""
    numbers: tuple[Number, ...] = ()

    def as_dict(self) -> Mapping[str, Any]:
        """For JSON."""
        return asdict(self)


TRUTH_SHARE: Final = 0.02
PUBLISHED_SHARE: Final = 0.05
FLOORS: Final[Mapping[str, float]] = {"mV": 1.0, "kJ/mol": 1.0}
"""Absolute differences that pass whatever the share."""


def judged(found: Measured, comparison: Any, cell: str, step: float | None) -> Number:  # noqa: ANN401  (see below)
    """`found` beside a `targets.Comparison`; `step`: absolute tolerance where the quantity has one of its own."""
    floor = FLOORS.get(comparison.unit, 0.0) if step is None else step
    truth, published = float(comparison.twin), float(comparison.published)
    if comparison.at_least:
        near, rule = truth >= published, "a published bound: the twin must exceed it"
    elif found.interval is not None:
        near = found.interval[0] <= truth <= found.interval[1]
        rule = "truth inside the 95 % interval"
    else:
        near = abs(found.value - truth) <= max(TRUTH_SHARE * abs(truth), floor)
        rule = f"truth within 2 %{_or(floor, comparison.unit)}"
    if comparison.conflict:
        agrees, rule = True, f"{rule}; the paper contradicts itself"
    elif comparison.at_least:
        agrees = found.value >= published
    else:
        reach = max(PUBLISHED_SHARE * abs(published), floor)
        nearest = found.value
        if found.interval is not None:  # the truth may be anywhere in it
            nearest = min(max(published, found.interval[0]), found.interval[1])
        agrees = abs(nearest - published) <= reach
        of_what = " of the interval" if found.interval is not None else ""
        rule += f", published within 5 %{_or(floor, comparison.unit)}{of_what}"
    return Number(
        cell=cell,
        quantity=comparison.quantity,
        unit=comparison.unit,
        measured=found.value,
        truth=truth,
        published=published,
        at_least=comparison.at_least,
        conflict=comparison.conflict,
        rule=rule,
        status=Status.PASSED if near and agrees else Status.FAILED,
        how=found.how,
        interval=found.interval,
    )


def _or(floor: float, unit: str) -> str:
    return f" or {floor:g} {unit}" if floor else ""
