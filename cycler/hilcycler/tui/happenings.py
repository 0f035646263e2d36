"""The records that a person at the bench should read, as lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never

from hilcycler.clock import Stamp
from hilcycler.quantities import Second, duration, engineering
from hilcycler.records import (
    Failed,
    Gap,
    ImpedancePoint,
    Note,
    OffState,
    OperatorAction,
    Outcome,
    Record,
    Resumed,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.tui.plain import plain


class Tone(StrEnum):
    """How loud a line is."""

    ALARM = "alarm"
    WARNING = "warning"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Happening:
    """One line: when by the calendar and by test time, what, how loud. The text is safe to show."""

    stamp: Stamp
    test_time: Second
    text: str
    tone: Tone


def happening(record: Record, test_time: Second) -> Happening | None:
    """`record` as a line; None for what the rest of the screen shows anyway."""
    match record:
        case SampleBlock() | StepStarted() | StepEnded() | ImpedancePoint():
            return None
        case RunStarted():
            text, tone = f"run started: {record.protocol_name}", Tone.QUIET
        case Tripped():
            by = f"seen by the {record.seen_by}"
            text, tone = f"TRIP  {record.violation} ({by}); output {off_in_words(record.off)}", Tone.ALARM
        case Failed():
            text = f"FAILED  {record.error}: {record.message}; output {off_in_words(record.off)}"
            tone = Tone.ALARM
        case Gap():
            bound = engineering(record.charge_bound / 3600.0, "Ah")
            span = duration(record.until - record.since)
            text, tone = f"not observed for {span}, at most {bound} passed: {record.reason}", Tone.WARNING
        case Resumed():
            how = "the instrument was still at work" if record.adopted else "the step was begun again"
            text, tone = f"resumed, {how}: {record.reason}", Tone.WARNING
        case OperatorAction():
            why = f": {record.reason}" if record.reason else ""
            text, tone = f"{record.actor}: {record.verb}{why}", Tone.QUIET
        case Note():
            text, tone = record.text, Tone.QUIET
        case RunEnded():
            bad = record.outcome in {Outcome.TRIPPED, Outcome.FAILED} or record.off is OffState.UNCONFIRMED
            why = "" if record.outcome in {Outcome.TRIPPED, Outcome.FAILED} else f": {record.reason}"
            text = f"run {record.outcome}{why}; output {off_in_words(record.off)}"
            tone = Tone.ALARM if bad else Tone.QUIET
        case _:
            assert_never(record)
    return Happening(record.stamp, test_time, plain(text), tone)


def off_in_words(off: OffState) -> str:
    """`OFF`, or in words that nobody overlooks that it is not known."""
    match off:
        case OffState.OFF:
            return "OFF"
        case OffState.UNCONFIRMED:
            return "OFF UNCONFIRMED"
        case _:
            assert_never(off)


def calendar(utc: Second) -> str:
    """`2026-01-31 14:05`, UTC; a stamp beyond the calendar as it is."""
    try:
        return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return f"{utc:.0f} s"
