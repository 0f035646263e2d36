"""The steps that a run has executed, told from its events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hilcycler.journal.chain import Link
from hilcycler.quantities import Ampere, Coulomb, Second, Volt


@dataclass(frozen=True, slots=True)
class ExecutedStep:
    """One executed step.

    `index`, `cycle`: the step as written, and the cycle it was in. `kind`, `name`, `process` are the
    step's own. `first` and `rows`: its samples, by sequence number. `duration`, `charge` (signed),
    `last_voltage`, `last_current` and `ended_by` (kind of the condition met) are None while it goes
    on or if it was cut off; a step that ran its course is ended by "course". `continues`: the count
    of the step that was cut off and whose remainder this is; its result then covers both.
    """

    count: int
    index: int
    cycle: int
    kind: str
    name: str
    process: str | None
    start: Second
    first: int
    rows: int
    duration: Second | None = None
    charge: Coulomb | None = None
    last_voltage: Volt | None = None
    last_current: Ampere | None = None
    ended_by: str | None = None
    partial: bool = False
    continues: int | None = None


def executed_steps(links: Iterable[Link], rows: int) -> list[ExecutedStep]:
    """The executed steps among the events of a run that has `rows` samples."""
    return list(_steps(links, rows))


def _steps(links: Iterable[Link], rows: int) -> Iterator[ExecutedStep]:
    started: tuple[Link, dict[str, Any]] | None = None
    for link in links:
        if link.kind == "step-started":
            if started is not None:
                yield _step(*started, link.rows, None)
            started = link, json.loads(link.record)
        elif link.kind == "step-ended" and started is not None:
            ended = json.loads(link.record)
            if ended["step_count"] == started[1]["step_count"]:
                yield _step(*started, link.rows, ended["result"])
                started = None
    if started is not None:
        yield _step(*started, rows, None)


def _step(link: Link, started: dict[str, Any], stop: int, result: dict[str, Any] | None) -> ExecutedStep:
    step = started["step"]
    place = ExecutedStep(
        count=started["step_count"],
        index=started["step_index"],
        cycle=started["cycle"],
        kind=step["kind"],
        name=step["name"],
        process=step.get("process"),
        start=float(started["test_time"]),
        first=link.rows,
        rows=stop - link.rows,
        continues=started.get("continues"),
    )
    if result is None:
        return place
    return replace(
        place,
        duration=float(result["elapsed"]),
        charge=float(result["charge"]),
        last_voltage=_number(result["last_voltage"]),
        last_current=_number(result["last_current"]),
        ended_by="course" if result["end"] is None else step["ends"][result["end"]]["condition"]["kind"],
        partial=result["partial"],
    )


def _number(value: float | str | None) -> float | None:
    """NaN and infinities are texts in JSON."""
    return None if value is None else float(value)
