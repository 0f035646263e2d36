"""Where nothing can be decided, only the samples that are recorded are looked at.

A step of an hour is decided 3600 times, and mostly nothing is: the voltage moves slowly, far from any
limit. There it is enough to look at the recorded samples and at the beginning of each window, where it
bends most, if what lies between two of them can lie neither beyond a limit nor a recorded change away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.protocol import Envelope
from hilcycler_simulators.direct.deciding import Gate, Judge
from hilcycler_simulators.direct.recorded import Recorded
from hilcycler_simulators.instruments.emstat.body import Column
from hilcycler_simulators.instruments.emstat.converter import Floats
from hilcycler_simulators.instruments.emstat.sweeps import Steady, Sweep
from hilcycler_simulators.instruments.emstat.unit import Unit

Rows = NDArray[np.intp]

_BEGINNING: Final = 64
"""Samples at the beginning of a window that are always looked at."""
_FEWEST: Final = 4
"""Samples from one recorded to the next: with fewer there is little to save."""
_MARGIN: Final = 2e-3
"""V: how near to a limit, noise included, every sample is looked at."""
_GAIN: Final = 1.01
"""More than any converter makes of a difference between two voltages."""
_UNSEEN: Final = 0.5
"""Of a recorded change: what a voltage may move between two samples that are looked at. It may bend
between them, but not by as much again as it has moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Which of the samples of a window are looked at (`looked`), and which are recorded (`due`).

    `rows` are all, `chosen` those that are due and the last one, `at` their places in `looked`; `before` is the place
    there of the last recorded one before each (-1: it lies before the window). The first `beginning`
    of `looked` follow one upon the other.
    """

    rows: int
    looked: Rows
    due: Rows
    chosen: Rows
    at: Rows
    before: Rows
    beginning: int

    def __len__(self) -> int:
        return self.rows


@lru_cache(maxsize=256)
def pattern(rows: int, first_due: int, count: int) -> Pattern:
    """Of a window of `rows` samples: every `count`-th is recorded, from `first_due` on."""
    due = np.arange(first_due, rows, count)
    beginning = min(_BEGINNING, rows)
    looked = np.unique(np.concatenate((np.arange(beginning), due, [rows - 1])))
    chosen = np.append(due, rows - 1)
    nearest = np.searchsorted(due, looked, side="left") - 1
    places = np.searchsorted(looked, due)
    before = np.where(nearest < 0, -1, places[nearest]) if len(due) else np.full(len(looked), -1)
    return Pattern(rows, looked, due, chosen, np.searchsorted(looked, chosen), before, beginning)


@dataclass(frozen=True, slots=True)
class Glances:
    """Looks at the windows of one loop, whose samples meet `judge` and `gate` and go to `recorded`."""

    unit: Unit
    judge: Judge
    gate: Gate
    recorded: Recorded

    def may(self, sweep: Sweep, envelope: Envelope) -> bool:
        """Whether this way of looking is open at all: one current, or none, and only voltages end it."""
        recording = self.gate.recording
        if not isinstance(sweep, Steady) or not self.judge.only_voltages:
            return False
        if recording.count < _FEWEST or recording.growth is not None:
            return False
        lowest, highest = envelope.current
        at_rest, driven = set(sweep.own.values()) == {"ab"}, sweep.own.get("i") == "db"
        return at_rest or (driven and lowest <= sweep.setpoint <= highest)

    def over(self, sweep: Steady, times: Floats, timer: Floats) -> bool:
        """Live through the samples at `times` from now, if nothing can happen at them; else do nothing."""
        unit, gate, rows = self.unit, self.gate, len(times)
        if rows < 2 * _BEGINNING:
            return False
        chosen = pattern(rows, gate.next_due, gate.recording.count)
        look = unit.circuit.look(times[chosen.looked])
        if len(look.voltage) < len(chosen.looked) or look.saturated:
            return False
        if not self._far_from_limits(look.voltage) or not self._steady(look.voltage, chosen):
            return False
        self._record(sweep, look.voltage, chosen, timer[chosen.chosen])
        self.judge.skip(rows)
        look.commit(float(times[-1]))
        unit.samples += rows
        return True

    def _record(self, sweep: Steady, seen: Floats, chosen: Pattern, timer: Floats) -> None:
        unit, due = self.unit, len(chosen.due)
        reading = unit.converter.read_voltage(
            seen[chosen.at], unit.samples, unit.settings.potential_range, chosen.chosen
        )
        columns = {"u": Column("ab", reading.values, reading.status, reading.ranges)}
        if "i" in sweep.own:
            columns["i"] = Column("db", np.full(due + 1, sweep.setpoint))
        self.recorded.put(timer, columns, np.arange(due))
        self.recorded.remember(timer, columns, due)
        self.gate.pass_by(len(chosen), chosen.due, {name: column.values for name, column in columns.items()})

    def _far_from_limits(self, seen: Floats) -> bool:
        """Whether what lies between two of the voltages `seen` is inside all limits. NaN: no."""
        margin = float(np.abs(np.diff(seen)).max()) + _MARGIN
        low, high = self.judge.bounds()
        return low + margin < float(seen.min()) and float(seen.max()) < high - margin

    def _steady(self, seen: Floats, chosen: Pattern) -> bool:
        """Whether no sample lies a recorded change away from the last recorded one. NaN: no."""
        threshold, last = self.gate.voltage_change, self.gate.last_voltage
        if threshold is None:
            return True
        reference = np.where(chosen.before < 0, seen[0] if last is None else last, seen[chosen.before])
        moved = np.abs(seen - reference) * _GAIN + self.unit.converter.voltage_spread
        at_once, later = moved[: chosen.beginning], moved[chosen.beginning :]
        return bool((at_once < threshold).all() and (later < _UNSEEN * threshold).all())
