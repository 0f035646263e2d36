"""What a run did, from its events alone: equal steps told once, with how often and how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from hilcycler.cell import Cell, Electrode
from hilcycler.language.description import describe_condition, describe_step
from hilcycler.protocol import ends_of
from hilcycler.quantities import Second, duration
from hilcycler.records import (
    Event,
    Failed,
    Gap,
    ImpedancePoint,
    Note,
    OperatorAction,
    Resumed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.steps import Step

_CM2: Final = 1e4


@dataclass(slots=True)
class Executed:
    """Equal steps together. `ended`: how often by which condition; `elapsed`: all of them, s."""

    step: Step
    count: int = 0
    first_cycle: int = 0
    last_cycle: int = 0
    elapsed: Second = 0.0
    partial: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def cycles(self) -> str:
        """From which to which cycle; empty outside of cycles."""
        if not self.last_cycle:
            return ""
        if self.first_cycle == self.last_cycle:
            return str(self.last_cycle)
        return f"{self.first_cycle} to {self.last_cycle}"

    @property
    def what(self) -> str:
        return describe_step(self.step)

    @property
    def ends(self) -> str:
        """How they ended, the most usual first."""
        told = [f"{count} × {how}" for how, count in self.ended.most_common()]
        cut_off = self.count - sum(self.ended.values())
        return "; ".join([*told, *([f"{cut_off} × cut off"] if cut_off else [])])


def executed(events: Iterable[Event]) -> list[Executed]:
    """In the order in which each kind of step was first begun. A step that was resumed counts once."""
    found: dict[Step, Executed] = {}
    running: dict[int, Executed] = {}
    for event in events:
        match event:
            case StepStarted():
                one = found.setdefault(event.step, Executed(event.step, first_cycle=event.cycle))
                if event.continues is None:
                    one.count += 1
                one.last_cycle = event.cycle
                running[event.step_count] = one
            case StepEnded() if event.step_count in running:
                one = running.pop(event.step_count)
                one.ended[_ended_by(one.step, event.result.end)] += 1
                one.elapsed += event.result.elapsed
                one.partial += event.result.partial
            case _:
                pass
    return list(found.values())


def _ended_by(step: Step, end: int | None) -> str:
    ends = ends_of(step)
    if end is None or not 0 <= end < len(ends):
        return "it ran its course"
    return describe_condition(ends[end].condition)


def methods(header: RunStarted, ended: RunEnded | None, steps: Sequence[Executed], rows: int) -> str:
    """One paragraph, for the experimental section; every number in it is of what was done."""
    cell, instrument = header.cell, header.instrument
    simulated = "a simulated " if instrument.simulated else "a "
    firmware = f", firmware {instrument.firmware}" if instrument.firmware else ""
    serial = f" (serial number {instrument.serial}{firmware})" if instrument.serial else ""
    until = f" to {at_utc(ended.stamp.utc)}" if ended else ""
    by = f"{simulated}{instrument.model}{serial}"
    sentences = [f"{_cell(cell)} was measured with {by} from {at_utc(header.stamp.utc)}{until}"]
    for one in steps:
        often = "once" if one.count == 1 else f"{one.count} times"
        cycles = (
            f", {'cycles' if one.first_cycle != one.last_cycle else 'cycle'} {one.cycles}"
            if one.cycles
            else ""
        )
        sentences.append(
            f"{one.what[:1].upper()}{one.what[1:]} ({often}{cycles}, {duration(one.elapsed)} in all)"
        )
    sentences.append(f"{rows} samples were recorded")
    return ". ".join(sentences) + "."


def _cell(cell: Cell) -> str:
    pair = f"{_electrode(cell.working)} against {_electrode(cell.counter)}"
    parts = [pair]
    if cell.reference is not None:
        parts.append(f"{cell.reference.material} as reference")
    if cell.area is not None:
        parts.append(f"areal quantities on {_CM2 * cell.area:.4g} cm²")
    if cell.electrolyte:
        parts.append(cell.electrolyte)
    return f"The cell {cell.name} ({', '.join(parts)})"


def _electrode(electrode: Electrode) -> str:
    mass = f" with {1e6 * electrode.active_mass:.4g} mg active mass" if electrode.active_mass else ""
    return f"{electrode.material}{mass}"


def at_utc(utc: float) -> str:
    """An instant for people."""
    return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that somebody should know of. `grave`: the cell or the data suffered."""

    when: str
    what: str
    detail: str
    grave: bool = False


def happenings(events: Iterable[Event]) -> list[Happening]:
    """Trips, failures, gaps, restarts, what people did, notes: everything but the steps themselves."""
    return [told for event in events if (told := _happening(event)) is not None]


def _happening(event: Event) -> Happening | None:
    match event:
        case RunStarted() | StepStarted() | StepEnded() | ImpedancePoint():
            return None
        case Tripped():
            detail = f"{event.violation}; seen by the {event.seen_by}; output {event.off}"
            return Happening(at_utc(event.stamp.utc), "trip", detail, grave=True)
        case Failed():
            return Happening(
                at_utc(event.stamp.utc),
                "failure",
                f"{event.error}: {event.message}; output {event.off}",
                grave=True,
            )
        case Gap():
            detail = (
                f"nothing was observed for {duration(event.until - event.since)}; "
                f"at most {event.charge_bound / 3.6:.4g} mAh passed; {event.reason}"
            )
            return Happening(at_utc(event.stamp.utc), "gap", detail, grave=True)
        case Resumed():
            adopted = (
                "the step that was going on was adopted" if event.adopted else "the rest of the step was run"
            )
            return Happening(at_utc(event.stamp.utc), "resumed", f"{adopted}; {event.reason}")
        case OperatorAction():
            detail = ", ".join(f"{key} {value}" for key, value in event.detail.items())
            return Happening(
                at_utc(event.stamp.utc),
                f"{event.actor}: {event.verb}",
                "; ".join(filter(None, (event.reason, detail))),
            )
        case Note():
            return Happening(at_utc(event.stamp.utc), "note", event.text)
        case RunEnded():
            detail = f"{event.reason}; output {event.off}" if event.reason else f"output {event.off}"
            return Happening(at_utc(event.stamp.utc), f"run {event.outcome}", detail)
