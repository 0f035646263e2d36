"""Plug-ins by entry points: drivers, twins, cells, experiments, evaluations."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from hilcycler.channel import Driver
from hilcycler.errors import RequestError
from hilcycler.flight.replayed import Replays
from hilcycler.twin import CellCatalogue, TwinFamily


class Benchmark(Protocol):
    """Measures something and returns rows for a table; its docstring says what in one line."""

    def __call__(self, *, full: bool) -> list[dict[str, Any]]: ...


def names(group: str) -> list[str]:
    """What is installed under `hilcycler.<group>`."""
    return sorted(entry.name for entry in entry_points(group=f"hilcycler.{group}"))


def driver(name: str) -> Driver:
    """The driver family `name`."""
    found = _load("drivers", name)
    assert isinstance(found, Driver), f"entry point {name} is not a Driver"
    return found


def twin(name: str) -> TwinFamily:
    """The twin family `name`."""
    found: TwinFamily = _load("twins", name)
    return found


def twin_family(model: str) -> TwinFamily:
    """The twin family that can be `model`; RequestError with all models there are."""
    known: list[str] = []
    for name in names("twins"):
        family = twin(name)
        if model in family.models:
            return family
        known += family.models
    raise RequestError(f"no simulated instrument named {model!r}; there are: {', '.join(known)}")


def cells() -> list[CellCatalogue]:
    """Every installed catalogue of simulated cells."""
    return [_load("cells", name) for name in names("cells")]


def benchmark(name: str) -> Benchmark:
    """The benchmark `name`."""
    found: Benchmark = _load("benchmarks", name)
    return found


def experiment(name: str) -> Any:  # noqa: ANN401  (see hilcycler.language)
    """The experiment `name`."""
    return _load("experiments", name)


def evaluation(name: str) -> Any:  # noqa: ANN401  (each evaluation has its own inputs)
    """The evaluation `name`."""
    return _load("evaluations", name)


def replays() -> Replays:
    """What turns recorded conversations into simulated instruments."""
    found: Replays = _load("replays", "recording")
    return found


def reproduction(name: str) -> Any:  # noqa: ANN401  (papers, rows of each, and how they are run)
    """The reproduction `name` of published measurements."""
    return _load("reproductions", name)


@cache
def _load(group: str, name: str) -> Any:  # noqa: ANN401  (each caller says what it is)
    for entry in entry_points(group=f"hilcycler.{group}", name=name):
        return entry.load()
    raise RequestError(f"no {group} named {name!r}; installed: {', '.join(names(group)) or 'none'}")
