"""Somebody's table as a run: steps and half-cycles are made from its current, spectra from its frequencies.

A cell of another cycler has a sign convention of its own; here positive current charges (oxidises the
working electrode). What plates and what charges follows from the cell: between a metal and copper, or two
of the same metal, negative current plates; in every other cell it discharges. Without a description
the cell counts as one of copper against lithium. How a half-cycle ended is not in such a table: where
all of one direction passed the same charge they count as ended by it, else by their cut-off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell, Electrode
from hilcycler.clock import Stamp
from hilcycler.errors import RequestError
from hilcycler.importing.columns import found_columns, table_of
from hilcycler.protocol import Envelope
from hilcycler.records import (
    Event,
    ImpedancePoint,
    Instrument,
    OffState,
    Outcome,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
)
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    End,
    PotentiostaticImpedance,
    Process,
    Rest,
    Step,
    StepResult,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
)

Real = NDArray[np.float64]

_AT_REST: Final = 1e-3  # of the largest current
_SAME_CHARGE: Final = 1e-3
_METALS: Final = frozenset({"Li", "Na", "K", "Cu"})
_STAMP: Final = Stamp(utc=0.0, monotonic=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """A run made of a table: `hilcycler.evaluation.Recorded`."""

    happened: Sequence[Event]
    samples: Mapping[str, NDArray[Any]]

    def events(self) -> list[Event]:
        return list(self.happened)

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        if self.samples:
            yield {name: each for name, each in self.samples.items() if names is None or name in names}


def read(path: Path, mapping: Mapping[str, str] | None = None, cell: Path | None = None) -> Foreign:
    """The table at `path`; `mapping` is our name to theirs; `cell` a file that describes the cell."""
    described = _cell(cell)
    columns = found_columns(table_of(path), mapping or {})
    start = _started(path, described)
    if "frequency" in columns:
        return Foreign([start, *_spectrum(path, columns), _ENDED], {})
    missing = [name for name in ("time", "voltage", "current") if name not in columns]
    if missing:
        raise RequestError(f"{path}: no column for {', '.join(missing)}; name it with --column OURS=THEIRS")
    events, samples = _stepped(columns, described)
    return Foreign([start, *events, _ENDED], samples)


_ENDED: Final = RunEnded(Outcome.COMPLETED, "end of the file", OffState.UNCONFIRMED, _STAMP)


def _cell(path: Path | None) -> Cell:
    if path is None:
        return Cell(name="not described", working=Electrode("Cu"), counter=Electrode("Li"))
    from hilcycler.language import load_cell

    return load_cell(path)


def _started(path: Path, cell: Cell) -> RunStarted:
    return RunStarted(
        run=path.stem,
        protocol_name="imported",
        protocol_text="",
        protocol_sha256="",
        cell=cell,
        instrument=Instrument("imported", path.suffix, "", ""),
        envelope=Envelope(),
        versions={},
        stamp=_STAMP,
    )


def _spectrum(path: Path, columns: Mapping[str, Real]) -> Iterator[Event]:
    imaginary = columns.get("imaginary")
    if imaginary is None and "minus imaginary" in columns:
        imaginary = -columns["minus imaginary"]
    if imaginary is None or "real" not in columns:
        raise RequestError(f"{path}: a spectrum needs the columns frequency, real and imaginary")
    frequency = columns["frequency"]
    step = PotentiostaticImpedance(0.0, float(frequency.max()), float(frequency.min()), name="imported")
    yield StepStarted(1, 1, 1, step, 0.0, _STAMP)
    for f, re, im in zip(frequency.tolist(), columns["real"].tolist(), imaginary.tolist(), strict=True):
        if f > 0.0:
            yield ImpedancePoint(1, 0.0, f, re, im)
    yield StepEnded(1, StepResult(None, 0.0, 0.0, None, None), 0.0, _STAMP)


def _stepped(columns: Mapping[str, Real], cell: Cell) -> tuple[list[Event], dict[str, NDArray[Any]]]:
    time, voltage, current = (columns[name] for name in ("time", "voltage", "current"))
    keep = np.isfinite(time) & np.isfinite(voltage) & np.isfinite(current)
    time, voltage, current = time[keep], voltage[keep], current[keep]
    if len(time) < 2 or np.any(np.diff(time) < 0.0):
        raise RequestError("the times of the table do not ascend")
    sign = np.where(np.abs(current) < _AT_REST * np.abs(current).max(), 0, np.sign(current)).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(sign)) + 1).tolist(), len(time)]
    spans = [(a, b) for a, b in pairwise(edges) if b > a]
    began = [float(time[a - 1]) if a else _zero(time) for a, _ in spans]
    charges = [
        float(np.trapezoid(current[a:b], time[a:b]) + current[a] * (time[a] - start))
        for (a, b), start in zip(spans, began, strict=True)
    ]
    reduces = _reduction(cell)
    cycles = _cycles(sign, spans, columns.get("cycle"), keep)
    events: list[Event] = []
    counts = np.empty(len(time), dtype=np.int64)
    for at, ((a, b), charge, cycle) in enumerate(zip(spans, charges, cycles, strict=True)):
        count = at + 1
        counts[a:b] = count
        same = [q for q, (c, _) in zip(charges, spans, strict=True) if sign[c] == sign[a]]
        set_by_charge = len(same) < 2 or np.ptp(same) < _SAME_CHARGE * abs(charge)
        step, end = _step(int(sign[a]), charge, float(voltage[b - 1]), reduces, by_charge=bool(set_by_charge))
        elapsed = float(time[b - 1]) - began[at]
        result = StepResult(end, elapsed, charge, float(voltage[b - 1]), float(current[b - 1]))
        events += [
            StepStarted(count, count, cycle, step, began[at], _STAMP),
            StepEnded(count, result, float(time[b - 1]), _STAMP),
        ]
    return events, {
        "test_time": time,
        "voltage": voltage,
        "current": current,
        "range": np.zeros(len(time), dtype=np.uint8),
        "status": np.zeros(len(time), dtype=np.uint8),
        "step_count": counts,
        "step_index": counts,
        "cycle": np.repeat(cycles, [b - a for a, b in spans]),
    }


def _zero(time: Real) -> float:
    """When a table begins: at 0 where its first sample is one sampling interval later, else with that sample."""
    interval = float(np.median(np.diff(time)))
    return 0.0 if 0.0 < time[0] <= 1.5 * interval else float(time[0])


def _reduction(cell: Cell) -> tuple[Process, Process]:
    """What negative and positive current do in this cell."""
    if {cell.working.material, cell.counter.material} <= _METALS:
        return Process.PLATE, Process.STRIP
    return Process.DISCHARGE, Process.CHARGE


def _cycles(
    sign: NDArray[np.int_], spans: Sequence[tuple[int, int]], given: Real | None, keep: NDArray[np.bool_]
) -> list[int]:
    """As the table says, else counted: a new cycle begins with the direction of the first current."""
    if given is not None:
        numbers = given[keep]
        return [int(numbers[a]) if np.isfinite(numbers[a]) else 0 for a, _ in spans]
    first = next((int(sign[a]) for a, _ in spans if sign[a]), 0)
    cycles, now = [], 0
    for a, _ in spans:
        now += sign[a] == first and first != 0
        cycles.append(max(int(now), 1))
    return cycles


def _step(
    sign: int, charge: float, last: float, reduces: tuple[Process, Process], *, by_charge: bool
) -> tuple[Step, int]:
    if sign == 0:
        return Rest((End(TimeReached(0.0)),)), 0
    process = reduces[0] if sign < 0 else reduces[1]
    limit = VoltageBelow(last) if sign < 0 else VoltageAbove(last)
    end = End(ChargeReached(abs(charge))) if by_charge else End(limit)
    return ConstantCurrent(float(sign), (end,), process=process), 0
