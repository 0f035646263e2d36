"""The stepping of every simulated cell: linear filters, then a memoryless map to the voltage.

The Wiener form. A chemistry says which filters the current passes (a `Bank`), how they are tapped,
what charge its reservoirs hold, and how all that becomes a voltage. The machine here lives through
excitations. It remembers the moment the present excitation began and how long it has lasted, and
computes from there: however often an instrument looks, it sees the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler_simulators.cells.bank import Bank, Floats
from hilcycler_simulators.cells.roots import first_zero

S = TypeVar("S")

_BLOCK = 8192
_LOOK = np.concatenate(([0.0], np.geomspace(1e-9, 1.0, 60)))  # where a crossing is looked for first


@dataclass(frozen=True, slots=True)
class Tap:
    """A weighted sum of the states of one chain or of neighbouring chains."""

    chains: slice
    weights: Floats

    def follow(self, decay: Floats, states: Floats, j: float) -> Floats:
        """The tapped sum along a decay matrix, `j` held from `states` on."""
        settled = j * float(self.weights.sum())
        followed: Floats = settled + decay[:, self.chains] @ (self.weights * (states[self.chains] - j))
        return followed

    def response(self, bank: Bank, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The same sum for a sinusoid: weights over 1 + s tau, `s` in 1/s."""
        responded: NDArray[np.complex128] = (1.0 / (1.0 + s[:, None] * bank.tau[self.chains])) @ self.weights
        return responded


@dataclass(frozen=True, slots=True, eq=False)
class Moment(Generic[S]):
    """A cell at the instant its present excitation began.

    `j` is the current density applied since (A/m2), `states` the filtered current densities,
    `store` the reservoirs (C/m2), `slow` what ages.
    """

    clock: float
    j: float
    states: Floats
    store: Floats
    slow: S


class Chemistry(Protocol[S]):
    """What a kind of cell adds to the machine. Current densities in A/m2, resistances in ohm m2."""

    @property
    def label(self) -> Cell: ...

    @property
    def area(self) -> float: ...

    def truth(self, slow: S, store: Floats, temperature: float) -> dict[str, Any]: ...

    def fresh(self) -> tuple[Floats, S]:
        """Reservoirs and slow states of a new cell."""
        ...

    def bank(self, temperature: float) -> Bank: ...

    def taps(self, bank: Bank, slow: S, temperature: float) -> Sequence[Tap]: ...

    def stores(self, moment: Moment[S], times: Floats) -> Floats:
        """The reservoirs at `times` after the moment, shape (times, reservoirs)."""
        ...

    def voltage(
        self, j: float | Floats, tapped: Sequence[Floats], store: Floats, slow: S, temperature: float
    ) -> Floats: ...

    def age(self, moment: Moment[S], elapsed: float) -> S:
        """The slow states once the excitation of `moment` has lasted `elapsed` and ends."""
        ...

    def areal_impedance(
        self,
        s: NDArray[np.complex128],
        bank: Bank,
        moment: Moment[S],
        tapped: Sequence[float],
        temperature: float,
    ) -> NDArray[np.complex128]:
        """About the present operating point, ohm m2."""
        ...


