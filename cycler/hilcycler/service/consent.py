"""What must be agreed to and seen before a run begins, or goes on; what was is written into the run.

Some instruments go on for ever when this computer dies: whoever leaves a cell on one says so first.
And the cell shows that it is the one that was meant, unless somebody says that it need not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel
from hilcycler.clock import Stamp
from hilcycler.engine.entry import Shown, refuse_unless_it_fits, refuse_unless_within
from hilcycler.errors import RequestError
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat, ends_of
from hilcycler.quantities import Second, duration
from hilcycler.records import Event, Note, OperatorAction
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    CyclicVoltammetry,
    LinearSweep,
    OperatorPause,
    Rest,
    SetTemperature,
    Step,
    TimeReached,
)

HOLDS_FOR_EVER: Final = "holds-for-ever"
ATTENDED: Final[Second] = 300.0
"""A step that is over sooner is begun by somebody who is still there."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was agreed to, what the cell showed, and whether somebody said that it need not show itself."""

    consented: str | None = None
    shown: Shown | None = None
    skipped: bool = False

    def events(self, stamp: Stamp) -> tuple[Event, ...]:
        """As they are written into the run."""
        told: list[Event] = []
        if self.shown is not None:
            told.append(Note(f"the cell before the run: {self.shown}", stamp))
        if self.skipped:
            told.append(OperatorAction("operator", "skip-check", "the cell was not looked at first", stamp))
        if self.consented is not None:
            told.append(OperatorAction("operator", "accept", self.consented, stamp))
        return tuple(told)


async def clear_to_begin(
    channel: Channel,
    protocol: Protocol,
    cell: Cell,
    envelope: Envelope,
    accepted: frozenset[str],
    *,
    check_cell: bool | None,
    announce: Callable[[str], None] | None = None,
) -> Cleared:
    """Everything that must be so before `protocol` is begun; RequestError, the output off, if it is not.

    `check_cell`: see that what hangs on the channel is `cell`; False: somebody said not to; None: there
    is nothing to see, for `cell` is a twin's own. `announce` is told what was agreed to and seen.
    """
    refuse_unless_within(channel.capabilities, cell)
    cleared = clear_to_go_on(channel, protocol, accepted, announce=announce)
    if not check_cell:
        return Cleared(cleared.consented, skipped=check_cell is False)
    if announce is not None:
        announce("looking at the cell: a rest, then two small pulses")
    shown = await refuse_unless_it_fits(channel, cell, envelope)
    if announce is not None:
        announce(f"the cell: {shown}")
    return Cleared(cleared.consented, shown)


def clear_to_go_on(
    channel: Channel,
    protocol: Protocol,
    accepted: frozenset[str],
    *,
    announce: Callable[[str], None] | None = None,
) -> Cleared:
    """As `clear_to_begin`, for a run whose process ended: the danger is the same, and so is the question.

    The cell is not looked at: the instrument may still be at work on it, and a cell in the middle of its
    protocol drifts as it likes.
    """
    consented = refuse_without_consent(channel.capabilities, protocol, accepted)
    if consented is not None and announce is not None:
        announce(consented)
    return Cleared(consented)


def refuse_without_consent(
    capabilities: Capabilities, protocol: Protocol, accepted: frozenset[str]
) -> str | None:
    """What was consented to, in words, None where nothing had to be; RequestError without consent."""
    if not capabilities.host_death.holds_for_ever:
        return None
    longest = longest_energised(protocol.body)
    if longest <= ATTENDED:
        return None
    lasts = f"up to {duration(longest)}" if math.isfinite(longest) else "until a condition is met"
    said = (
        f"if this computer dies while a step runs (the longest lasts {lasts}), this is what the "
        f"instrument does: {capabilities.host_death.in_words}"
    )
    if HOLDS_FOR_EVER not in accepted:
        raise RequestError(f"{said}; to run it all the same: --accept {HOLDS_FOR_EVER}")
    return said


def longest_energised(nodes: tuple[Node, ...]) -> Second:
    """How long the longest step with a set-point lasts at most; infinity where only the cell decides."""
    return max((_longest(node) for node in nodes), default=0.0)


def _longest(node: Node) -> Second:
    match node:
        case Repeat() | Group() | Insert():
            return longest_energised(node.body)
        case Rest() | SetTemperature() | OperatorPause():
            return 0.0
        case _:
            return _lasts(node)


def _lasts(step: Step) -> Second:
    most = math.inf
    match step:
        case LinearSweep(start, stop, rate):
            most = abs(stop - start) / rate
        case CyclicVoltammetry():
            scan = abs(step.first_vertex - step.start) + abs(step.second_vertex - step.first_vertex)
            most = step.scans * (scan + abs(step.start - step.second_vertex)) / step.rate
        case _:
            pass
    for end in ends_of(step):
        match end.condition:
            case TimeReached(after):
                most = min(most, after)
            case ChargeReached(charge) if isinstance(step, ConstantCurrent) and step.current:
                most = min(most, charge / abs(step.current))
            case _:
                continue
    return most
