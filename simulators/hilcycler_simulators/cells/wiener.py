"""A simulated cell at its terminals: linear filters, then a memoryless map to the voltage.

The Wiener form: a chemistry says which filters the current passes, what its reservoirs hold and how
that becomes a voltage. The cell remembers when its present stretch began and computes from there,
so however often an instrument looks, it sees the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler_simulators.cells.ageing import Age
from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.chemistry import Chemistry
from hilcycler_simulators.cells.drive import Drive, Galvanostat, Potentiostat
from hilcycler_simulators.cells.march import COARSE, FINE, Marched
from hilcycler_simulators.cells.roots import first_zero
from hilcycler_simulators.cells.stretch import Free, Moment, Setting, Stretch
from hilcycler_simulators.cells.surroundings import Still, Surroundings

_SMALL_STEP: Final = 5e-3  # V
_LOOK: Final = np.unique(np.concatenate((np.geomspace(1e-9, 1.0, 60), np.linspace(0.0, 1.0, 121))))
_NUDGE_J: Final = 1e-4  # A/m2
_NUDGE_STORE: Final = 1.0  # C/m2


class WienerCell:
    """A simulated cell of one chemistry. See `hilcycler_simulators.cells.terminals.SimulatedCell`."""

    def __init__(self, chemistry: Chemistry, temperature: float) -> None:
        self._chemistry = chemistry
        self._surroundings: Surroundings = Still(temperature)
        self._bank = temperature, chemistry.bank(temperature)
        fresh = Moment(np.zeros(len(self._bank[1])), chemistry.fresh(), Age())
        self._stretch: Stretch = self._begin(fresh, Galvanostat(0.0))
        self._elapsed = 0.0
        self._lived = 0

    @property
    def label(self) -> Cell:
        return self._chemistry.label

    @property
    def clock(self) -> float:
        """Seconds that it has lived."""
        return self._stretch.began + self._elapsed

    @property
    def truth(self) -> dict[str, Any]:
        now = self._stretch.end(self._elapsed)
        area = self._chemistry.area
        return {
            "clock_s": now.age.clock,
            "passed_C": now.passed * area,
            "leaked_C": now.leaked * area,
            "ledger_C": {name: area * held for name, held in self._chemistry.ledger(now.store).items()},
            **self._chemistry.truth(now.store, now.age, self.temperature),
        }

    @property
    def temperature(self) -> float:
        return self._surroundings.temperature(self.clock)

    @temperature.setter
    def temperature(self, value: float) -> None:
        if value != self.temperature:
            self.put_into(Still(value))

    def put_into(self, surroundings: Surroundings) -> None:
        """From now on the temperature is that of `surroundings`, whose programme may just have changed."""
        now, drive = self._stretch.end(self._elapsed), self._stretch.drive
        self._surroundings = surroundings
        self._settle(self._begin(now, drive), 0.0)

    def galvanostatic(self, current: float, times: Floats, series: float = 0.0) -> _Course:
        """As `SimulatedCell`; `series` (ohm) are leads within the voltage that is sensed."""
        area = self._chemistry.area
        stretch, elapsed = self._enter(Galvanostat(current / area, series * area))
        seen = self._follow(stretch, elapsed + np.asarray(times, dtype=np.float64))
        return _Course(self, self._lived, [_Leg(0.0, stretch, elapsed)], *seen)

    def potentiostatic(self, voltage: Floats, times: Floats, series: float = 0.0) -> _Course:
        """As `SimulatedCell`, and cut exactly where it is committed; `series` as above."""
        voltage = np.asarray(voltage, dtype=np.float64)
        steps = np.flatnonzero(np.diff(voltage)) + 1
        leads = series * self._chemistry.area
        drives = [Potentiostat(float(voltage[at]), leads) for at in (0, *steps)] if len(voltage) else []
        return self._course(drives, np.asarray(times, dtype=np.float64), [*steps.tolist(), len(times)])

    def crossing(self, current: float, limit: float, horizon: float, series: float = 0.0) -> float | None:
        """0.0 if `limit` lies between the voltage now and the one just after `current` is applied."""
        area = self._chemistry.area
        stretch, elapsed = self._enter(Galvanostat(current / area, series * area))
        grid = horizon * _LOOK
        values = self._follow(stretch, elapsed + grid)[0] - limit
        before = self._stretch.look(np.array([self._elapsed]))[0][0] - limit
        if values[0] == 0.0 or np.signbit(before) != np.signbit(values[0]):
            return 0.0

        def distance(seconds: float) -> float:
            return float(self._follow(stretch, np.array([elapsed + seconds]))[0][0]) - limit

        return first_zero(distance, grid, values)

    def impedance(self, frequencies: Floats, series: float = 0.0) -> NDArray[np.complex128]:
        """As `SimulatedCell`; `series` (ohm) is added."""
        s = np.asarray(2j * np.pi * frequencies, dtype=np.complex128)
        now = self._stretch.end(self._elapsed)
        ionic = self._areal_impedance(s, now)
        leak = self._chemistry.leak(now.age)
        if leak is not None:
            voltage = self._stretch.look(np.array([self._elapsed]))[0]
            ionic = 1.0 / (1.0 / ionic + leak.slope_at(voltage)[0])
        return ionic / self._chemistry.area + series

    def _areal_impedance(self, s: NDArray[np.complex128], now: Moment) -> NDArray[np.complex128]:
        """Of the ionic path: each input of the memoryless map by its slope, each with its response."""
        chemistry, temperature = self._chemistry, self.temperature
        bank = chemistry.bank(temperature)
        sums = bank.now(now.states)
        j = self._stretch.ionic(self._elapsed)

        def slope(nudge_j: float, nudge_sums: Floats, nudge_store: Floats) -> float:
            either = []
            for sign in (1.0, -1.0):
                there = sums + sign * nudge_sums
                store = now.store + sign * nudge_store
                volts = chemistry.voltage(j + sign * nudge_j, there, store, now.age, temperature)
                either.append(float(volts))
            return either[0] - either[1]

        still, unmoved = np.zeros_like(now.store), np.zeros_like(sums)
        areal = np.full(len(s), slope(_NUDGE_J, unmoved, still) / (2.0 * _NUDGE_J), dtype=np.complex128)
        nudges = np.diag(_NUDGE_J * bank.totals)
        slopes = [slope(0.0, nudge, still) / (2.0 * nudge.sum()) for nudge in nudges]
        areal += slopes @ bank.response(s)
        gains = chemistry.gains(now.store, now.age)
        if gains.any():
            areal += slope(0.0, unmoved, _NUDGE_STORE * gains) / (2.0 * _NUDGE_STORE) / s
        return areal

    def _begin(self, moment: Moment, drive: Drive, nodes: tuple[float, float] = FINE) -> Stretch:
        clock, around = moment.age.clock, self._surroundings
        temperature = around.temperature(clock)
        if temperature != self._bank[0]:
            self._bank = temperature, self._chemistry.bank(temperature)
        setting = Setting(self._chemistry, self._bank[1], temperature, around.steady_for(clock))
        if isinstance(drive, Galvanostat) and self._chemistry.leak(moment.age) is None:
            return Free(setting, moment, drive)
        return Marched(setting, moment, drive, nodes)

    def _enter(self, drive: Drive) -> tuple[Stretch, float]:
        """The stretch under `drive` from now on: the present one goes on if it is already that."""
        return self._next(self._stretch, self._elapsed, drive)

    def _next(self, stretch: Stretch, elapsed: float, drive: Drive) -> tuple[Stretch, float]:
        if drive == stretch.drive:
            return stretch, elapsed
        match (stretch.drive, drive):
            case (Potentiostat(old, a), Potentiostat(new, b)) if a == b and abs(new - old) <= _SMALL_STEP:
                nodes = COARSE
            case _:
                nodes = FINE
        return self._begin(stretch.end(elapsed), drive, nodes), 0.0

    def _pass(self, stretch: Stretch, elapsed: float) -> tuple[Stretch, float]:
        """Through the events that happen by themselves, up to `elapsed`."""
        while elapsed > stretch.horizon:
            elapsed -= stretch.horizon
            stretch = self._go_on(stretch)
        return stretch, elapsed

    def _go_on(self, stretch: Stretch) -> Stretch:
        """The same drive beyond the horizon; a leak that begins or ends there is a new beginning."""
        ended = stretch.end(stretch.horizon)
        same = isinstance(stretch, Marched) and self._chemistry.leak(ended.age) == stretch.leak
        return self._begin(ended, stretch.drive, COARSE if same else FINE)

    def _follow(self, stretch: Stretch, times: Floats) -> tuple[Floats, Floats]:
        """Voltage and current density along `times`, through events."""
        if len(times) == 0:
            return times, times
        if times[-1] <= stretch.horizon:
            return stretch.look(times)
        volts, currents = [], []
        while len(times):
            until = int(np.searchsorted(times, stretch.horizon, side="right"))
            seen = stretch.look(times[:until]) if until else (times[:0], times[:0])
            volts.append(seen[0])
            currents.append(seen[1])
            times = times[until:] - stretch.horizon
            if len(times):
                stretch = self._go_on(stretch)
        return np.concatenate(volts), np.concatenate(currents)

    def _course(self, drives: Sequence[Drive], times: Floats, ends: Sequence[int]) -> _Course:
        """Through `drives`, each for the instants up to its entry of `ends`, held up to the last."""
        legs: list[_Leg] = []
        volts, currents = [], []
        stretch, elapsed, begin, at = self._stretch, self._elapsed, 0.0, 0
        for drive, end in zip(drives, ends, strict=True):
            stretch, elapsed = self._next(stretch, elapsed, drive)
            legs.append(_Leg(begin, stretch, elapsed))
            seen = self._follow(stretch, elapsed - begin + times[at:end])
            volts.append(seen[0])
            currents.append(seen[1])
            if drive is not drives[-1]:
                stretch, elapsed = self._pass(stretch, elapsed - begin + float(times[end - 1]))
                begin, at = float(times[end - 1]), end
        voltage, density = (
            (volts[0], currents[0]) if len(legs) == 1 else map(np.concatenate, (volts, currents))
        )
        return _Course(self, self._lived, legs, voltage, density)

    def _settle(self, stretch: Stretch, elapsed: float) -> None:
        self._stretch, self._elapsed = self._pass(stretch, elapsed)
        self._lived += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Leg:
    """The part of a course under one drive: since when, and how far into its stretch that was."""

    begin: float
    stretch: Stretch
    elapsed: float


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """What would happen; see `hilcycler_simulators.cells.terminals.Course`."""

    cell: WienerCell
    lived: int
    legs: list[_Leg]
    voltage: Floats
    density: Floats

    @property
    def current(self) -> Floats:
        return self.density * self.cell._chemistry.area  # noqa: SLF001  (its own course)

    def commit(self, until: float) -> None:
        if self.lived != self.cell._lived:  # noqa: SLF001  (its own course)
            raise RuntimeError("the cell has lived on since this course was asked for")
        leg = self.legs[-1]
        if leg.begin > until:
            leg = next(leg for leg in reversed(self.legs) if leg.begin <= until)
        self.cell._settle(leg.stretch, leg.elapsed - leg.begin + until)  # noqa: SLF001
