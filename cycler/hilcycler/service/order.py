"""What is to be run where, and what must be so before anything is energised."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel, Driver
from hilcycler.clock import Clock
from hilcycler.engine import at_open_circuit
from hilcycler.errors import LinkError, RequestError, StepRefused
from hilcycler.language.course import outside
from hilcycler.links import Connect
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat
from hilcycler.quantities import Volt
from hilcycler.records import RunStarted
from hilcycler.steps import OperatorPause


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: this protocol, on this cell, on the channel that `connect` reaches.

    `flight`: bytes of what passes over the line that are kept beside the run; 0: none.
    `channel` names the pair of leads: a trip latches it. `truth` is a twin's. `clock`: where time does
    not come from this host, nor from the instrument alone. `accepts` are the dangers that somebody
    has agreed to (`consent.HOLDS_FOR_EVER`); `announce` is told, before anything is energised, which.
    `check_cell`: what hangs on the channel must show itself to be `cell`, or nothing is begun; False:
    somebody said that it need not, which is written down; None: a twin's cell is what it is.
    """

    protocol: Protocol
    text: str
    cell: Cell
    driver: Driver
    connect: Connect
    channel: str
    folder: Path
    simulated: bool = False
    truth: dict[str, Any] | None = None
    clock: Clock | None = None
    accepts: frozenset[str] = frozenset()
    announce: Callable[[str], None] | None = None
    check_cell: bool | None = None
    listens: bool = False
    flight: int = 0


def versions_for(protocol: Protocol) -> dict[str, str]:
    """What a run's file says of the software that made it; of what decided, too."""
    versions = {"hilcycler": version("hilcycler"), "python": platform.python_version()}
    if protocol.deciding is not None:
        versions[protocol.deciding.name] = protocol.deciding.version
    return versions


def refuse_other_decisions(header: RunStarted, protocol: Protocol) -> None:
    """A run that was begun with one version of what decides does not go on with another."""
    deciding = protocol.deciding
    if deciding is not None and header.versions.get(deciding.name) != deciding.version:
        raise RequestError(
            f"run {header.run} was begun with version {header.versions.get(deciding.name, 'none')} of "
            f"{deciding.name}; version {deciding.version} is installed and may decide otherwise"
        )


def bench_envelope(capabilities: Capabilities) -> Envelope:
    """What the instrument itself can measure: readings beyond it cannot be judged.

    LinkError while it is busy with something of which there is no run, and does not say what it is: the look
    at a cell that a killed process had begun, for one.
    """
    if not capabilities.current_ranges:
        raise LinkError(
            "the instrument is busy with something that is no run of ours; try again when it is done"
        )
    most = max(each.full_scale for each in capabilities.current_ranges)
    return Envelope(voltage=capabilities.voltage, current=(-most, most))


def check_steps(nodes: tuple[Node, ...], channel: Channel, envelope: Envelope) -> None:
    """Raise StepRefused, before anything is energised, if some step of the protocol cannot run."""
    for node in nodes:
        match node:
            case Repeat() | Group() | Insert():
                check_steps(node.body, channel, envelope)
            case OperatorPause():
                pass
            case _:
                why = outside(node, envelope)
                if why is not None:
                    raise StepRefused(f"{node.kind}: {why}")
                channel.check(at_open_circuit(node, _supposed_open_circuit(envelope)), envelope)


def _supposed_open_circuit(envelope: Envelope) -> Volt:
    """A voltage to check steps with that are set against open circuit, before any is known."""
    lowest, highest = envelope.voltage
    return 0.0 if lowest < 0.0 < highest else 0.5 * (lowest + highest)