class WienerCell(Generic[S]):
    """A simulated cell of one chemistry. See `hilcycler_simulators.cells.terminals.SimulatedCell`."""

    def __init__(self, chemistry: Chemistry[S], temperature: float) -> None:
        self._chemistry = chemistry
        self._temperature = temperature
        self._bank = chemistry.bank(temperature)
        store, slow = chemistry.fresh()
        self._moment = Moment(0.0, 0.0, np.zeros(len(self._bank)), store, slow)
        self._elapsed = 0.0
        self._lived = 0

    @property
    def label(self) -> Cell:
        return self._chemistry.label

    @property
    def truth(self) -> dict[str, Any]:
        now = self._now()
        return {"clock_s": now.clock, **self._chemistry.truth(now.slow, now.store, self._temperature)}

    @property
    def temperature(self) -> float:
        return self._temperature

    @temperature.setter
    def temperature(self, value: float) -> None:
        if value == self._temperature:
            return
        self._moment, self._elapsed = self._now(), 0.0
        self._temperature = value
        self._bank = self._chemistry.bank(value)
        self._lived += 1

    def galvanostatic(self, current: float, times: Floats) -> _Galvanostatic[S]:
        j = current / self._chemistry.area
        start, elapsed = self._begin(j)
        voltage = self._voltages(start, elapsed + np.asarray(times, dtype=float))
        return _Galvanostatic(self, self._lived, start, elapsed, voltage, np.full(len(voltage), current))

    def crossing(self, current: float, limit: float, horizon: float) -> float | None:
        start, elapsed = self._begin(current / self._chemistry.area)
        grid = elapsed + horizon * _LOOK
        values = self._voltages(start, grid) - limit
        before = self._voltages(self._moment, np.array([self._elapsed]))[0] - limit
        if values[0] == 0.0 or np.signbit(before) != np.signbit(values[0]):
            return 0.0
        found = first_zero(
            lambda t: float(self._voltages(start, np.array([t]), keep=False)[0]) - limit, grid, values
        )
        return None if found is None else found - elapsed

    def impedance(self, frequencies: Floats) -> NDArray[np.complex128]:
        s = 2j * np.pi * np.asarray(frequencies, dtype=float)
        now = self._now()
        taps = self._chemistry.taps(self._bank, now.slow, self._temperature)
        tapped = [float(tap.weights @ now.states[tap.chains]) for tap in taps]
        areal = self._chemistry.areal_impedance(s, self._bank, now, tapped, self._temperature)
        return areal / self._chemistry.area

    def _begin(self, j: float) -> tuple[Moment[S], float]:
        """The moment from which `j` is followed: the present one goes on if it already applies `j`."""
        if j == self._moment.j:
            return self._moment, self._elapsed
        now = self._now()
        return Moment(now.clock, j, now.states, now.store, now.slow), 0.0

    def _now(self) -> Moment[S]:
        """The present as a moment of its own: the running excitation ends here."""
        moment, elapsed = self._moment, self._elapsed
        if elapsed == 0.0:
            return moment
        return Moment(
            moment.clock + elapsed,
            moment.j,
            self._bank.after(moment.states, moment.j, elapsed),
            self._chemistry.stores(moment, np.array([elapsed]))[0],
            self._chemistry.age(moment, elapsed),
        )

    def _voltages(self, moment: Moment[S], times: Floats, *, keep: bool = True) -> Floats:
        if len(times) > _BLOCK:
            return np.concatenate(
                [self._voltages(moment, times[at : at + _BLOCK]) for at in range(0, len(times), _BLOCK)]
            )
        decay = self._bank.decay(times) if keep else np.exp(-times[:, None] / self._bank.tau)
        taps = self._chemistry.taps(self._bank, moment.slow, self._temperature)
        tapped = [tap.follow(decay, moment.states, moment.j) for tap in taps]
        store = self._chemistry.stores(moment, times)
        return self._chemistry.voltage(moment.j, tapped, store, moment.slow, self._temperature)

    def _live(self, lived: int, start: Moment[S], elapsed: float) -> None:
        if lived != self._lived:
            raise RuntimeError("the cell has lived on since this course was asked for")
        self._moment, self._elapsed = start, elapsed
        self._lived += 1


@dataclass(slots=True, eq=False)
class _Galvanostatic(Generic[S]):
    """A constant current, seen at the instants asked for."""

    cell: WienerCell[S]
    lived: int
    start: Moment[S]
    elapsed: float
    voltage: Floats
    current: Floats

    def commit(self, until: float) -> None:
        self.cell._live(self.lived, self.start, self.elapsed + until)  # noqa: SLF001  (its own course)
