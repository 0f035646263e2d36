"""The closed union of records: what happened, as frozen values. Sinks know nothing else.

Samples travel as blocks of columns; everything else is an event that can be written as JSON and
read back (`to_json`, `from_json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter

from hilcycler.cell import Cell
from hilcycler.clock import Stamp
from hilcycler.errors import JournalError
from hilcycler.protocol import Envelope, Violation
from hilcycler.quantities import Ampere, Coulomb, Hertz, Ohm, Second, Volt
from hilcycler.steps import Step, StepResult


class Status(IntFlag):
    """What the instrument said about a sample; 0 is a good one."""

    OK = 0
    TIMING_MISSED = 1
    OVERLOAD = 2
    UNDERLOAD = 4
    NEAR_OVERLOAD = 8


class OffState(StrEnum):
    """What is known of the output after it was switched off."""

    OFF = "off"
    UNCONFIRMED = "off unconfirmed"


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    TRIPPED = "tripped"
    FAILED = "failed"


COLUMNS: Final[Mapping[str, str]] = {
    "test_time": "<f8",
    "voltage": "<f8",
    "current": "<f8",
    "range": "u1",
    "status": "u1",
    "temperature": "<f4",
}
"""Every column a block may carry: seconds, volts, amperes, the instrument's range index, status
flags, kelvin. All but temperature are always there."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleBlock:
    """Samples of one step, oldest first, as columns of equal length named as in COLUMNS.

    `sequence` is the number of the first row; rows of a run are numbered from 0 without gaps.
    """

    sequence: int
    step_count: int
    step_index: int
    cycle: int
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["test_time"])


@dataclass(frozen=True, slots=True)
class Instrument:
    """Who measured."""

    driver: str
    model: str
    serial: str
    firmware: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class CurrentRange:
    """One current range: its index in sample blocks, its full scale, its accuracy.

    Accuracy of a reading: `gain` of the reading plus `offset`.
    """

    index: int
    full_scale: Ampere
    gain: float
    offset: Ampere


@dataclass(frozen=True, slots=True)
class VoltageRange:
    """One voltage range: its full scale (both signs), its accuracy as that of a CurrentRange."""

    index: int
    full_scale: Volt
    gain: float
    offset: Volt


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Everything that is needed to understand the rest of the file.

    `voltage_gain` (of the reading) and `voltage_offset`, on the range that holds the envelope, and
    `current_ranges` are what the instrument promises of its readings; `voltage_ranges` are all that it
    has. `truth` is a twin's.
    """

    run: str
    protocol_name: str
    protocol_text: str
    protocol_sha256: str
    cell: Cell
    instrument: Instrument
    envelope: Envelope
    versions: dict[str, str]
    stamp: Stamp
    planned_steps: int | None = None
    truth: dict[str, Any] | None = None
    channel: str = ""
    voltage_gain: float = 0.0
    voltage_offset: Volt = 0.0
    current_ranges: tuple[CurrentRange, ...] = ()
    voltage_ranges: tuple[VoltageRange, ...] = ()
    kind: Literal["run-started"] = "run-started"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step is about to be given to the instrument. Durable before the output goes on.

    `test_time` is where the step's own time zero lies; `stamp` the host's clocks at that instant.
    `step_count` is that of executed steps, from 1; it never repeats. `continues` is the count of the
    step that was cut off and whose remainder this is; the two share one StepEnded.
    """

    step_count: int
    step_index: int
    cycle: int
    step: Step
    test_time: Second
    stamp: Stamp
    continues: int | None = None
    kind: Literal["step-started"] = "step-started"


@dataclass(frozen=True, slots=True)
class ImpedancePoint:
    """One frequency of a spectrum. `imaginary` has the physical sign: capacitive is negative."""

    step_count: int
    test_time: Second
    frequency: Hertz
    real: Ohm
    imaginary: Ohm
    current_range: int = 0
    voltage_range: int = 0
    status: int = 0
    kind: Literal["impedance-point"] = "impedance-point"


@dataclass(frozen=True, slots=True)
class StepEnded:
    """The step's result, as the protocol was told it: a checkpoint."""

    step_count: int
    result: StepResult
    test_time: Second
    stamp: Stamp
    kind: Literal["step-ended"] = "step-ended"


@dataclass(frozen=True, slots=True)
class Tripped:
    """A safety limit was crossed; `off` is what is known of the output since."""

    step_count: int
    violation: Violation
    seen_by: Literal["instrument", "host"]
    off: OffState
    stamp: Stamp
    kind: Literal["tripped"] = "tripped"


@dataclass(frozen=True, slots=True)
class Failed:
    """Something broke: the link, the instrument, our own code. Not a safety limit."""

    step_count: int
    error: str
    message: str
    off: OffState
    stamp: Stamp
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was observed between two test times; `charge_bound` is the most that can have passed."""

    step_count: int
    since: Second
    until: Second
    charge_bound: Coulomb
    reason: str
    stamp: Stamp
    kind: Literal["gap"] = "gap"


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run goes on after its process ended; `adopted`: the instrument was still at work."""

    step_count: int
    adopted: bool
    reason: str
    stamp: Stamp
    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """Somebody asked for something."""

    actor: str
    verb: str
    reason: str
    stamp: Stamp
    detail: dict[str, str] = field(default_factory=dict)
    kind: Literal["operator-action"] = "operator-action"


@dataclass(frozen=True, slots=True)
class Note:
    """Worth knowing later: lost packets, a slow disk, a clock step."""

    text: str
    stamp: Stamp
    kind: Literal["note"] = "note"


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last record of a run; a file without one is of a run that is going on or was cut off."""

    outcome: Outcome
    reason: str
    off: OffState
    stamp: Stamp
    kind: Literal["run-ended"] = "run-ended"


Event: TypeAlias = (
    RunStarted
    | StepStarted
    | ImpedancePoint
    | StepEnded
    | Tripped
    | Failed
    | Gap
    | Resumed
    | OperatorAction
    | Note
    | RunEnded
)
Record: TypeAlias = SampleBlock | Event

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(
    Annotated[Event, Field(discriminator="kind")],
    # JSON has no word for them, and an envelope without limits is full of them.
    config=ConfigDict(ser_json_inf_nan="strings"),
)


def to_json(event: Event) -> str:
    """One event as one line of JSON."""
    return _EVENT.dump_json(event).decode()


def from_json(text: str | bytes) -> Event:
    """The event that `to_json` wrote; JournalError for anything else."""
    try:
        return _EVENT.validate_json(text)
    except ValueError as error:
        raise JournalError(f"not an event: {error}") from error
