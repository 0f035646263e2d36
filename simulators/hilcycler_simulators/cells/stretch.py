"""One stretch of a cell's life: one excitation, one age, from one instant on.

Under a constant current without a leak everything is closed form. Otherwise (a held voltage, a
short beside the ions) the ionic current is marched along a grid of its own, `hilcycler_simulators.
cells.march`. Either way what is seen depends on the stretch alone, not on how often one looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hilcycler_simulators.cells.ageing import Age
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.chemistry import Chemistry
from hilcycler_simulators.cells.drive import Drive, Galvanostat

_BLOCK = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A cell at one instant: filter states (A/m2), reservoirs (C/m2), age.

    `passed` and `leaked` are the charge at the terminals and beside the ions so far.
    """

    states: Floats
    store: Floats
    age: Age
    passed: float = 0.0
    leaked: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What a stretch is stepped with, and how long its temperature holds (s)."""

    chemistry: Chemistry
    bank: Bank
    temperature: float
    steady_for: float = math.inf


class Stretch(Protocol):
    """What the two kinds of stretch have in common."""

    @property
    def drive(self) -> Drive: ...

    @property
    def began(self) -> float:
        """The cell clock at its beginning, s."""
        ...

    @property
    def horizon(self) -> float:
        """How long it can last, in seconds."""
        ...

    def look(self, times: Floats) -> tuple[Floats, Floats]:
        """Voltage and terminal current density at `times`, ascending, none beyond the horizon."""
        ...

    def ionic(self, elapsed: float) -> float:
        """The current density through the ions after `elapsed` seconds."""
        ...

    def end(self, elapsed: float) -> Moment:
        """The cell when the stretch ends after `elapsed` seconds."""
        ...


class Free:
    """A stretch in closed form: constant ionic current."""

    def __init__(self, setting: Setting, moment: Moment, drive: Galvanostat) -> None:
        self.drive = drive
        self.began = moment.age.clock
        self.horizon = min(moment.age.horizon(setting.chemistry.life, drive), setting.steady_for)
        self._setting, self._moment, self._j = setting, moment, drive.j

    def look(self, times: Floats) -> tuple[Floats, Floats]:
        if len(times) > _BLOCK:
            cuts = range(0, len(times), _BLOCK)
            voltage = np.concatenate([self._voltage(times[at : at + _BLOCK]) for at in cuts])
        else:
            voltage = self._voltage(times)
        if self.drive.series:
            voltage = voltage + self._j * self.drive.series
        return voltage, np.full(len(times), self._j)

    def ionic(self, elapsed: float) -> float:  # noqa: ARG002  (it is constant)
        return self._j

    def end(self, elapsed: float) -> Moment:
        moment, j = self._moment, self._j
        store = self._setting.chemistry.stores(moment.store, j, elapsed, moment.age)
        age = moment.age.after(self._setting.chemistry.life, j, elapsed)
        return Moment(
            states=self._setting.bank.after(moment.states, j, elapsed),
            store=self._setting.chemistry.aged(store, moment.age, age),
            age=age,
            passed=moment.passed + j * elapsed,
            leaked=moment.leaked,
        )

    def _voltage(self, times: Floats) -> Floats:
        moment, j = self._moment, self._j
        sums = self._setting.bank.follow(times, moment.states, j)
        store = moment.store
        if self._setting.chemistry.feels(store, j * float(times[-1])):
            store = self._setting.chemistry.stores(store, j, times, moment.age)
        return self._setting.chemistry.voltage(j, sums, store, moment.age, self._setting.temperature)
