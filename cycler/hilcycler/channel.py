"""What the engine may ask of any instrument: the seam between the engine and the drivers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from hilcycler.links import Connect, SerialSettings
from hilcycler.protocol import Envelope, Violation
from hilcycler.quantities import Hertz, Ohm, Second, Volt
from hilcycler.records import CurrentRange as CurrentRange  # noqa: PLC0414  (re-exported: drivers name it)
from hilcycler.records import Instrument, OffState
from hilcycler.records import VoltageRange as VoltageRange  # noqa: PLC0414
from hilcycler.steps import Step


class Mode(StrEnum):
    """Who steps through the protocol."""

    AUTONOMOUS_PROGRAM = "the instrument runs the whole program"
    AUTONOMOUS_STEP = "the instrument runs one step with its cut-offs inside"
    HOST_STEPPED = "the host samples and decides"


@dataclass(frozen=True, slots=True)
class HostDeath:
    """What the instrument does when this computer dies in the middle of a step.

    `holds_for_ever`: it keeps the set-point with nobody watching, which needs explicit consent.
    """

    in_words: str
    holds_for_ever: bool


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one identified channel can do.

    `voltage` is the window that a cell must stay in, signed. `voltage_gain` and `voltage_offset` hold
    everywhere in it; `voltage_ranges` say it of each range, where there are several. `at_rest` says what
    a rest is, in words: disconnected, or 0 A with the output on, and what its offset costs in charge;
    `off_is_known_by` what OFF rests on, where it is less than a read-back with no current seen.
    """

    mode: Mode
    techniques: frozenset[type]
    voltage: tuple[Volt, Volt]
    voltage_gain: float
    voltage_offset: Volt
    current_ranges: tuple[CurrentRange, ...]
    fastest_sampling: Second
    turnaround: Second
    host_death: HostDeath
    highest_frequency: Hertz = 0.0
    lowest_frequency: Hertz = 0.0
    voltage_ranges: tuple[VoltageRange, ...] = ()
    at_rest: str = "disconnected: nothing flows"
    off_is_known_by: str = ""

    def voltage_range(self, window: tuple[Volt, Volt]) -> VoltageRange:
        """The smallest range that holds `window`: what voltages are measured on within an envelope."""
        most = max(map(abs, window))
        whole = VoltageRange(0, max(map(abs, self.voltage)), self.voltage_gain, self.voltage_offset)
        holding = [each for each in self.voltage_ranges if each.full_scale >= most]
        return min(holding, key=lambda each: each.full_scale, default=whole)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Rows of the running step, in columns named as in `records.COLUMNS`.

    But `step_time` (seconds since the step began, by the instrument's own timer) stands in place
    of `test_time`.
    """

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["step_time"])


@dataclass(frozen=True, slots=True)
class Impedance:
    """One point of the running spectrum; `imaginary` has the physical sign."""

    step_time: Second
    frequency: Hertz
    real: Ohm
    imaginary: Ohm
    current_range: int = 0
    voltage_range: int = 0
    status: int = 0


@dataclass(frozen=True, slots=True)
class ConditionMet:
    """The step ended as asked. `end` is the position among the step's ends; None: ran its course."""

    end: int | None
    elapsed: Second


@dataclass(frozen=True, slots=True)
class EnvelopeCrossed:
    """The instrument ended the step because a safety limit loaded into it was crossed."""

    violation: Violation
    elapsed: Second


@dataclass(frozen=True, slots=True)
class Remark:
    """Worth knowing later about how the running step is done: what a rest costs, a range that changed."""

    text: str


Measured: TypeAlias = Samples | Impedance | Remark | ConditionMet | EnvelopeCrossed


class Activity(StrEnum):
    """What the instrument is doing now."""

    IDLE = "idle"
    RUNNING = "running a step"
    UNKNOWN = "unknown"


class Channel(Protocol):
    """One pair of leads, identified and ready. See docs/drivers.md for the duties of each method."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def instrument(self) -> Instrument: ...

    def check(self, step: Step, envelope: Envelope) -> None:
        """Raise StepRefused, with the reason, if this channel cannot run `step`. Sends nothing."""
        ...

    async def start(self, step: Step, envelope: Envelope) -> None:
        """Load the step with its cut-offs and the envelope, then energise.

        Returns when the instrument has accepted it. Raises StepRefused, LinkError, WireError or
        InstrumentError; whatever it raises, the caller calls `safe`.
        """
        ...

    def records(self) -> AsyncIterator[Measured]:
        """What the running step measures, ending with ConditionMet or EnvelopeCrossed.

        Raises LinkError, WireError or InstrumentError; silence beyond the step's own deadline is a
        LinkTimeout.
        """
        ...

    async def safe(self) -> OffState:
        """De-energise, whatever the state, and read it back. Idempotent; never raises.

        Reopens the link where it cannot be trusted. Bounded in time.
        """
        ...

    async def state(self) -> Activity:
        """What the instrument is doing, asked without disturbing it: for adoption after a restart."""
        ...

    async def adopt(self, step: Step, envelope: Envelope) -> bool:
        """Take over `step` that the instrument is still running; False if it no longer is.

        After True, `records` goes on with what is measured from now on.
        """
        ...


class InWords(Protocol):
    """What passes over a line, as a person reads it: for the flight recorder. Takes any bytes, in any chunks."""

    def sent(self, data: bytes) -> Sequence[str]:
        """What the host said, once it is said whole."""
        ...

    def received(self, data: bytes) -> Sequence[str]:
        """What the instrument said."""
        ...


OpenChannel: TypeAlias = Callable[[Connect], AbstractAsyncContextManager[Channel]]


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver family as entry points offer it (group `hilcycler.drivers`).

    `hardware` says what was tried on physical instruments, in the words users read. `in_words` reads a
    recorded conversation aloud.
    """

    name: str
    models: tuple[str, ...]
    open: OpenChannel
    serial: SerialSettings
    hardware: str
    notes: tuple[str, ...] = field(default_factory=tuple)
    in_words: Callable[[], InWords] | None = None
