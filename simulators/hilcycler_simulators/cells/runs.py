"""The runs that a profile's targets need, each done once, on a cell of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from hilcycler_simulators.cells import procedures
from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.procedures import FullRun, Reservoir, SymmetricRun
from hilcycler_simulators.cells.terminals import SimulatedCell

_MAH_CM2: Final = 3.6e4
_TEMPERATURES: Final = (273.15, 283.15, 293.15, 303.15, 313.15, 323.15)
_AURBACH: Final = Reservoir(
    formed=4.0 * _MAH_CM2, reservoir=4.0 * _MAH_CM2, cycled=1.0 * _MAH_CM2, cycles=10, cutoff=1.0
)


@dataclass
class Runs:
    """Runs on cells that `make` makes. A longer run serves shorter questions."""

    make: Callable[[], SimulatedCell]
    _done: dict[object, tuple[float, Any]] = field(default_factory=dict)

    def symmetric(self, density: float, charge: float, hours: float) -> SymmetricRun:
        """Plating and stripping for at least `hours`."""
        run: SymmetricRun = self._at_least(
            ("symmetric", density, charge),
            hours,
            lambda: procedures.cycle_symmetric(self.make(), density, charge, hours),
        )
        return run

    def efficiencies(self, density: float, charge: float, cutoff: float, cycles: int) -> Floats:
        """Of at least `cycles` on copper."""
        found: Floats = self._at_least(
            ("efficiencies", density, charge, cutoff),
            cycles,
            lambda: procedures.plating_efficiencies(self.make(), density, charge, cutoff, cycles),
        )
        return found

    def full(
        self, rate: float, window: tuple[float, float], first: tuple[float, ...], cycles: int
    ) -> FullRun:
        """At least `cycles` at `rate`, without the `first` ones."""
        run: FullRun = self._at_least(
            ("full", rate, window, first),
            cycles,
            lambda: procedures.cycle_full(self.make(), window, [*first, *[rate] * cycles]).after(len(first)),
        )
        return run

    def rates(self, rates: tuple[float, ...], each: int, window: tuple[float, float]) -> FullRun:
        """A rate test."""
        return procedures.cycle_full(self.make(), window, [rate for rate in rates for _ in range(each)])

    def truth_after(self, cycles: int, window: tuple[float, float]) -> dict[str, Any]:
        """The truth of a cell that has done `cycles` at 1 C."""
        cell = self.make()
        if cycles:
            procedures.cycle_full(cell, window, [1.0] * cycles)
        return cell.truth

    def transference(self) -> float:
        return procedures.transference(self.make())

    def conductivity(self) -> float:
        return procedures.conductivity(self.make())

    def nucleation(self, density: float, charge: float) -> tuple[float, float]:
        return procedures.nucleation(self.make(), density, charge)

    def reservoir_efficiency(self) -> float:
        return procedures.reservoir_efficiency(self.make(), 5.0, _AURBACH)

    def arrhenius_slope(self, name: str) -> float:
        """D ln(R)/d(1/T), kelvin, of a resistance that truth names."""
        cell, logarithms = self.make(), []
        for temperature in _TEMPERATURES:
            cell.temperature = temperature
            logarithms.append(np.log(cell.truth[f"{name}_ohm"]))
        return float(np.polyfit(1.0 / np.array(_TEMPERATURES), logarithms, 1)[0])

    def exchange_current(self, hours: float) -> float:
        """After cycling at 1 mA/cm2 and 1 mAh/cm2, A/m2."""
        cell = self.make()
        procedures.cycle_symmetric(cell, 10.0, _MAH_CM2, hours)
        return procedures.exchange_current(cell)

    def _at_least(self, key: object, length: float, run: Callable[[], object]) -> Any:  # noqa: ANN401  (callers say)
        done = self._done.get(key)
        if done is None or done[0] < length:
            done = length, run()
            self._done[key] = done
        return done[1]
