"""PyProBE's README.yaml: the steps by number, so that its filters find them by the protocol's own names.

The step numbers are those of the exports (`Step ID`, `Step`). This is a description, not a protocol:
nothing is read back from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hilcycler.language.description import describe_step
from hilcycler.language.strict_yaml import Tree
from hilcycler.language.writing import to_yaml
from hilcycler.protocol import Group, Insert, Node, Protocol, Repeat


def to_pyprobe_readme(protocol: Protocol) -> str:
    """The text of the file: one experiment with the protocol's name, its steps, its repeats as cycles."""
    steps: dict[str, Tree] = {}
    cycles: dict[str, Tree] = {}
    _walk(protocol.body, steps, cycles)
    return to_yaml({protocol.name or "protocol": {"Steps": steps, **cycles}})


def _walk(nodes: Sequence[Node], steps: dict[str, Tree], cycles: dict[str, Tree]) -> None:
    for node in nodes:
        match node:
            case Repeat():
                first = len(steps) + 1
                _walk(node.body, steps, cycles)
                cycles[f"Cycle {len(cycles) + 1}"] = {
                    "Start": str(first),
                    "End": str(len(steps)),
                    "Count": str(node.times),
                }
            case Group() | Insert():
                _walk(node.body, steps, cycles)
            case _:
                steps[str(len(steps) + 1)] = describe_step(node, getattr(node, "sampling", None))
