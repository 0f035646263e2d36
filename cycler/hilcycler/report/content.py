"""What the figures of a run are drawn from, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from hilcycler import registry
from hilcycler.evaluation import Accumulator, Finding, evaluate_all
from hilcycler.journal import open_run
from hilcycler.records import Event, Gap, ImpedancePoint, RunEnded, RunStarted, StepStarted

DRAWN: Final = ("overpotential", "coulombic-efficiency", "retention", "impedance")
"""The evaluations that the figures show."""


class Fitted(Protocol):
    """An equivalent circuit that was fitted to a spectrum."""

    def impedance(self, frequency: NDArray[np.float64]) -> NDArray[np.complexfloating]:
        """The fitted curve, in ohm."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """One spectrum as measured; `impedance` in ohm with the physical sign."""

    step_count: int
    cycle: int
    frequency: NDArray[np.float64]
    impedance: NDArray[np.complex128]
    fit: Fitted | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PerCycle:
    """One number a cycle as the field writes it, and everything that its axis must say.

    `low` and `high` bound the 95 % interval; NaN where there is none.
    """

    cycles: NDArray[np.float64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    name: str
    unit: str
    definition: str
    circumstances: str


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """A run. Samples are broken by NaN where nothing was observed; `cycle` goes with them.

    `events` are all of the run; `found` what every evaluation that was asked said, by its name.
    """

    header: RunStarted
    ended: RunEnded | None
    time: NDArray[np.float64]
    voltage: NDArray[np.float64]
    cycle: NDArray[np.float64]
    spectra: tuple[Spectrum, ...] = ()
    per_cycle: Mapping[str, PerCycle] = field(default_factory=dict)
    events: Sequence[Event] = ()
    found: Mapping[str, tuple[Accumulator, list[Finding]]] = field(default_factory=dict)


def read(path: Path, evaluations: Sequence[str] = DRAWN) -> Content:
    """Everything in the file at `path` that is shown, evaluated by those plug-ins that are installed."""
    run = open_run(path)
    events = run.events()
    columns = run.columns(("test_time", "voltage", "cycle"))
    time, voltage, cycle = _broken(events, columns)
    installed = registry.names("evaluations")
    found = evaluate_all(run, {name: registry.evaluation(name) for name in evaluations if name in installed})
    fits = getattr(found["impedance"][0], "fits", {}) if "impedance" in found else {}
    series = {name: _per_cycle(found[name][1]) for name in DRAWN if name in found and name != "impedance"}
    return Content(
        header=run.header,
        ended=run.ended,
        time=time,
        voltage=voltage,
        cycle=cycle,
        spectra=_spectra(events, fits),
        per_cycle={name: each for name, each in series.items() if each is not None},
        events=events,
        found=found,
    )


def _broken(
    events: Sequence[Event], columns: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The samples with a NaN where a line between two of them would claim what nobody observed."""
    since = [event.since for event in events if isinstance(event, Gap)]
    first_points: dict[int, float] = {}
    for event in events:
        if isinstance(event, ImpedancePoint):
            first_points.setdefault(event.step_count, event.test_time)
    time = columns["test_time"]
    at = np.unique(np.searchsorted(time, [*since, *first_points.values()], side="right"))
    inside = at[(at > 0) & (at < len(time))]
    broken = {name: np.insert(column.astype(np.float64), inside, np.nan) for name, column in columns.items()}
    return broken["test_time"], broken["voltage"], broken["cycle"]


def _spectra(events: Sequence[Event], fits: Mapping[int, Fitted]) -> tuple[Spectrum, ...]:
    cycles: dict[int, int] = {}
    points: dict[int, list[ImpedancePoint]] = {}
    for event in events:
        if isinstance(event, StepStarted):
            cycles[event.step_count] = event.cycle
        elif isinstance(event, ImpedancePoint):
            points.setdefault(event.step_count, []).append(event)
    return tuple(
        Spectrum(
            count,
            cycles.get(count, 0),
            np.array([p.frequency for p in those]),
            np.array([complex(p.real, p.imaginary) for p in those]),
            fits.get(count),
        )
        for count, those in points.items()
    )


def _per_cycle(found: Sequence[Finding]) -> PerCycle | None:
    """The first finding of each cycle, which is the one that the evaluation would quote."""
    first: dict[float, dict[str, Any]] = {}
    unit: Any = None
    for finding in found:
        known = finding.as_dict()
        cycle = str(known.get("inputs", {}).get("cycles", ""))
        if cycle.isdecimal() and float(cycle) not in first:
            first[float(cycle)] = known
            unit = unit or getattr(finding, "unit", None)
    if not first:
        return None
    one = next(iter(first.values()))
    inputs, scale = one["inputs"], float(getattr(unit, "factor", 1.0))
    unknown = (np.nan, np.nan)
    intervals = np.array([each.get("interval95") or unknown for each in first.values()], dtype=np.float64)
    return PerCycle(
        np.array(list(first)),
        scale * np.array([each["value"] for each in first.values()], dtype=np.float64),
        scale * intervals[:, 0],
        scale * intervals[:, 1],
        str(one["name"]),
        str(getattr(unit, "shown", one["unit"])),
        str(inputs.get("definition", one.get("formula", ""))),
        ", ".join(str(each) for each in (one.get("window"), inputs.get("electrodes")) if each),
    )
