"""What is measured again when a run goes on after a pause: the open circuit, and a spectrum where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hilcycler.protocol import Group, Insert, Node, Repeat
from hilcycler.quantities import Second
from hilcycler.steps import (
    End,
    GalvanostaticImpedance,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    Step,
    TimeReached,
)

REST: Final[Second] = 60.0
ASIDE: Final = 0
"""Step index of what is not in the protocol: its results are not the protocol's."""


def after_a_pause(nodes: Sequence[Node]) -> tuple[Step, ...]:
    """A rest of a minute, then the protocol's first spectrum."""
    rest = Rest((End(TimeReached(REST)),), Sampling(decide=1.0, every=1.0), name="open circuit after a pause")
    spectrum = _spectrum(nodes)
    return (rest,) if spectrum is None else (rest, spectrum)


def _spectrum(nodes: Sequence[Node]) -> Step | None:
    for node in nodes:
        match node:
            case Repeat() | Group() | Insert():
                found = _spectrum(node.body)
                if found is not None:
                    return found
            case PotentiostaticImpedance() | GalvanostaticImpedance():
                return node
            case _:
                continue
    return None
