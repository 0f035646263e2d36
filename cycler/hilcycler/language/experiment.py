"""Experiments as plug-ins offer them (entry points `hilcycler.experiments`).

An experiment writes a whole protocol from a few parameters; the evaluations that belong to it are
named beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import Field

from hilcycler.errors import RequestError
from hilcycler.language.strict_model import Strict
from hilcycler.protocol import Deciding, Plan
from hilcycler.steps import Step

P = TypeVar("P", bound=Strict)


@dataclass(frozen=True, slots=True)
class Experiment(Generic[P]):
    """A ready experiment: what it is for, its parameters, and the protocol file it writes.

    `build` gives the content of a protocol file (`protocol`, `safety`, `steps`, ...) as mappings,
    lists and texts; None and empty entries are left out. `seeds` names the published work it redoes. `cell`: what stands as an example in a file to begin with.

    With `decide` it is adaptive: `build` writes the most that may happen, and `decide` makes a plan from
    its steps (see `hilcycler.protocol.Deciding`). `version` is raised whenever it may decide otherwise.
    """

    name: str
    summary: str
    parameters: type[P]
    build: Callable[[P], Mapping[str, Any]]
    evaluations: tuple[str, ...] = field(default=())
    seeds: tuple[str, ...] = field(default=())
    cell: str = "{working: Li, counter: Li, area: 1.131 cm2}"
    decide: Callable[[Sequence[Step], P], Plan] | None = None
    version: str = "1"

    def deciding(self, chosen: P) -> Deciding | None:
        """What decides as the run goes, with these parameters; None where the file says it all."""
        if self.decide is None:
            return None
        return Deciding(self.name, self.version, Decision(self.decide, chosen))


@dataclass(frozen=True, slots=True)
class Decision(Generic[P]):
    """Makes fresh plans, each the same. Equal for equal parameters."""

    decide: Callable[[Sequence[Step], P], Plan]
    chosen: P

    def __call__(self, steps: Sequence[Step]) -> Plan:
        """A plan from its beginning."""
        return self.decide(steps, self.chosen)


def parameter(default: object, description: str) -> Any:  # noqa: ANN401  (it is read as the field's type)
    """A parameter's default, as it would be written in a file, and what it means."""
    return Field(default=default, description=description)


def experiments() -> list[str]:
    """What is installed."""
    return sorted(_installed())


def experiment(name: str) -> Experiment[Any]:
    """The experiment `name`; RequestError if there is none."""
    if name not in _installed():
        raise RequestError(
            f"no experiment is named '{name}'; installed: {', '.join(experiments()) or 'none'}"
        )
    found = _installed()[name].load()
    assert isinstance(found, Experiment), f"entry point {name} is not an Experiment"
    return found


@cache
def _installed() -> dict[str, EntryPoint]:
    """Looked up once: reading the metadata of every installed package takes its time."""
    return {entry.name: entry for entry in entry_points(group="hilcycler.experiments")}
