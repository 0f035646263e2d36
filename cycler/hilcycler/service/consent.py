"""Some instruments go on for ever when this computer dies. Whoever leaves a cell on one says so first."""

from __future__ import annotations

import math
from typing import Final

from hilcycler.channel import Capabilities
from hilcycler.errors import RequestError
from hilcycler.protocol import Group, Insert, Node, Protocol, Repeat, ends_of
from hilcycler.quantities import Second, duration
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
