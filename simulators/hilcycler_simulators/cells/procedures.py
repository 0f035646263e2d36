"""Protocols run straight on a simulated cell, without instrument, wire or noise.

They use a cell's terminals only and evaluate with textbook formulas, so what they return is what a
perfect instrument and a careful person would get. Areal current densities in A/m2, charges in C/m2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_simulators.cells.kinetics import FARADAY, GAS
from hilcycler_simulators.cells.terminals import SimulatedCell

Floats = NDArray[np.float64]

_HOUR: Final = 3600.0
_MINUTE: Final = 60.0
_CENTRAL: Final = np.linspace(0.25, 0.75, 21)
_POLARISED: Final = 0.5  # V: a cell that needs more has failed
_SHORTED: Final = 0.3  # of the voltage a half-cycle before: a hard short


@dataclass(frozen=True, slots=True)
class SymmetricRun:
    """One entry a half-cycle: cell hours at its end, mean |V| over its central half."""

    hours: Floats
    voltage: Floats

    def overpotential(self, hour: float) -> float:
        """Mean |V| of the two half-cycles that end at or before `hour`, V."""
        last = max(int(np.searchsorted(self.hours, hour * (1.0 + 1e-9), side="right")), 2)
        return float(self.voltage[last - 2 : last].mean())

    @property
    def short(self) -> float | None:
        """When |V| dropped to less than 30 % from one half-cycle to the next and stayed there, h."""
        dropped = np.flatnonzero(self.voltage[1:] < _SHORTED * self.voltage[:-1]) + 1
        for at in dropped:
            if (self.voltage[at:] < _SHORTED * self.voltage[at - 1]).all():
                return float(self.hours[at])
        return None

    @property
    def life(self) -> float:
        """Hours until a short, or until |V| exceeds 0.5 V; all of them if neither came."""
        ends = [float(self.hours[-1])]
        beyond = np.flatnonzero(~(self.voltage <= _POLARISED))
        if beyond.size:
            ends.append(float(self.hours[beyond[0]]))
        if self.short is not None:
            ends.append(self.short)
        return min(ends)

    def rises_above(self, factor: float, since: float) -> float:
        """The first hour after `since` at which |V| is `factor` of that at `since`; NaN if none."""
        level = factor * self.overpotential(since)
        later = np.flatnonzero((self.hours > since) & (self.voltage > level))
        return float(self.hours[later[0]]) if later.size else math.nan


def cycle_symmetric(cell: SimulatedCell, density: float, charge: float, hours: float) -> SymmetricRun:
    """Plate and strip `charge` at `density` for `hours`."""
    current, half = density * _area(cell), charge / density
    count = max(2, math.ceil(hours * _HOUR / half - 1e-9))
    voltage = np.empty(count)
    for number in range(count):
        course = cell.galvanostatic(-current if number % 2 == 0 else current, half * _CENTRAL)
        voltage[number] = np.abs(course.voltage).mean()
        course.commit(half)
    return SymmetricRun(np.arange(1, count + 1, dtype=np.float64) * half / _HOUR, voltage)


def plating_efficiencies(
    cell: SimulatedCell, density: float, charge: float, cutoff: float, cycles: int
) -> Floats:
    """Stripped over plated charge of each cycle on copper, stripping up to `cutoff` volt."""
    current, half = density * _area(cell), charge / density
    found = np.empty(cycles)
    for number in range(cycles):
        _hold(cell, -current, half)
        found[number] = _until(cell, current, cutoff, 2.0 * half) / half
    return found


@dataclass(frozen=True, slots=True)
class Reservoir:
    """The Aurbach test: condition with `formed`, plate `reservoir`, `cycles` of `cycled`, strip all."""

    formed: float
    reservoir: float
    cycled: float
    cycles: int
    cutoff: float


def reservoir_efficiency(cell: SimulatedCell, density: float, test: Reservoir) -> float:
    """(n Q_C + Q_S)/(n Q_C + Q_T): Adams et al., Adv. Energy Mater. 8 (2018) 1702097."""
    current = density * _area(cell)
    _hold(cell, -current, test.formed / density)
    _until(cell, current, test.cutoff, 2.0 * test.formed / density)
    _hold(cell, -current, test.reservoir / density)
    for _ in range(test.cycles):
        _hold(cell, current, test.cycled / density)
        _hold(cell, -current, test.cycled / density)
    left = _until(cell, current, test.cutoff, 2.0 * test.reservoir / density) * density
    through = test.cycles * test.cycled
    return (through + left) / (through + test.reservoir)


def nucleation(cell: SimulatedCell, density: float, charge: float) -> tuple[float, float]:
    """|V| of the tip and of the plateau (at the end) of the first plating, V."""
    half = charge / density
    times = np.unique(np.concatenate((np.geomspace(1e-3, half, 2000), np.linspace(1.0, half, 2000))))
    course = cell.galvanostatic(-density * _area(cell), times)
    course.commit(half)
    return float(-course.voltage.min()), float(-course.voltage[-1])


@dataclass(frozen=True, slots=True)
class FullRun:
    """One entry a cycle: charged and discharged capacity, in C per kg of active material."""

    charged: Floats
    discharged: Floats

    def after(self, cycles: int) -> FullRun:
        """Without the first `cycles`."""
        return FullRun(self.charged[cycles:], self.discharged[cycles:])


def cycle_full(cell: SimulatedCell, window: tuple[float, float], rates: Sequence[float]) -> FullRun:
    """Constant-current cycles between two voltages, at the C-rates `rates`, one a cycle.

    A cell whose cathode is assembled charged (sulfur) begins with its discharge.
    """
    nominal, mass = cell.label.nominal_capacity, cell.label.working.active_mass
    assert nominal is not None
    assert mass is not None
    charged, discharged = [], []
    for rate in rates:
        current = rate * nominal / _HOUR
        longest = 3.0 * _HOUR / rate
        if cell.label.working.material == "S":
            discharged.append(current * _until(cell, -current, window[0], longest) / mass)
            charged.append(current * _until(cell, current, window[1], longest) / mass)
        else:
            charged.append(current * _until(cell, current, window[1], longest) / mass)
            discharged.append(current * _until(cell, -current, window[0], longest) / mass)
    return FullRun(np.array(charged), np.array(discharged))


def transference(cell: SimulatedCell, bias: float = 0.01, seconds: float = 1200.0) -> float:
    """Bruce, Vincent and Evans: I_s (dV - I_0 R_0)/(I_0 (dV - I_s R_s)); I_0 = dV/(R_b + R_0).

    R_b is where the spectrum begins, the interfaces are what it adds down to 1 Hz less the salt's
    share, which the steady state does not know. A fresh film changes meanwhile: R_s is that of the
    last minute, in which I_s is read.
    """
    bulk, interface = _ends(cell)
    times = np.linspace(1.0, _MINUTE, 60)
    steady, after = 0.0, interface
    for _ in range(round(seconds / _MINUTE)):
        after = _ends(cell)[1]
        course = cell.potentiostatic(np.full(len(times), bias), times)
        steady = float(course.current[-1])
        course.commit(_MINUTE)
    first = bias / (bulk + interface)
    return steady * (bias - first * interface) / (first * (bias - steady * after))


def _ends(cell: SimulatedCell) -> tuple[float, float]:
    """R_b and the interfaces of a lithium cell, ohm, from the limits of its spectrum."""
    truth = cell.truth
    return truth["R_b_ohm"], truth["R_SEI_ohm"] + truth["R_ct_ohm"]


def exchange_current(cell: SimulatedCell) -> float:
    """RT/(F R_ct) of each of two equal electrodes, A/m2, from what a perfect spectrum shows at rest."""
    _hold(cell, 0.0, 10.0 * _HOUR)
    one = 0.5 * float(cell.truth["R_ct_ohm"]) * _area(cell)
    return GAS * cell.temperature / FARADAY / one


def conductivity(cell: SimulatedCell) -> float:
    """L/(R_b A) of a blocking cell, S/m, from the real part where the spectrum meets the axis."""
    thickness = cell.label.separator_thickness
    assert thickness is not None
    resistance = float(cell.impedance(np.array([1e6])).real[0])
    return thickness / (resistance * _area(cell))


def _area(cell: SimulatedCell) -> float:
    area = cell.label.area
    assert area is not None
    return area


def _hold(cell: SimulatedCell, current: float, seconds: float) -> None:
    cell.galvanostatic(current, np.empty(0)).commit(seconds)


def _until(cell: SimulatedCell, current: float, limit: float, longest: float) -> float:
    """Seconds of `current` until the voltage reaches `limit`, at most `longest`."""
    found = cell.crossing(current, limit, longest)
    seconds = longest if found is None else found
    _hold(cell, current, seconds)
    return seconds
