"""Half-cycles: what was plated, stripped, charged or discharged in one go, by the name of the process.

Never by the sign of the current: stripping copper is a charge in one convention and a discharge in
the other, and an efficiency computed by sign is then its own inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Coulomb, Second, Volt
from hilcycler.records import Gap, Record, RunEnded, RunStarted, SampleBlock, StepEnded, StepStarted
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    Process,
    StepResult,
)


@dataclass(frozen=True, slots=True, eq=False)
class HalfCycle:
    """Steps of one process in one cycle with nothing of another process between them.

    Columns hold the samples of these steps only: `test_time` (s), `voltage` (V), `current` (A), and
    `passed`, the magnitude of the charge since the half-cycle began (C). `charge` is what the step
    results say, as magnitude. `partial`: not wholly observed, or not ended by its own steps.
    """

    cycle: int
    process: Process
    step_counts: tuple[int, ...]
    results: tuple[StepResult, ...]
    partial: bool
    test_time: NDArray[np.float64]
    voltage: NDArray[np.float64]
    current: NDArray[np.float64]
    passed: NDArray[np.float64]

    @property
    def charge(self) -> Coulomb:
        return abs(sum(result.charge for result in self.results))

    @property
    def duration(self) -> Second:
        return sum(result.elapsed for result in self.results)

    @property
    def last_voltage(self) -> Volt | None:
        """When its last step ended."""
        return self.results[-1].last_voltage if self.results else None


@dataclass(slots=True)
class _Open:
    """A half-cycle that is going on."""

    cycle: int
    process: Process
    starts: dict[int, Second] = field(default_factory=dict)
    results: list[StepResult] = field(default_factory=list)
    blocks: list[SampleBlock] = field(default_factory=list)
    unfinished: bool = False
    partial: bool = False


class HalfCycles:
    """Groups the records of a run, as they come. Holds the samples of one half-cycle at a time."""

    def __init__(self) -> None:
        self._open: _Open | None = None
        self._count = 0

    def put(self, record: Record) -> Iterator[HalfCycle]:
        """The half-cycle that `record` closes, if it does: the next one begins, or the run ends."""
        match record:
            case RunStarted():
                self._open = None
            case StepStarted():
                yield from self._started(record)
            case SampleBlock() if self._open is not None and record.step_count in self._open.starts:
                self._open.blocks.append(record)
            case StepEnded() if self._open is not None and record.step_count == self._count:
                self._open.results.append(record.result)
                self._open.partial |= record.result.partial
                self._open.unfinished = False
            case Gap() if self._open is not None and record.step_count in self._open.starts:
                self._open.partial = True
            case RunEnded():
                yield from self.finish()
            case _:
                pass

    def finish(self) -> Iterator[HalfCycle]:
        """The half-cycle that was still open."""
        if self._open is not None and self._open.starts:
            yield _closed(self._open)
        self._open = None

    def _started(self, record: StepStarted) -> Iterator[HalfCycle]:
        match record.step:
            case ConstantCurrent() | ConstantCurrentConstantVoltage() | ConstantVoltage() as driven:
                process = driven.process
            case _:
                return  # rests and spectra pass no charge to speak of: the half-cycle may go on after them
        current = self._open
        same = current is not None and process is current.process and record.cycle == current.cycle
        if not same:
            yield from self.finish()
            self._open = _Open(record.cycle, process) if process is not None else None
        if self._open is not None:
            self._open.starts[record.step_count] = record.test_time
            self._open.partial |= record.continues is not None
            self._open.unfinished = True
            self._count = record.step_count


def _closed(half: _Open) -> HalfCycle:
    blocks = half.blocks
    columns = {
        name: np.concatenate([block.columns[name] for block in blocks]) if blocks else np.empty(0)
        for name in ("test_time", "voltage", "current")
    }
    counts = np.repeat([block.step_count for block in blocks], [len(block) for block in blocks]).astype(
        np.int64
    )
    return HalfCycle(
        cycle=half.cycle,
        process=half.process,
        step_counts=tuple(half.starts),
        results=tuple(half.results),
        partial=half.partial or half.unfinished,
        passed=_passed(columns["test_time"], columns["current"], counts, half.starts),
        **columns,
    )


def _passed(
    time: NDArray[np.float64],
    current: NDArray[np.float64],
    counts: NDArray[np.int64],
    starts: dict[int, Second],
) -> NDArray[np.float64]:
    """Trapezoids within each step; before its first sample a step has that sample's current."""
    if not len(time):
        return np.empty(0)
    began = np.array([starts[count] for count in counts.tolist()])
    first = np.concatenate(([True], counts[1:] != counts[:-1]))
    earlier = np.where(first, began, np.concatenate(([0.0], time[:-1])))
    mean = np.where(first, current, 0.5 * (current + np.concatenate(([0.0], current[:-1]))))
    return np.abs(np.cumsum(mean * (time - earlier)))
