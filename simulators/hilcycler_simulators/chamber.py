"""A temperature chamber: cells in it follow its set-point with the lag of the air and their own.

Air and cell are first-order lags in series. For a set-point S reached for from air A0 and cell C0,

    air(t)  = S + (A0 - S) exp(-t/a)
    cell(t) = S + k exp(-t/a) + (C0 - S - k) exp(-t/c),   k = (A0 - S) a/(a - c)

in closed form, so nothing is stepped. Time is the clock of each cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hilcycler.errors import RequestError
from hilcycler.quantities import ZERO_CELSIUS, Kelvin, Second
from hilcycler_simulators.cells.wiener import WienerCell

_STEP: Final = 0.05  # K: so much may change before a cell is stepped with another temperature
_DAY: Final = 86400.0
_LOOK: Final = np.geomspace(1.0, 3.0 * _DAY, 120)
_LOWEST, _HIGHEST = ZERO_CELSIUS - 70.0, ZERO_CELSIUS + 180.0


@dataclass(frozen=True, slots=True)
class Lags:
    """Time constants of the chamber's air and of a cell in it, s."""

    air: Second = 300.0
    cell: Second = 900.0


@dataclass(frozen=True, slots=True)
class Ripple:
    """What the room's day and night leave of themselves in a cell: amplitude (K) and phase (rad)."""

    amplitude: Kelvin = 0.0
    phase: float = 0.0

    def at(self, clock: Second) -> Kelvin:
        """Kelvin above the mean."""
        return self.amplitude * math.sin(2.0 * math.pi * clock / _DAY + self.phase)


@dataclass
class _Place:
    """Where one cell stands: what was wanted since when, and from which temperatures."""

    lags: Lags
    ripple: Ripple
    since: Second
    wanted: Kelvin
    air: Kelvin
    cell: Kelvin

    def temperature(self, clock: Second) -> Kelvin:
        """Of the cell at `clock` of that cell."""
        return self._steady(clock) + self.ripple.at(clock)

    def air_at(self, clock: Second) -> Kelvin:
        return self.wanted + (self.air - self.wanted) * math.exp((self.since - clock) / self.lags.air)

    def _steady(self, clock: Second) -> Kelvin:
        a, c, t = self.lags.air, self.lags.cell, clock - self.since
        k = (self.air - self.wanted) * a / (a - c)
        return self.wanted + k * math.exp(-t / a) + (self.cell - self.wanted - k) * math.exp(-t / c)

    def steady_for(self, clock: Second) -> Second:
        """Until the temperature has moved by 0.05 K."""
        now = self.temperature(clock)
        for ahead in _LOOK:
            if abs(self.temperature(clock + float(ahead)) - now) > _STEP:
                return float(ahead)
        return float(_LOOK[-1]) if self.ripple.amplitude else math.inf

    def retarget(self, clock: Second, wanted: Kelvin) -> None:
        self.air, self.cell = self.air_at(clock), self._steady(clock)
        self.since, self.wanted = clock, wanted


@dataclass
class Chamber:
    """A chamber at `temperature` (K). Cells put into it have been there for long."""

    temperature: Kelvin = ZERO_CELSIUS + 25.0
    lags: Lags = field(default_factory=Lags)
    ripple: Ripple = field(default_factory=Ripple)
    _places: list[tuple[WienerCell, _Place]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.lags.air != self.lags.cell:
            raise RequestError("the lags of air and cell must differ; expected such as 300 s and 900 s")

    def put(self, cell: WienerCell) -> None:
        """Put a cell in; it is at once as warm as the chamber wants it."""
        place = _Place(
            self.lags, self.ripple, cell.clock, self.temperature, self.temperature, self.temperature
        )
        self._places.append((cell, place))
        cell.put_into(place)

    def set(self, temperature: Kelvin) -> None:
        """Want another temperature from now on; RequestError beyond -70 to 180 degC."""
        if not _LOWEST <= temperature <= _HIGHEST:
            raise RequestError(
                f"{temperature:g} K is no set-point of this chamber; expected 203.15 K to 453.15 K"
            )
        self.temperature = temperature
        for cell, place in self._places:
            place.retarget(cell.clock, temperature)
            cell.put_into(place)

    @property
    def air(self) -> Kelvin:
        """What the chamber's own sensor reads now, by the clock of the cell that was put in first."""
        if not self._places:
            return self.temperature
        cell, place = self._places[0]
        return place.air_at(cell.clock)
