"""The rows of a run as every export needs them: samples with what belongs to them, piece by piece.

Memory is bounded by the piece, not by the run. The same run gives the same numbers to the last bit,
however its samples were chunked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import AMPERE_HOUR, ZERO_CELSIUS
from hilcycler.records import Event, RunEnded, RunStarted, StepStarted
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Process,
    Rest,
    SetTemperature,
    Step,
)

PIECE: Final = 16_384
"""Rows formatted at a time."""

_NAMES: Final = ("test_time", "voltage", "current", "range", "status", "temperature", "step_count", "cycle")

Rows = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Source(Protocol):
    """What an export needs of a run; `hilcycler.journal.Run` is one."""

    @property
    def header(self) -> RunStarted: ...

    @property
    def ended(self) -> RunEnded | None: ...

    def events(self) -> list[Event]: ...

    def chunks(self, names: Sequence[str]) -> Iterator[Rows]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some consecutive rows. SI, but for charge in Ah and temperature in degC (NaN: not measured).

    `unix_time` follows the host's clock at the start of each step. `net_charge` is that of the run
    up to the row, by trapezoids within each step; at open circuit nothing passes.
    """

    test_time: Floats
    voltage: Floats
    current: Floats
    unix_time: Floats
    cycle: Counts
    step_count: Counts
    temperature: Floats
    step_time: Floats
    net_charge: Floats
    range: Counts
    status: Counts
    step: Counts
    """Position of the row's step in `Table.steps`."""

    def __len__(self) -> int:
        return len(self.test_time)


class Table:
    """A run as rows."""

    def __init__(self, run: Source) -> None:
        self._run = run
        self.steps = [event for event in run.events() if isinstance(event, StepStarted)]
        self._counts = np.array([step.step_count for step in self.steps], np.int64)
        self._starts = np.array([step.test_time for step in self.steps], np.float64)
        self._utc = np.array([step.stamp.utc for step in self.steps], np.float64)
        self._open = np.array([type_of(step.step) in {"REST", "PAUSE"} for step in self.steps], bool)

    def pieces(self, rows: int = PIECE) -> Iterator[Piece]:
        """All rows, oldest first, `rows` at a time, wherever the run's own chunks end."""
        charge, before = 0.0, None
        for part in _portions(self._run.chunks(_NAMES), rows):
            piece = self._piece(part, charge, before)
            charge, before = float(piece.net_charge[-1]), piece
            yield piece

    def _piece(self, rows: Rows, charge: float, before: Piece | None) -> Piece:
        time, current = rows["test_time"], rows["current"]
        step = np.searchsorted(self._counts, rows["step_count"])
        start = self._starts[step]
        passed = self._charges(time, current, step, before)
        return Piece(
            test_time=time,
            voltage=rows["voltage"],
            current=current,
            unix_time=np.round(self._utc[step] + (time - start), 6),
            cycle=rows["cycle"],
            step_count=rows["step_count"],
            temperature=np.round(rows["temperature"].astype(np.float64) - ZERO_CELSIUS, 4),
            step_time=np.round(time - start, 9),
            net_charge=np.cumsum(np.concatenate(([charge], passed)))[1:],
            range=rows["range"].astype(np.int64),
            status=rows["status"].astype(np.int64),
            step=step,
        )

    def _charges(self, time: Floats, current: Floats, step: Counts, before: Piece | None) -> Floats:
        """What passed since the row before, or since the step began where the row is its first, in Ah."""
        last = (
            (time[0], current[0], -1)
            if before is None
            else (before.test_time[-1], before.current[-1], before.step[-1])
        )
        earlier = np.concatenate(([last[0]], time[:-1]))
        earlier_current = np.concatenate(([last[1]], current[:-1]))
        first = np.concatenate(([last[2]], step[:-1])) != step
        span = np.where(first, time - self._starts[step], time - earlier)
        mean = np.where(first, current, 0.5 * (current + earlier_current))
        return np.where(self._open[step], 0.0, mean * span / AMPERE_HOUR)


def _portions(chunks: Iterator[Rows], size: int) -> Iterator[Rows]:
    """The same rows in portions of `size`; the last may be smaller."""
    held: list[Rows] = []
    count = 0
    for chunk in chunks:
        start, length = 0, len(chunk["test_time"])
        while start < length:
            stop = min(length, start + size - count)
            held.append({name: column[start:stop] for name, column in chunk.items()})
            count += stop - start
            start = stop
            if count == size:
                yield _joined(held)
                held, count = [], 0
    if count:
        yield _joined(held)


def _joined(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def type_of(step: Step) -> str:
    """The step type in the words of the Battery Data Format; positive current charges."""
    match step:
        case Rest() | SetTemperature():
            return "REST"
        case ConstantCurrent():
            return "CC_CHG" if step.current > 0.0 else "CC_DCH"
        case ConstantCurrentConstantVoltage():
            return "CCCV_CHG" if step.current > 0.0 else "CCCV_DCH"
        case ConstantVoltage():
            return {Process.CHARGE: "CV_CHG", Process.STRIP: "CV_CHG", None: "CV"}.get(step.process, "CV_DCH")
        case PotentiostaticImpedance() | GalvanostaticImpedance():
            return "EIS"
        case LinearSweep():
            return "LSV"
        case CyclicVoltammetry():
            return "CYCLIC_VOLTAMMETRY"
        case OperatorPause():
            return "PAUSE"
        case _:
            assert_never(step)


def process_of(step: Step) -> str:
    """`plate`, `strip`, `charge`, `discharge`, or nothing."""
    process = getattr(step, "process", None)
    return str(process) if process is not None else ""
